#include "ci/observe/tracer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "base/files.h"
#include "base/paths.h"
#include "base/text.h"
#include "ci/observe/recorder.h"
#include "ci/steward/traced_calls.h"

// Linux 6.6; the headers may be older. The one that waits is woken on this very core: half the time.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace slipway::ci {
namespace {

constexpr std::size_t max_path = 4096;
constexpr std::uint64_t page = 4096;

#if defined __x86_64__
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
constexpr int x32_bit = 0x40000000;
#elif defined __aarch64__
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
constexpr int x32_bit = 0;
#endif

// The memory of a process that waits. Nothing: it cannot be read.
std::optional<std::string> bytes_of(pid_t pid, std::uint64_t address, std::size_t size) {
  std::string out(size, '\0');
  iovec local{out.data(), size}, remote{reinterpret_cast<void*>(address), size};
  auto n = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
  if (n < 0) return {};
  out.resize(static_cast<std::size_t>(n));
  return out;
}

// A text that ends with NUL, a page at a time: what follows it may not be there.
std::optional<std::string> text_of(pid_t pid, std::uint64_t address) {
  std::string out;
  while (out.size() < max_path) {
    auto piece = bytes_of(pid, address, std::min<std::size_t>(page - address % page, max_path - out.size()));
    if (!piece || piece->empty()) return {};
    auto end = piece->find('\0');
    out += piece->substr(0, end);
    if (end != std::string::npos) return out;
    address += piece->size();
  }
  return {};
}

template <class T>
std::optional<T> value_of(pid_t pid, std::uint64_t address) {
  auto bytes = bytes_of(pid, address, sizeof(T));
  if (!bytes || bytes->size() != sizeof(T)) return {};
  T out;
  std::memcpy(&out, bytes->data(), sizeof out);
  return out;
}

std::optional<std::string> link_of(const std::string& path) {
  std::string out(max_path, '\0');
  auto n = ::readlink(path.c_str(), out.data(), out.size());
  if (n < 0) return {};
  out.resize(static_cast<std::size_t>(n));
  return out;
}

std::string tidy(std::string_view path) { return "/" + clean_path(path); }

// How a call names its path, and what it does there.
enum class Does : std::uint8_t {
  open,
  open2,
  create,
  look,
  list,
  enter,
  run,
  make,
  move,
  link,
  symlink,
  remove,
  change
};
struct Call {
  int number;
  Does does;
  int folder, path;  // arguments; folder -1: none; list: `path` is the descriptor
  int flags = -1;
};
constexpr Call calls[] = {
#ifdef SYS_open
    {SYS_open, Does::open, -1, 0, 1},       {SYS_creat, Does::create, -1, 0},
    {SYS_stat, Does::look, -1, 0},          {SYS_lstat, Does::look, -1, 0},
    {SYS_access, Does::look, -1, 0},        {SYS_readlink, Does::look, -1, 0},
    {SYS_getdents, Does::list, -1, 0},      {SYS_rename, Does::move, -1, 0},
    {SYS_renameat, Does::move, 0, 1},       {SYS_unlink, Does::remove, -1, 0},
    {SYS_rmdir, Does::remove, -1, 0},       {SYS_mkdir, Does::make, -1, 0},
    {SYS_mknod, Does::make, -1, 0},         {SYS_link, Does::link, -1, 0},
    {SYS_symlink, Does::symlink, -1, 1},    {SYS_chmod, Does::change, -1, 0},
    {SYS_chown, Does::change, -1, 0},       {SYS_lchown, Does::change, -1, 0},
    {SYS_utime, Does::change, -1, 0},       {SYS_utimes, Does::change, -1, 0},
    {SYS_futimesat, Does::change, 0, 1},
#endif
    {SYS_openat, Does::open, 0, 1, 2},      {SYS_openat2, Does::open2, 0, 1, 2},
    {SYS_newfstatat, Does::look, 0, 1},     {SYS_statx, Does::look, 0, 1},
    {SYS_faccessat, Does::look, 0, 1},      {SYS_faccessat2, Does::look, 0, 1},
    {SYS_readlinkat, Does::look, 0, 1},     {SYS_getxattr, Does::look, -1, 0},
    {SYS_lgetxattr, Does::look, -1, 0},     {SYS_name_to_handle_at, Does::look, 0, 1},
    {SYS_chdir, Does::enter, -1, 0},        {SYS_getdents64, Does::list, -1, 0},
    {SYS_execve, Does::run, -1, 0},         {SYS_execveat, Does::run, 0, 1},
    {SYS_mkdirat, Does::make, 0, 1},        {SYS_mknodat, Does::make, 0, 1},
    {SYS_renameat2, Does::move, 0, 1},      {SYS_linkat, Does::link, 0, 1},
    {SYS_symlinkat, Does::symlink, 1, 2},   {SYS_unlinkat, Does::remove, 0, 1},
    {SYS_fchmodat, Does::change, 0, 1},     {SYS_fchownat, Does::change, 0, 1},
    {SYS_utimensat, Does::change, 0, 1},    {SYS_truncate, Does::change, -1, 0},
    {SYS_setxattr, Does::change, -1, 0},    {SYS_lsetxattr, Does::change, -1, 0},
    {SYS_removexattr, Does::change, -1, 0}, {SYS_lremovexattr, Does::change, -1, 0},
};

// One call of a waiting process, turned into what the recorder wants to know.
class Asked {
 public:
  Asked(const seccomp_notif& call, int root, Recorder& recorder)
      : call_(call), pid_(static_cast<pid_t>(call.pid)), root_(root), recorder_(recorder) {}

  void note() {
    if (call_.data.arch != own_architecture || (x32_bit != 0 && (call_.data.nr & x32_bit) != 0))
      return recorder_.open_end(fmt::format("{} is a program of another architecture", program()));
    switch (call_.data.nr) {
      case SYS_connect:
        return address(value(1), value(2));
      case SYS_sendto:
        return address(value(4), value(5));
      case SYS_sendmsg:
        return message(value(1));
      case SYS_sendmmsg:
        for (std::uint64_t i = 0; i < std::min<std::uint64_t>(value(2), UIO_MAXIOV); ++i)
          message(value(1) + i * sizeof(mmsghdr));  // begins with the header
        return;
      default:
        break;
    }
    for (auto& known : calls)
      if (known.number == call_.data.nr) return file(known);
  }

 private:
  std::uint64_t value(int index) const { return index < 0 ? 0 : call_.data.args[index]; }
  std::string program() const {
    auto name = read_file(fmt::format("/proc/{}/comm", pid_), 256).value_or("a program");
    return std::string(trim(name));
  }

  // Absolute, as the process sees it. Nothing: an empty path (a descriptor that was asked about before), or none.
  std::optional<std::string> path_at(int folder, std::uint64_t address) {
    auto text = text_of(pid_, address);
    if (!text) {
      if (address != 0) recorder_.open_end(fmt::format("{} cannot be followed", program()));
      return {};
    }
    if (text->empty()) return {};
    if (text->starts_with('/')) return canonical(*text);
    auto fd = folder < 0 ? AT_FDCWD : static_cast<int>(value(folder));
    auto base = link_of(fd == AT_FDCWD ? fmt::format("/proc/{}/cwd", pid_) : fmt::format("/proc/{}/fd/{}", pid_, fd));
    if (!base || !base->starts_with('/')) return {};
    return canonical(*base + "/" + *text);
  }

  // Where ".." comes after a name that may be a link, the kernel is asked what it means.
  std::string canonical(const std::string& path) const {
    auto plain = tidy(path);
    if (!path.contains("..")) return plain;
    auto slash = path.rfind('/');
    auto name = path.substr(slash + 1);
    auto real = real_path(name == ".." ? path : path.substr(0, slash));
    if (!real) return plain;
    return name == ".." || name == "." ? *real : tidy(*real + "/" + name);
  }

  // Links lead where they lead the process.
  Fd open_inside(const std::string& path, int flags) const {
    open_how how{.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC), .mode = 0, .resolve = RESOLVE_IN_ROOT};
    return Fd(static_cast<int>(::syscall(SYS_openat2, root_, path.c_str(), &how, sizeof how)));
  }
  // Without links. Nothing: it is not there.
  std::optional<std::string> real_path(const std::string& path) const {
    auto fd = open_inside(path, O_PATH);
    auto real = fd ? link_of(fmt::format("/proc/self/fd/{}", fd.get())) : std::nullopt;
    return real && real->starts_with('/') ? real : std::nullopt;
  }
  bool exists(const std::string& path) const { return static_cast<bool>(open_inside(path, O_PATH | O_NOFOLLOW)); }

  void file(const Call& known) {
    if (known.does == Does::list) {
      auto path = link_of(fmt::format("/proc/{}/fd/{}", pid_, static_cast<int>(value(known.path))));
      if (path && path->starts_with('/')) recorder_.saw(Look::names, *path);
      return;
    }
    auto path = path_at(known.folder, value(known.path));
    if (!path) return;
    switch (known.does) {
      case Does::open:
        return open(*path, value(known.flags));
      case Does::open2:
        return open(*path, value_of<open_how>(pid_, value(known.flags)).value_or(open_how{}).flags);
      case Does::create:
        return open(*path, O_WRONLY | O_CREAT | O_TRUNC);
      case Does::run:
        return run(*path);
      case Does::make:
      case Does::symlink:
        recorder_.saw(Look::presence, *path);
        if (!exists(*path)) wrote(*path);
        return;
      case Does::move:
      case Does::link:
        return move(known, *path);
      case Does::remove:
        recorder_.saw(Look::presence, *path);
        return wrote(*path);
      case Does::change:
        saw(Look::content, *path);
        return wrote_into(*path);
      default:
        return saw(Look::meta, *path);
    }
  }

  void open(const std::string& path, std::uint64_t flags) {
    if ((flags & O_TMPFILE) == O_TMPFILE) return;
    if ((flags & (O_PATH | O_DIRECTORY)) != 0) return saw(Look::meta, path);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    saw(writes && (flags & O_TRUNC) != 0 ? Look::presence : Look::content, path);
    if (writes) wrote_into(path);
  }

  // The kernel opens the interpreter of a script by itself.
  void run(const std::string& path) {
    saw(Look::content, path);
    auto fd = open_inside(path, O_RDONLY | O_NONBLOCK);
    char head[256];
    auto n = fd ? ::read(fd.get(), head, sizeof head) : -1;
    if (n < 3 || head[0] != '#' || head[1] != '!') return;
    std::string_view line(head + 2, static_cast<std::size_t>(n) - 2);
    line = trim(line.substr(0, line.find('\n')));
    auto interpreter = line.substr(0, line.find_first_of(" \t"));
    if (interpreter.starts_with('/')) saw(Look::content, tidy(interpreter));
  }

  void move(const Call& known, const std::string& from) {
    auto to = known.folder < 0 ? path_at(-1, value(1)) : path_at(2, value(3));
    recorder_.saw(Look::whole, from);
    if (known.does == Does::move) wrote(from);
    if (!to) return;
    recorder_.saw(Look::presence, *to);
    wrote(*to);
  }

  // A name: under it, and where a link on the way to it leads.
  void wrote(const std::string& path) {
    recorder_.wrote(path);
    auto slash = path.rfind('/');
    auto folder = real_path(path.substr(0, std::max<std::size_t>(slash, 1)));
    if (folder && *folder != path.substr(0, slash)) recorder_.wrote(tidy(*folder + path.substr(slash)));
  }
  // A file: under its name, and the one that a link of this name means.
  void wrote_into(const std::string& path) {
    auto file = real_path(path);
    if (file && *file != path) recorder_.wrote(*file);
    if (!file && exists(path)) recorder_.open_end(fmt::format("{} writes through a link to nothing", program()));
    wrote(path);
  }

  // What the job made itself may be a link to what it did not make.
  void saw(Look look, const std::string& path) {
    if (!recorder_.made_by_job(path)) return recorder_.saw(look, path);
    if (auto real = real_path(path); real && *real != path) recorder_.saw(look, *real);
  }

  void message(std::uint64_t address_of_header) {
    auto header = value_of<msghdr>(pid_, address_of_header);
    if (header && header->msg_name) address(reinterpret_cast<std::uint64_t>(header->msg_name), header->msg_namelen);
  }

  void address(std::uint64_t at, std::uint64_t size) {
    if (at == 0) return;
    auto bytes = bytes_of(pid_, at, std::min<std::uint64_t>(size, sizeof(sockaddr_storage)));
    if (!bytes || bytes->size() < sizeof(sa_family_t)) return;
    sockaddr_storage storage{};
    std::memcpy(&storage, bytes->data(), bytes->size());
    char text[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
      recorder_.talks(program(), text, ntohs(v4.sin_port), ntohl(v4.sin_addr.s_addr) >> 24 == 127);
    } else if (storage.ss_family == AF_INET6) {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
      recorder_.talks(program(), text, ntohs(v6.sin6_port), IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr));
    } else if (storage.ss_family == AF_UNIX) {
      local(bytes->substr(sizeof(sa_family_t)));
    }
  }

  // A socket in the file system is a service of the machine, if it is there at all.
  void local(std::string name) {
    name = name.c_str();
    if (!name.starts_with('/') || name.starts_with("/tmp/") || name.starts_with("/home/") || !exists(tidy(name)))
      return;
    recorder_.open_end(fmt::format("{} talks to {}", program(), name));
  }

  const seccomp_notif& call_;
  pid_t pid_;
  int root_;
  Recorder& recorder_;
};

}  // namespace

Tracer::Tracer(Fd channel, Recorder& recorder) : channel_(std::move(channel)), recorder_(recorder) {
  thread_ = std::thread([this] {
    serve();
    ending_.set_value();
  });
}
Tracer::~Tracer() { thread_.join(); }

void Tracer::serve() {
  ::prctl(PR_SET_NAME, "ci-tracer");
  auto listener = receive_listener();
  if (!listener) return recorder_.open_end("a step could not be followed: this kernel does not let us");
  answer_all(listener.get());
}

Fd Tracer::receive_listener() {
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  ssize_t n;
  while ((n = ::recvmsg(channel_.get(), &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  auto* c = n == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int))) return {};
  int fd;
  std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
  return Fd(fd);
}

void Tracer::answer_all(int listener) {
  (void)::ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1);
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return;
  std::vector<std::uint64_t> call_room(sizes.seccomp_notif / 8 + 1), answer_room(sizes.seccomp_notif_resp / 8 + 1);
  auto& call = *reinterpret_cast<seccomp_notif*>(call_room.data());
  auto& answer = *reinterpret_cast<seccomp_notif_resp*>(answer_room.data());
  for (pollfd watched{listener, POLLIN, 0};;) {
    watched.revents = 0;
    if (::poll(&watched, 1, -1) < 0 && errno != EINTR) return;
    if ((watched.revents & POLLIN) == 0) {
      if ((watched.revents & (POLLHUP | POLLERR)) != 0) return;
      continue;
    }
    std::fill(call_room.begin(), call_room.end(), 0);
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) continue;  // it was killed meanwhile
    note(call);
    std::fill(answer_room.begin(), answer_room.end(), 0);
    answer.id = call.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

void Tracer::note(const seccomp_notif& call) {
  if (!root_) root_ = Fd(::open(fmt::format("/proc/{}/root", call.pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Asked(call, root_.get(), recorder_).note();
}

}  // namespace slipway::ci
