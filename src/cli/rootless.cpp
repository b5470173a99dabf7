#include "cli/rootless.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace slipway::cli {
namespace {

const unsigned started_by = ::geteuid();

struct Range {
  std::string first, count;
};

// The line for this user, by name or number: "ada:100000:65536".
std::optional<Range> range_of(const char* file, const std::string& name, unsigned id) {
  auto text = read_file(file);
  if (!text) return std::nullopt;
  for (auto line : lines(*text)) {
    auto words = split(trim(line), ':');
    if (words.size() == 3 && (words[0] == name || words[0] == std::to_string(id)))
      return Range{std::string(words[1]), std::string(words[2])};
  }
  return std::nullopt;
}

// What the kernel's settings say about why a namespace cannot be made, each with its remedy.
std::string missing(int error) {
  std::string list;
  auto add = [&](std::string_view what, std::string_view remedy) { list += fmt::format("\n  - {}: {}", what, remedy); };
  auto setting = [](const char* file) { return std::string(trim(read_file(file).value_or(""))); };
  if (setting("/proc/sys/user/max_user_namespaces") == "0")
    add("user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=15000");
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    add("kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1");
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1")
    add("kernel.apparmor_restrict_unprivileged_userns is 1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
  if (list.empty())
    add(fmt::format("unshare(CLONE_NEWUSER) gives \"{}\" although the kernel's settings allow it",
                    std::strerror(error)),
        "a seccomp profile, a chroot or an outer container forbids it; allow it there (docker run --security-opt "
        "seccomp=unconfined)");
  return list;
}

// newuidmap and newgidmap write the maps of our namespace from outside of it: a child that stays there calls them.
class Mapper {
 public:
  static Result<Mapper> start(const std::string& name) {
    Mapper mapper;
    auto uids = range_of("/etc/subuid", name, ::geteuid()), gids = range_of("/etc/subgid", name, ::geteuid());
    if (!uids || !gids || !find_program("newuidmap") || !find_program("newgidmap")) return mapper;
    int go[2];
    if (::pipe2(go, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    mapper.go_ = Fd(go[1]);
    Fd wait(go[0]);
    auto self = std::to_string(::getpid()), uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
    mapper.child_ = ::fork();
    if (mapper.child_ < 0) return fail_errno(errno, "fork");
    if (mapper.child_ > 0) return mapper;
    mapper.go_.reset();
    char byte = 0;
    if (::read(wait.get(), &byte, 1) != 1) ::_exit(1);
    auto map = [&](const char* program, const std::string& own, const Range& range) {
      return run_ok(Ctx{}.within(Millis(10000)),
                    Command{.argv = {program, self, "0", own, "1", "1", range.first, range.count}})
          .has_value();
    };
    ::_exit(map("newuidmap", uid, *uids) && map("newgidmap", gid, *gids) ? 0 : 1);
  }

  // True: the maps are written.
  bool finish() {
    if (child_ < 0) return false;
    bool told = ::write(go_.get(), "x", 1) == 1;
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
    return told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t child_ = -1;
  Fd go_;
};

Result<> write_map(const char* file, const std::string& text) {
  Fd fd(::open(file, O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, file);
  return {};
}

Result<> map_ourselves(unsigned uid, unsigned gid) {
  TRY_OK(write_map("/proc/self/setgroups", "deny"));
  TRY_OK(write_map("/proc/self/uid_map", fmt::format("0 {} 1", uid)));
  return write_map("/proc/self/gid_map", fmt::format("0 {} 1", gid));
}

}  // namespace

unsigned real_uid() { return started_by; }

Result<> become_root_of_a_namespace() {
  auto uid = ::geteuid();
  auto gid = ::getegid();
  if (uid == 0) return {};
  const auto* entry = ::getpwuid(uid);
  TRY(auto mapper, Mapper::start(entry != nullptr ? entry->pw_name : std::to_string(uid)));
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    int error = errno;
    return Fail(
        Error(Kind::unavailable,
              fmt::format("user {} is not root, and user namespaces, which would do instead, are not to be had:{}", uid,
                          missing(error)))
            .with_hint("mend one of these, or run as root"));
  }
  if (!mapper.finish()) TRY_OK_IN("map user ids", map_ourselves(uid, gid));
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    return fail_errno(errno, "become root of the user namespace");
  // What we mount is ours alone; what the host mounts is seen.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return fail_errno(errno, "keep mounts in the namespace");
  return {};
}

}  // namespace slipway::cli
