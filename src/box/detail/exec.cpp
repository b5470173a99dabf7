#include "box/detail/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "base/process.h"
#include "base/text.h"
#include "box/detail/launch.h"
#include "box/detail/user.h"
#include "box/detail/userns.h"

namespace slipway::box {
namespace {

// Copies from one descriptor to another until the end, a stop or an error.
void copy(const Ctx& ctx, int from, int to) {
  char buffer[16384];
  while (slipway::wait(ctx, from, POLLIN)) {
    ssize_t n = ::read(from, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return;  // EIO: the last user of the terminal has closed it
    if (to >= 0 && !write_all(to, std::string_view(buffer, static_cast<std::size_t>(n)))) return;
  }
}

struct Terminal {
  Fd master, slave;
};
Result<Terminal> open_terminal() {
  Terminal t;
  t.master = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[128];
  if (!t.master || ::unlockpt(t.master.get()) < 0 || ::ptsname_r(t.master.get(), name, sizeof name) != 0)
    return fail_errno(errno, "open a terminal");
  t.slave = Fd(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!t.slave) return fail_errno(errno, name);
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(t.master.get(), TIOCSWINSZ, &size);
  return t;
}

Result<std::vector<std::string>> arguments(const OciHost& host, const std::string& id, FirstProcess init,
                                           const Container::Exec& exec, const fs::path& folder) {
  auto argv = host.command(folder / "log");
  argv.insert(argv.end(), {"exec", "--pid-file", (folder / "pid").string()});
  if (exec.tty) argv.emplace_back("--tty");
  if (!exec.cwd.empty()) argv.insert(argv.end(), {"--cwd", exec.cwd});
  if (!exec.user.empty()) {
    TRY(auto user, resolve_user_in(fmt::format("/proc/{}/root", init.pid), exec.user));
    TRY_OK(check_mapped(user.uid, user.gid));
    argv.insert(argv.end(), {"--user", fmt::format("{}:{}", user.uid, user.gid)});
  }
  for (const auto& [key, value] : exec.env) argv.insert(argv.end(), {"--env", key + "=" + value});
  argv.push_back(id);
  argv.insert(argv.end(), exec.argv.begin(), exec.argv.end());
  return argv;
}

// What runs the process by the plan of its container.
Result<std::vector<std::string>> own_arguments(const OciHost& host, const std::string& id, FirstProcess init,
                                               const Container::Exec& exec, const fs::path& folder) {
  TRY(auto plan, read_file(host.dir(id) / "plan"));
  Inside inside{.pid = init.pid,
                .started = init.started,
                .argv = exec.argv,
                .env = exec.env,
                .cwd = exec.cwd,
                .user = {},
                .tty = exec.tty};
  if (!exec.user.empty()) {
    TRY(inside.user, resolve_user_in(fmt::format("/proc/{}/root", init.pid), exec.user));
    TRY_OK(check_mapped(inside.user->uid, inside.user->gid));
  }
  TRY_OK(write_file(folder / "plan", plan_inside(plan, inside), 0600));
  return std::vector<std::string>{host.shim.string(), "exec", (folder / "plan").string(), (folder / "log").string(),
                                  (folder / "pid").string()};
}

void end_process(const fs::path& folder) {
  auto pid = to_int(trim(read_file(folder / "pid").value_or("")));
  if (!pid || *pid <= 1) return;
  ::kill(static_cast<pid_t>(*pid), SIGKILL);
}

}  // namespace

Result<int> run_exec(const Ctx& ctx, const OciHost& host, const std::string& id, FirstProcess init,
                     const Container::Exec& exec, Streams streams) {
  if (exec.argv.empty()) return fail(Kind::invalid, "exec in container {}: no command", id);
  TRY(auto folder, TempDir::make_in(host.dir(id), "exec"));
  auto command = host.native() ? own_arguments : arguments;
  TRY(auto argv, command(host, id, init, exec, folder.path()));
  std::optional<Terminal> terminal;
  Child::Streams given{streams.in, streams.out, streams.err};
  if (exec.tty) {
    TRY(terminal, open_terminal());
    given = {terminal->slave.get(), terminal->slave.get(), terminal->slave.get()};
  }
  TRY(auto child, Child::start(Command{.argv = argv, .grace = Millis(0)}, given));
  std::stop_source done;
  std::thread in, out;
  if (terminal) {
    terminal->slave.reset();
    Ctx pump = ctx.with_stop(done.get_token());
    pump.deadline = Clock::time_point::max();
    if (streams.in >= 0) in = std::thread(copy, pump, streams.in, terminal->master.get());
    out = std::thread(copy, Ctx{}, terminal->master.get(), streams.out);
  }
  auto ended = slipway::wait(ctx, child.pidfd(), POLLIN);
  // The process first: the runtime then reaps it and leaves. The other way round it would be an orphan, and its
  // container could not end before somebody had reaped it.
  if (!ended) end_process(folder.path());
  auto code = child.wait(ended ? ctx : Ctx().within(Millis(1000)));
  done.request_stop();
  if (in.joinable()) in.join();
  if (out.joinable()) out.join();
  if (!ended) return Fail(std::move(ended).error());
  if (!code) return code;
  if (*code >= 255 || *code == 1) {
    auto text = last_error(folder.path() / "log");
    if (!text.empty()) return runtime_failed(id, *code, folder.path() / "log");
  }
  return code;
}

}  // namespace slipway::box
