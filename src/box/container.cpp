// A container of an OCI runtime: bundle, guardian (shim/), signals by pidfd, what is left at the end.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/hash.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "box/detail/config.h"
#include "box/detail/exec.h"
#include "box/detail/launch.h"
#include "box/detail/limits.h"
#include "box/detail/oci_runtime.h"
#include "box/detail/userns.h"

namespace slipway::box {
namespace {

constexpr Millis kEnd{10000};

struct Processes {
  int shim = 0, pid = 0;
  std::uint64_t shim_start = 0, pid_start = 0;
};

// The state file: a line of the guardian, then one of the container's first process (pid and start time).
std::optional<Processes> read_state(const fs::path& dir) {
  auto text = read_file(dir / "state", 4096);
  if (!text || !text->ends_with('\n')) return std::nullopt;
  auto line = replace_all(std::string(trim(*text)), "\n", " ");
  auto words = split(line, ' ');
  auto n = [&](std::size_t i) { return i < words.size() ? to_int(words[i]).value_or(0) : 0; };
  return Processes{static_cast<int>(n(0)), static_cast<int>(n(2)), static_cast<std::uint64_t>(n(1)),
                   static_cast<std::uint64_t>(n(3))};
}

Fd always_ready() { return Fd(::eventfd(1, EFD_CLOEXEC)); }

class OciContainer final : public Container {
 public:
  using WallClock = std::chrono::system_clock::time_point;
  OciContainer(OciHost host, std::string id) : host_(std::move(host)), id_(std::move(id)), dir_(host_.dir(id_)) {}
  ~OciContainer() override {
    if (!detached_) (void)destroy();
  }
  const std::string& id() const override { return id_; }
  int pid() const override { return who_.pid; }
  int exit_fd() const override { return shim_.get(); }
  Result<int> wait(const Ctx& ctx) override;
  Result<> signal(int number) override;
  Result<int> exec(const Ctx& ctx, const Exec& exec, Streams streams) override {
    TRY_OK(ctx.alive());
    return run_exec(ctx, host_, id_, {who_.pid, who_.pid_start}, exec, streams);
  }
  bool oom_killed() const override {
    if (auto known = oom_.load(); known >= 0) return known == 1;
    return host_.cgroups.oom_killed(cgroup_);
  }
  std::optional<Usage> usage() const override { return host_.cgroups.usage(cgroup_); }
  std::optional<WallClock> finished() const override {
    auto nanos = finished_.load();
    if (nanos == 0) return std::nullopt;
    return WallClock(std::chrono::duration_cast<WallClock::duration>(std::chrono::nanoseconds(nanos)));
  }
  void detach() override {
    detached_ = true;
    if (lifeline_) (void)write_all(lifeline_.get(), "d");
  }
  Result<> destroy() override;
  Result<> finish() override;

  // Takes the processes named in the state file.
  void adopt(const Processes& who) {
    who_ = who;
    init_ = open_process(who.pid, who.pid_start);
    shim_ = open_process(who.shim, who.shim_start);
    if (!shim_) shim_ = init_ ? Fd(::fcntl(init_.get(), F_DUPFD_CLOEXEC, 0)) : always_ready();
  }
  void set_cgroup(std::string group) { cgroup_ = std::move(group); }
  void keep(Fd lifeline) { lifeline_ = std::move(lifeline); }

 private:
  std::optional<int> read_exit();
  void end();
  void end_all() const;
  Result<> unmount();

  OciHost host_;
  std::string id_;
  fs::path dir_;
  std::string cgroup_;
  Processes who_;
  Fd shim_, init_, lifeline_;
  std::atomic<int> oom_ = -1;
  std::atomic<std::int64_t> finished_ = 0;
  std::atomic<bool> detached_ = false;
  std::mutex destroy_;
  bool destroyed_ = false;
};

std::optional<int> OciContainer::read_exit() {
  auto text = read_file(dir_ / "exit", 4096);
  auto parts = text ? cut(trim(*text), " ") : std::nullopt;
  if (!parts) return std::nullopt;
  finished_ = to_int(parts->second).value_or(1);
  if (oom_ < 0) oom_ = host_.cgroups.oom_killed(cgroup_) ? 1 : 0;
  return static_cast<int>(to_int(parts->first).value_or(255));
}

Result<int> OciContainer::wait(const Ctx& ctx) {
  TRY_OK(slipway::wait(ctx, shim_.get(), POLLIN));
  int status = 0;
  if (who_.shim > 0) ::waitpid(who_.shim, &status, WNOHANG);  // ours, unless it was taken over
  if (auto code = read_exit()) return *code;
  // The guardian itself was killed: the container may run on, but how it ends nobody learns.
  if (init_) {
    TRY_OK(slipway::wait(ctx, init_.get(), POLLIN));
  }
  if (auto code = read_exit()) return *code;
  if (finished_ == 0)
    finished_ = std::chrono::duration_cast<std::chrono::nanoseconds>(ctx.clock->wall().time_since_epoch()).count();
  if (oom_ < 0) oom_ = host_.cgroups.oom_killed(cgroup_) ? 1 : 0;
  return 255;
}

Result<> OciContainer::signal(int number) {
  if (!init_) return {};
  if (::syscall(SYS_pidfd_send_signal, init_.get(), number, nullptr, 0) < 0 && errno != ESRCH)
    return fail_errno(errno, fmt::format("signal {} to container {}", number, id_));
  return {};
}

// Kills everything in the group: with the host's pid namespace the first process takes nobody along.
void OciContainer::end_all() const {
  for (const auto& hierarchy : host_.cgroups.hierarchies) {
    auto text = read_file(fs::path(hierarchy.string() + cgroup_) / "cgroup.procs");
    if (!text || cgroup_.empty()) continue;
    for (auto line : lines(*text))
      if (auto pid = to_int(line); pid && *pid > 1) ::kill(static_cast<pid_t>(*pid), SIGKILL);
    return;
  }
}

Result<> OciContainer::unmount() {
  auto merged = dir_ / "rootfs";
  if (::umount2(merged.c_str(), 0) < 0 && errno == EBUSY) ::umount2(merged.c_str(), MNT_DETACH);
  auto about = read_file(dir_ / "about").value_or("");
  auto all = lines(about);
  if (all.size() < 3) return {};
  (void)remove_tree(fs::path(all[2]));
  for (std::size_t i = all.size(); i-- > 3;) {
    auto stub = std::string(all[1]) + std::string(all[i]);
    struct stat st{};
    if (::lstat(stub.c_str(), &st) < 0) continue;
    if (S_ISDIR(st.st_mode))
      ::rmdir(stub.c_str());
    else if (S_ISREG(st.st_mode) && st.st_size == 0)
      ::unlink(stub.c_str());
  }
  return {};
}

// False: somebody stays in the group. A dying process leaves it a moment after its exit is seen.
bool remove_group(const OciHost& host, const std::string& cgroup) {
  bool gone = cgroup.empty() || host.cgroups.remove(cgroup);
  for (int i = 0; !gone && i < 50; ++i) {
    (void)slipway::sleep(Ctx(), Millis(2));
    gone = host.cgroups.remove(cgroup);
  }
  return gone;
}

// The state of a container whose group is gone, or is left to the runtime. Its own `delete` takes 15 ms to do these
// removals; it is asked only where they fail.
Result<> remove_state(const OciHost& host, const std::string& id, bool group_gone) {
  if (!host.native() && (!group_gone || host.name != "runc")) {
    auto argv = host.command(host.dir(id) / "delete.log");
    argv.insert(argv.end(), {"delete", "--force", id});
    (void)slipway::run(Ctx().within(kEnd), Command{.argv = argv});
  }
  TRY_OK(remove_tree(host.root / "runtime" / id));
  return remove_tree(host.dir(id));
}

void OciContainer::end() {
  (void)signal(SIGKILL);
  if (auto r = wait(Ctx().within(kEnd)); !r) LOG(warn, "box.destroy.slow", {"id", id_}, {"error", r.error().what()});
  int status = 0;
  if (who_.shim > 0) ::waitpid(who_.shim, &status, WNOHANG);
  end_all();
}

Result<> OciContainer::destroy() {
  std::lock_guard lock(destroy_);
  if (destroyed_) return {};
  end();
  // The last of the group may still be writing into the root: it is empty before what is mounted goes.
  bool gone = remove_group(host_, cgroup_);
  TRY_OK(unmount());
  TRY_OK_IN(fmt::format("container {}", id_), remove_state(host_, id_, gone));
  destroyed_ = true;
  return {};
}

Result<> OciContainer::finish() {
  std::lock_guard lock(destroy_);
  if (destroyed_) return {};
  end();
  TRY_OK(unmount());
  destroyed_ = true;
  // Not its own handle on the removals: their end waits for this.
  auto host = host_;
  auto removals = std::exchange(host.removals, nullptr);
  removals->later([host = std::move(host), id = id_, cgroup = cgroup_] {
    if (auto r = remove_state(host, id, remove_group(host, cgroup)); !r)
      LOG(warn, "box.remove", {"id", id}, {"error", r.error().what()});
  });
  return {};
}

// The mount points the runtime will have to make: in an upper folder that is kept they are not the command's work.
std::vector<std::string> missing_targets(const Spec& spec, const fs::path& root) {
  std::vector<fs::path> targets{"/proc", "/dev", "/sys"};
  for (const auto& m : spec.mounts) targets.push_back(m.target.lexically_normal());
  std::set<std::string> missing;
  for (const auto& target : targets) {
    fs::path at;
    for (const auto& part : target.relative_path()) {
      at /= part;
      if (!open_beneath(root, at, O_PATH | O_NOFOLLOW)) missing.insert("/" + at.string());
    }
  }
  return {missing.begin(), missing.end()};
}

// The rootfs as it will be seen, mounted where it is an overlay; and the file `about`, which says what goes with the
// container: its group, then the upper folder that is kept, its work folder, and the mount points that are to go.
Result<fs::path> prepare_root(const Spec& spec, const fs::path& dir, const std::string& group) {
  auto about = dir / "about";
  if (!spec.rootfs.empty()) {
    std::error_code error;
    auto path = fs::canonical(spec.rootfs, error);
    if (error)
      return fail(Kind::not_found, "container {}: rootfs {}: {}", spec.id, spec.rootfs.string(), error.message());
    TRY_OK(write_file(about, group));
    return path;
  }
  bool kept = !spec.upper.empty();
  auto upper = kept ? spec.upper : dir / "upper";
  auto work = kept ? fs::path(fmt::format("{}.{}.work", upper.string(), spec.id)) : dir / "work";
  // Nobody goes on with an upper folder after a crash of the machine: no syncs, which would be of the whole disk.
  TRY(auto overlay, Overlay::mount(spec.layers, upper, work, dir / "rootfs", {.throw_away = true}));
  auto text = group;
  if (kept) {
    auto stubs = missing_targets(spec, overlay.merged());
    text += fmt::format("\n{}\n{}\n{}", upper.string(), work.string(), join(stubs, "\n"));
  }
  TRY_OK(write_file(about, text));
  return overlay.release();
}

std::int64_t open_files_max() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::int64_t>(limit.rlim_max) : 0;
}

Result<Fd> high(int fd) {
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
  if (!copy) return fail_errno(errno, "duplicate a stream");
  return copy;
}

struct Spawned {
  int pid = -1;
  Fd report, lifeline;
};

Result<Spawned> spawn_shim(const OciHost& host, const Spec& spec, const fs::path& dir, Streams streams) {
  TRY(auto report, make_pipe());
  TRY(auto lifeline, make_pipe());
  std::string flags = spec.outlives_us ? "-" : "l";
  if (spec.tty) flags += 't';
  std::vector<std::string> argv{host.shim.string(),
                                dir.string(),
                                spec.log.empty() ? "-" : spec.log.string(),
                                std::to_string(spec.log_max_bytes),
                                std::to_string(spec.log_files),
                                flags};
  if (!host.native()) {
    auto command = host.command(dir / "runtime.log");
    argv.insert(argv.end(), command.begin(), command.end());
    argv.insert(argv.end(), {"run", "--detach", "--bundle", dir.string(), "--pid-file", (dir / "pid").string()});
    if (spec.tty) argv.insert(argv.end(), {"--console-socket", "console.sock"});
    argv.push_back(spec.id);
  }

  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int wanted[5] = {streams.in, streams.out, streams.err, report.write.get(), lifeline.read.get()};
  std::vector<Fd> held;  // above the targets, so that no copy overwrites a source
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  Finally free_actions([&] { posix_spawn_file_actions_destroy(&actions); });
  for (int i = 0; i < 5; ++i) {
    TRY(auto fd, high(wanted[i] >= 0 ? wanted[i] : null.get()));
    posix_spawn_file_actions_adddup2(&actions, fd.get(), i);
    held.push_back(std::move(fd));
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, 5);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  Finally free_attributes([&] { posix_spawnattr_destroy(&attributes); });
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  sigset_t none, all;
  sigemptyset(&none), sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  std::vector<char*> list;
  for (auto& s : argv) list.push_back(s.data());
  list.push_back(nullptr);
  Spawned spawned;
  if (int error = ::posix_spawn(&spawned.pid, list[0], &actions, &attributes, list.data(), environ); error != 0)
    return fail_errno(error, host.shim.string());
  spawned.report = std::move(report.read);
  if (!spec.outlives_us) spawned.lifeline = std::move(lifeline.write);
  return spawned;
}

// "ok PID" or "fail STATUS"; "" when the guardian died.
Result<std::string> read_report(const Ctx& ctx, int fd) {
  std::string text;
  while (!text.ends_with('\n')) {
    TRY_OK(slipway::wait(ctx, fd, POLLIN));
    char buffer[64];
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return std::string(trim(text));
}

// Ends a guardian in the middle of a start, and whatever the runtime has made by then.
void abandon(const OciHost& host, const std::string& id, int shim, const fs::path& dir) {
  int status = 0;
  ::kill(-shim, SIGKILL);  // its session: the runtime too
  ::kill(shim, SIGKILL);
  ::waitpid(shim, &status, 0);
  if (host.native()) return;  // what it had started ends with it
  auto argv = host.command(dir / "delete.log");
  argv.insert(argv.end(), {"delete", "--force", id});
  (void)slipway::run(Ctx().within(kEnd), Command{.argv = argv});
}

std::string group_of(const OciHost& host, const Spec& spec) {
  if (!host.limits) return "";
  auto parts = split(spec.cgroup.empty() ? std::string_view("other") : std::string_view(spec.cgroup), '/');
  std::string rest;
  for (std::size_t i = 1; i < parts.size(); ++i) (rest += parts[i]) += '_';
  return fmt::format("{}/{}/{}{}", host.cgroup_root, parts[0], rest, spec.id);
}

Result<> write_bundle(const OciHost& host, const Spec& spec, const fs::path& dir) {
  auto group = group_of(host, spec);
  TRY(auto root, prepare_root(spec, dir, group));
  ConfigInput input;
  TRY(input.user, resolve_user_in(root, spec.user));
  TRY_OK_IN(fmt::format("container {}", spec.id), check_mapped(input.user.uid, input.user.gid));
  input.root = root.string();
  input.cgroup = std::move(group);
  input.rootless = host.rootless;
  input.oom_score_floor = host.oom_score_floor;
  input.open_files_max = open_files_max();
  TRY(auto container, settle(spec, input));
  if (!host.native()) {
    TRY_OK(write_file(dir / "config.json", oci_config(container), 0600));
    return {};
  }
  TRY(auto plan, launch_plan(container, host.cgroups, host.root));
  TRY_OK(write_file(dir / "plan", plan, 0600));
  if (!input.cgroup.empty()) TRY_OK_IN(fmt::format("container {}", spec.id), make_group(host.cgroups, container));
  return {};
}

}  // namespace

Result<std::unique_ptr<Container>> start_container(const Ctx& ctx, const OciHost& host, const Spec& spec,
                                                   Streams streams) {
  auto dir = host.dir(spec.id);
  if (::mkdir(dir.c_str(), 0711) < 0) {
    if (errno == EEXIST) return fail(Kind::conflict, "container {}: exists", spec.id);
    return fail_errno(errno, dir.string());
  }
  auto container = std::make_unique<OciContainer>(host, spec.id);  // from here on its destructor cleans up
  container->adopt({});
  container->set_cgroup(group_of(host, spec));
  TRY_OK(write_bundle(host, spec, dir));
  TRY(auto shim, spawn_shim(host, spec, dir, streams));
  auto report = read_report(ctx, shim.report.get());
  if (!report || report->empty()) {
    abandon(host, spec.id, shim.pid, dir);
    if (!report) return Fail(std::move(report).error());
    return fail(Kind::internal, "container {}: its guardian died at the start", spec.id);
  }
  if (!report->starts_with("ok ")) {
    int status = 0;
    ::waitpid(shim.pid, &status, 0);
    auto code = static_cast<int>(to_int(report->substr(5)).value_or(255));
    return runtime_failed(spec.id, code, dir / "runtime.log");
  }
  auto who = read_state(dir);
  if (!who || who->pid == 0) return fail(Kind::internal, "container {}: no state written", spec.id);
  container->adopt(*who);
  container->keep(std::move(shim.lifeline));
  return std::unique_ptr<Container>(std::move(container));
}

Result<std::unique_ptr<Container>> attach_container(const OciHost& host, const std::string& id) {
  auto dir = host.dir(id);
  auto container = std::make_unique<OciContainer>(host, id);
  auto about = read_file(dir / "about").value_or("");
  container->set_cgroup(about.substr(0, about.find('\n')));
  auto who = read_state(dir);
  // A start that was under way when we died goes on without us.
  for (int i = 0; i < 500 && who && who->pid == 0 && open_process(who->shim, who->shim_start); ++i) {
    (void)slipway::sleep(Ctx(), Millis(10));
    who = read_state(dir);
  }
  container->adopt(who.value_or(Processes{}));
  return std::unique_ptr<Container>(std::move(container));
}

}  // namespace slipway::box
