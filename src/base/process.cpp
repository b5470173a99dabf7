#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/text.h"

extern char** environ;

namespace slipway {
namespace {

std::vector<std::string> environment(const Command& command) {
  std::map<std::string, std::string> env;
  if (command.env) {
    env = *command.env;
  } else {
    for (char** e = environ; *e != nullptr; ++e) {
      std::string_view entry(*e);
      auto eq = entry.find('=');
      if (eq != std::string_view::npos) env.emplace(entry.substr(0, eq), entry.substr(eq + 1));
    }
  }
  for (const auto& [key, value] : command.extra_env) env[key] = value;
  std::vector<std::string> flat;
  flat.reserve(env.size());
  for (const auto& [key, value] : env) flat.push_back(key + "=" + value);
  return flat;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (auto& s : strings) list.push_back(s.data());
  list.push_back(nullptr);
  return list;
}

int status_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

std::optional<std::string> find_program(std::string_view name) {
  if (name.contains('/'))
    return ::access(std::string(name).c_str(), X_OK) == 0 ? std::optional(std::string(name)) : std::nullopt;
  const char* path = ::getenv("PATH");
  for (auto dir : split(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    auto full = fmt::format("{}/{}", dir, name);
    if (::access(full.c_str(), X_OK) == 0) return full;
  }
  return std::nullopt;
}

Result<Child> Child::start(const Command& command, Streams streams) {
  SLP_ASSERT(!command.argv.empty());
  auto program = find_program(command.argv[0]);
  if (!program) return Fail(Error(Kind::not_found, fmt::format("{}: no such program on PATH", command.argv[0])));
  auto argv = command.argv;
  auto env = environment(command);
  auto argv_list = pointers(argv);
  auto env_list = pointers(env);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  Finally free_actions([&] { posix_spawn_file_actions_destroy(&actions); });
  const int wanted[3] = {streams.in, streams.out, streams.err};
  for (int i = 0; i < 3; ++i) {
    if (wanted[i] >= 0)
      posix_spawn_file_actions_adddup2(&actions, wanted[i], i);
    else
      posix_spawn_file_actions_addopen(&actions, i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  if (!command.cwd.empty()) posix_spawn_file_actions_addchdir_np(&actions, command.cwd.c_str());

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  Finally free_attributes([&] { posix_spawnattr_destroy(&attributes); });
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  pid_t pid = -1;
  int error = ::posix_spawn(&pid, program->c_str(), &actions, &attributes, argv_list.data(), env_list.data());
  if (error != 0)
    return fail_errno(error, command.cwd.empty() ? *program : fmt::format("{} in {}", *program, command.cwd));
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return Child(pid, std::move(pidfd), command.grace);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), grace_(other.grace_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(grace_, other.grace_);
  return *this;
}

Child::~Child() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void Child::signal(int number) const {
  if (pid_ > 0 && ::kill(-pid_, number) < 0) ::kill(pid_, number);
}

Result<int> Child::wait(const Ctx& ctx) {
  auto done = slipway::wait(ctx, pidfd_.get(), POLLIN);
  if (!done) {
    signal(SIGTERM);
    Ctx cleanup;
    if (!slipway::wait(cleanup.within(grace_), pidfd_.get(), POLLIN)) signal(SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno(errno, "waitpid");
  }
  signal(SIGKILL);  // whatever the child left in its group
  pid_ = -1;
  if (!done) return Fail(std::move(done).error());
  return status_code(status);
}

Result<int> run_streaming(const Ctx& ctx, const Command& command, const OutputSink& sink) {
  TRY(auto in, make_pipe());
  TRY(auto out, make_pipe());
  TRY(auto err, make_pipe());
  TRY(auto child, Child::start(command, {in.read.get(), out.write.get(), err.write.get()}));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  if (command.input.empty()) in.write.reset();
  for (int fd : {in.write.get(), out.read.get(), err.read.get()})
    if (fd >= 0) set_nonblocking(fd);

  std::string_view left = command.input;
  char buffer[65536];
  Result<> broken;
  Fd exited(::fcntl(child.pidfd(), F_DUPFD_CLOEXEC, 0));
  while (out.read || err.read) {
    // A grandchild may keep the pipes open after the child is gone: drain what is there, then stop.
    pollfd fds[4] = {{out.read.get(), POLLIN, 0},
                     {err.read.get(), POLLIN, 0},
                     {in.write.get(), POLLOUT, 0},
                     {exited.get(), POLLIN, 0}};
    Fd poke;
    int limit = ctx.millis_left();
    if (limit < 0 || limit > 100) limit = 100;
    int got = ::poll(fds, 4, limit);
    if (auto r = ctx.alive(); !r) {
      broken = std::move(r);
      break;
    }
    bool read_any = false;
    for (int i = 0; i < 2 && got > 0; ++i) {
      auto& fd = i == 0 ? out.read : err.read;
      if (!fd || fds[i].revents == 0) continue;
      auto n = ::read(fd.get(), buffer, sizeof buffer);
      if (n > 0) {
        sink(i + 1, {buffer, static_cast<std::size_t>(n)});
        read_any = true;
      } else if (n == 0) {
        fd.reset();
      }
    }
    if (got > 0 && in.write && fds[2].revents != 0) {
      auto n = ::write(in.write.get(), left.data(), left.size());
      if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
      if (left.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.write.reset();
    }
    if ((fds[3].revents & POLLIN) != 0 && !read_any) break;
  }
  if (!broken) {
    ChildStop stopped({});
    stopped.request_stop();
    Ctx dead;
    dead.stop = stopped.token();
    (void)child.wait(dead);
    return Fail(std::move(broken).error());
  }
  return child.wait(ctx);
}

Result<Output> run(const Ctx& ctx, const Command& command) {
  Output output;
  auto sink = [&](int stream, std::string_view piece) {
    auto& text = stream == 1 ? output.out : output.err;
    if (text.size() < command.output_limit) text.append(piece.substr(0, command.output_limit - text.size()));
  };
  TRY(output.code, run_streaming(ctx, command, sink));
  return output;
}

Result<std::string> run_ok(const Ctx& ctx, const Command& command) {
  TRY(auto output, run(ctx, command));
  if (output.ok()) return std::move(output.out);
  auto said = trim(output.err.empty() ? output.out : output.err);
  if (said.size() > 2000) said = said.substr(said.size() - 2000);
  return fail(Kind::internal, "{}: exit {}: {}", join(command.argv, " "), output.code, said);
}

}  // namespace slipway
