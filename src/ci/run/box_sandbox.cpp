#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "ci/observe/recorder.h"
#include "ci/run/host_view.h"
#include "ci/run/pump.h"
#include "ci/run/sandbox.h"

namespace slipway::ci {

std::string_view steward_bytes();

namespace {

struct Header {
  std::uint32_t kind, id, size;
};
constexpr std::uint32_t start_kind = 1, signal_kind = 2, exited_kind = 3;

// One running process: its end is told by an event.
struct Pending {
  Fd ended;
  int status = 0, error = 0;
  bool lost = false;
};

// One container for the job; its first process (steward/steward.cpp) starts the steps. Threads: any.
class BoxSandbox final : public Sandbox {
 public:
  BoxSandbox(std::unique_ptr<box::Container> container, Fd socket, std::string description)
      : container_(std::move(container)), socket_(std::move(socket)), description_(std::move(description)) {
    reader_ = std::thread([this] { listen(); });
  }
  ~BoxSandbox() override { close(); }

  Result<int> run(const Ctx& ctx, const Process& process, const OutputSink& sink) override {
    TRY_OK(ctx.alive());
    TRY(auto out, make_pipe());
    TRY(auto err, make_pipe());
    auto pending = std::make_shared<Pending>();
    pending->ended = Fd(::eventfd(0, EFD_CLOEXEC));
    auto id = add(pending);
    std::vector<int> given = {out.write.get(), err.write.get()};
    Fd listener;
    if (process.recorder) {
      TRY(listener, process.recorder->follow());
      given.push_back(listener.get());
    }
    auto sent = send_start(id, process, given);
    listener.reset();
    out.write.reset();
    err.write.reset();
    auto result = sent ? pump(
                             ctx, process, {out.read.get(), err.read.get()}, pending->ended.get(), sink,
                             [&](int number) { send_signal(id, number); }, [&] { return outcome(*pending, process); })
                       : Result<int>(Fail(sent.error()));
    state_.lock()->pending.erase(id);
    return result;
  }

  bool isolated() const override { return true; }
  bool watches() const override { return true; }
  bool alive() override { return !state_.lock()->lost; }
  std::string describe() const override { return description_; }
  Fd root() const override {
    if (!container_) return {};
    return Fd(::open(fmt::format("/proc/{}/root", container_->pid()).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  Result<int> shell(const Ctx& ctx, const Process& process, const Terminal& terminal) override {
    box::Container::Exec exec{.argv = process.argv, .env = process.env, .cwd = process.cwd, .user = {}, .tty = true};
    return container_->exec(ctx, exec, {.in = terminal.in, .out = terminal.out, .err = terminal.out});
  }

  void end() override {
    if (!container_) return;
    if (auto killed = container_->signal(SIGKILL); !killed) return report_leftover(killed.error());
    (void)container_->wait(Ctx{}.within(Millis(10000)));
  }

  void close() override {
    if (!container_) return;
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (reader_.joinable()) reader_.join();
    if (auto r = container_->destroy(); !r) report_leftover(r.error());
    container_.reset();
  }

 private:
  struct State {
    std::map<std::uint32_t, std::shared_ptr<Pending>> pending;
    std::uint32_t next = 1;
    bool lost = false;
  };
  static void report_leftover(const Error& error);

  std::uint32_t add(const std::shared_ptr<Pending>& pending) {
    auto state = state_.lock();
    auto id = state->next++;
    state->pending[id] = pending;
    if (state->lost) finish(*pending, true);
    return id;
  }

  static void finish(Pending& pending, bool lost) {
    pending.lost = lost;
    std::uint64_t one = 1;
    (void)!::write(pending.ended.get(), &one, sizeof one);
  }

  Result<int> outcome(const Pending& pending, const Process& process) {
    auto state = state_.lock();
    if (pending.lost) {
      bool memory = container_->oom_killed();
      return fail(Kind::unavailable, "the job's container ended while \"{}\" ran{}", process.argv[0],
                  memory ? ": out of memory" : "");
    }
    if (pending.error == ENOENT || pending.error == EACCES)
      return fail(Kind::not_found, "{}: {} (working directory {})", process.argv[0], std::strerror(pending.error),
                  process.cwd);
    if (pending.error == EAGAIN)
      return fail(Kind::unavailable, "{}: the job has reached its limit of processes", process.argv[0]);
    if (pending.error != 0) return fail_errno(pending.error, process.argv[0]);
    return pending.status;
  }

  Result<> send_start(std::uint32_t id, const Process& process, const std::vector<int>& fds) {
    std::string bytes = process.cwd;
    bytes += '\0';
    bytes += std::to_string(process.argv.size());
    bytes += '\0';
    for (auto& argument : process.argv) bytes += argument, bytes += '\0';
    for (auto& [key, value] : process.env) bytes += key + "=" + value, bytes += '\0';
    Header header{start_kind, id, static_cast<std::uint32_t>(bytes.size())};
    iovec part{&header, sizeof header};
    auto size = fds.size() * sizeof(int);
    alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = CMSG_SPACE(size);
    auto* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(c), fds.data(), size);
    std::lock_guard lock(sending_);
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof header))
      return fail(Kind::unavailable, "the job's container does not take steps any more");
    return send_all(bytes);
  }

  void send_signal(std::uint32_t id, int number) {
    auto value = static_cast<std::int32_t>(number);
    Header header{signal_kind, id, sizeof value};
    std::lock_guard lock(sending_);
    if (send_all({reinterpret_cast<const char*>(&header), sizeof header}))
      (void)send_all({reinterpret_cast<const char*>(&value), sizeof value});
  }

  Result<> send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      auto n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return fail(Kind::unavailable, "the job's container does not take steps any more");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  void listen() {
    Header header;
    for (;;) {
      ssize_t n = ::recv(socket_.get(), &header, sizeof header, MSG_WAITALL);
      if (n < 0 && errno == EINTR) continue;
      if (n != static_cast<ssize_t>(sizeof header)) break;
      auto state = state_.lock();
      auto found = state->pending.find(header.id);
      if (found == state->pending.end()) continue;
      (header.kind == exited_kind ? found->second->status : found->second->error) = static_cast<int>(header.size);
      finish(*found->second, false);
    }
    auto state = state_.lock();
    state->lost = true;
    for (auto& [id, pending] : state->pending) finish(*pending, true);
  }

  std::unique_ptr<box::Container> container_;
  Fd socket_;
  std::string description_;
  std::thread reader_;
  std::mutex sending_;
  Guarded<State> state_;
};

void BoxSandbox::report_leftover(const Error& error) { LOG(warn, "ci.container.left", {"error", error.what()}); }

// In the container's own /dev: a mount point in its root would be one more file of the disk.
constexpr std::string_view steward_inside = "/dev/.slipway-steward";

// One file for all jobs, which see it read-only.
Result<fs::path> steward_file(const fs::path& root) {
  static const std::string name = "steward-" + sha256_hex(steward_bytes()).substr(0, 12);
  auto file = root / name;
  if (!path_exists(file)) TRY_OK(write_file(file, steward_bytes(), 0755));
  return file;
}

std::string names_of(const SandboxOptions& options) {
  std::string out;
  for (auto& name : options.host_names) out += " " + name;
  return out;
}

}  // namespace

Result<std::unique_ptr<Sandbox>> open_box_sandbox(const Ctx& ctx, box::Runtime& runtime,
                                                  const SandboxOptions& options) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return fail_errno(errno, "open a socket pair for a job");
  Fd ours(pair[0]), theirs(pair[1]);
  TRY(auto steward, steward_file(options.home.parent_path().parent_path()));
  box::Spec spec;
  spec.id = options.id;
  bool image = !options.layers.empty();
  spec.layers = options.layers;
  if (!image) {
    TRY_OK(show_host(spec, options.hide, runtime.rootless(), options.home.parent_path() / "host"));
  }
  spec.upper = options.upper;
  spec.argv = {std::string(steward_inside)};
  spec.env = options.env;
  spec.cwd = "/";
  spec.user = options.user;
  spec.mounts.push_back({.source = options.home, .target = fs::path(home_inside)});
  spec.mounts.push_back({.source = steward, .target = fs::path(steward_inside), .read_only = true});
  // An image has no resolver of its own; the network is the host's.
  if (image && options.network == box::Network::host && path_exists("/etc/resolv.conf"))
    spec.mounts.push_back({.source = "/etc/resolv.conf", .target = "/etc/resolv.conf", .read_only = true});
  // The container's own name resolves.
  auto hosts = options.home.parent_path() / "hosts";
  TRY_OK(write_file(
      hosts, (image ? "127.0.0.1 localhost\n" : read_file("/etc/hosts", 1 << 20).value_or("127.0.0.1 localhost\n")) +
                 "\n127.0.0.1 runner" + names_of(options) + "\n"));
  spec.mounts.push_back({.source = hosts, .target = "/etc/hosts"});
  spec.mounts.insert(spec.mounts.end(), options.mounts.begin(), options.mounts.end());
  spec.limits = options.limits;
  spec.network = options.network;
  spec.netns = options.netns;
  spec.hostname = "runner";
  spec.cgroup = "ci/" + options.id;
  TRY_IN(auto container, "start the job's container",
         runtime.start(ctx, spec, {.in = theirs.get(), .out = -1, .err = -1}));
  auto description =
      fmt::format("in a container ({}, {})", runtime.describe(), image ? "image" : "copy-on-write view of the host");
  return std::make_unique<BoxSandbox>(std::move(container), std::move(ours), std::move(description));
}

}  // namespace slipway::ci
