#pragma once
// Child processes: argv in, output and exit status out; cancelled with the context.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"
#include "base/fd.h"

namespace slipway {

struct Command {
  std::vector<std::string> argv;                          // argv[0] is looked up on PATH
  std::optional<std::map<std::string, std::string>> env;  // the whole environment; absent: ours
  std::map<std::string, std::string> extra_env;           // on top of it
  std::string cwd;                                        // empty: ours
  std::string input;                                      // given on standard input
  Millis grace{2000};                                     // between SIGTERM and SIGKILL on cancel
  std::size_t output_limit = std::size_t{64} << 20;       // further output is dropped
};

struct Output {
  int code = 0;  // exit status, or 128 + signal
  std::string out, err;
  bool ok() const { return code == 0; }
};

// Runs to the end. A non-zero exit is not an Error. Errors: not_found (no such program), cancelled, timeout.
Result<Output> run(const Ctx& ctx, const Command& command);
// The same, but a non-zero exit is an Error that quotes the last lines of stderr.
Result<std::string> run_ok(const Ctx& ctx, const Command& command);

// Called with pieces as they come. stream: 1 stdout, 2 stderr.
using OutputSink = std::function<void(int stream, std::string_view piece)>;
Result<int> run_streaming(const Ctx& ctx, const Command& command, const OutputSink& sink);

// A child with its three streams given by the caller. Killed and reaped if the value goes first. Threads: one.
class Child {
 public:
  struct Streams {
    int in = -1, out = -1, err = -1;  // -1: /dev/null
  };
  static Result<Child> start(const Command& command, Streams streams);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();
  int pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  void signal(int number) const;  // to the child's process group
  // Exit status as in Output::code. On cancel: SIGTERM, grace, SIGKILL, then the error.
  Result<int> wait(const Ctx& ctx);

 private:
  Child(int pid, Fd pidfd, Millis grace) : pid_(pid), pidfd_(std::move(pidfd)), grace_(grace) {}
  int pid_ = -1;
  Fd pidfd_;
  Millis grace_{2000};
};

// The program's place on PATH, if it is there.
std::optional<std::string> find_program(std::string_view name);

}  // namespace slipway
