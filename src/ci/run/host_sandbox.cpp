#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "ci/run/pump.h"
#include "ci/run/sandbox.h"

namespace slipway::ci {
namespace {

// No isolation: processes of this host, each in a process group of its own.
class HostSandbox final : public Sandbox {
 public:
  Result<int> run(const Ctx& ctx, const Process& process, const OutputSink& sink) override {
    TRY(auto out, make_pipe());
    TRY(auto err, make_pipe());
    Command command;
    command.argv = process.argv;
    command.env = process.env;
    command.cwd = process.cwd;
    TRY(auto child, Child::start(command, {.in = -1, .out = out.write.get(), .err = err.write.get()}));
    out.write.reset();
    err.write.reset();
    return pump(
        ctx, process, {out.read.get(), err.read.get()}, child.pidfd(), sink, [&](int number) { child.signal(number); },
        [&]() -> Result<int> { return child.wait(Ctx{}); });
  }
  bool isolated() const override { return false; }
  bool alive() override { return true; }
  std::string describe() const override { return "on the host, not isolated"; }
  Result<int> shell(const Ctx& ctx, const Process& process, const Terminal& terminal) override {
    Command command;
    command.argv = process.argv, command.env = process.env, command.cwd = process.cwd;
    TRY(auto child, Child::start(command, {.in = terminal.in, .out = terminal.out, .err = terminal.out}));
    return child.wait(ctx);
  }
  void end() override {}
  void close() override {}
};

}  // namespace

std::unique_ptr<Sandbox> open_host_sandbox(const SandboxOptions&) { return std::make_unique<HostSandbox>(); }

}  // namespace slipway::ci
