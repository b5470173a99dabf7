#include "ci/run/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace slipway::ci {
namespace {

// A process that left children behind keeps the streams open; their output is awaited this long, not for ever.
constexpr int quiet_after_exit_ms = 100;

struct Wake {
  int fd;
  void operator()() const {
    std::uint64_t one = 1;
    (void)!::write(fd, &one, sizeof one);
  }
};

class Pump {
 public:
  Pump(const Ctx& ctx, const Process& process, std::array<int, 2> streams, int exit_fd, const OutputSink& sink,
       const std::function<void(int)>& signal)
      : ctx_(ctx), process_(process), streams_(streams), exit_fd_(exit_fd), sink_(sink), signal_(signal) {
    for (int fd : streams_) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }

  // Until the process has ended and its output is read.
  void run() {
    Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    std::stop_callback stop(ctx_.stop, Wake{wake.get()});
    while (!done()) {
      pollfd watched[4] = {{streams_[0], POLLIN, 0},
                           {streams_[1], POLLIN, 0},
                           {exited_ ? -1 : exit_fd_, POLLIN, 0},
                           {ending_ == 0 ? wake.get() : -1, POLLIN, 0}};
      int ready = ::poll(watched, 4, timeout());
      if (ready == 0 && exited_) return;  // quiet: what is left belongs to processes in the background
      for (int i : {0, 1})
        if (watched[i].revents != 0) read_some(i);
      if (watched[2].revents != 0) exited_ = true;
      if (!exited_) escalate();
    }
  }

 private:
  bool done() const { return exited_ && streams_[0] < 0 && streams_[1] < 0; }

  int timeout() const {
    if (exited_) return quiet_after_exit_ms;
    if (ending_ == 0) return ctx_.millis_left();
    if (ending_ == 3) return -1;
    auto left = std::chrono::duration_cast<Millis>(next_ - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::max<long>(left + 1, 0));
  }

  void escalate() {
    auto now = std::chrono::steady_clock::now();
    auto step = [&](int number, Millis grace) {
      signal_(number);
      ++ending_;
      next_ = now + grace;
    };
    if (ending_ == 0 && !ctx_.alive())
      step(SIGINT, process_.interrupt_grace);
    else if (ending_ == 1 && now >= next_)
      step(SIGTERM, process_.terminate_grace);
    else if (ending_ == 2 && now >= next_)
      step(SIGKILL, Millis(0));
  }

  void read_some(int i) {
    char buffer[65536];
    ssize_t n = ::read(streams_[i], buffer, sizeof buffer);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0)
      streams_[i] = -1;
    else
      sink_(i + 1, std::string_view(buffer, static_cast<std::size_t>(n)));
  }

  const Ctx& ctx_;
  const Process& process_;
  std::array<int, 2> streams_;
  int exit_fd_;
  const OutputSink& sink_;
  const std::function<void(int)>& signal_;
  bool exited_ = false;
  int ending_ = 0;  // signals sent so far: SIGINT, SIGTERM, SIGKILL
  std::chrono::steady_clock::time_point next_;
};

}  // namespace

Result<int> pump(const Ctx& ctx, const Process& process, std::array<int, 2> streams, int exit_fd,
                 const OutputSink& sink, const std::function<void(int)>& signal,
                 const std::function<Result<int>()>& status) {
  Pump(ctx, process, streams, exit_fd, sink, signal).run();
  auto code = status();
  if (auto alive = ctx.alive(); !alive) {
    signal(SIGKILL);  // what the process left in its group; a step that ends by itself may leave servers running
    return Fail(std::move(alive).error());
  }
  return code;
}

}  // namespace slipway::ci
