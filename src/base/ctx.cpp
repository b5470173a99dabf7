#include "base/ctx.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "base/fd.h"

namespace slipway {
namespace {

class RealClock final : public Clock {
 public:
  time_point now() const override { return std::chrono::steady_clock::now(); }
  wall_point wall() const override { return std::chrono::system_clock::now(); }
  void sleep_until(const std::stop_token& stop, time_point until) const override {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_until(lock, stop, until, [] { return false; });
  }
};

}  // namespace

const Clock& real_clock() {
  // Never destroyed: threads that end during exit still ask it.
  static const auto* clock = new RealClock;
  return *clock;
}

Result<> Ctx::alive() const {
  if (stop.stop_requested()) return fail(Kind::cancelled, "cancelled");
  if (deadline != Clock::time_point::max() && clock->now() >= deadline) return fail(Kind::timeout, "deadline passed");
  return {};
}

int Ctx::millis_left() const {
  if (deadline == Clock::time_point::max()) return -1;
  auto left = std::chrono::duration_cast<Millis>(deadline - clock->now()).count();
  if (left < 0) return 0;
  return left > 1'000'000'000 ? 1'000'000'000 : static_cast<int>(left) + 1;
}

Result<> sleep(const Ctx& ctx, Millis duration) {
  TRY_OK(ctx.alive());
  auto until = ctx.clock->now() + duration;
  ctx.clock->sleep_until(ctx.stop, std::min(until, ctx.deadline));
  return until <= ctx.deadline && !ctx.stop.stop_requested() ? Result<>{} : ctx.alive();
}

Result<> wait(const Ctx& ctx, int fd, short events) {
  TRY_OK(ctx.alive());
  Fd poke;
  if (ctx.stop.stop_possible()) poke = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::stop_callback wake(ctx.stop, [&] {
    std::uint64_t one = 1;
    if (poke) (void)!::write(poke.get(), &one, sizeof one);
  });
  for (;;) {
    pollfd fds[2] = {{fd, events, 0}, {poke.get(), POLLIN, 0}};
    int got = ::poll(fds, poke ? 2 : 1, ctx.millis_left());
    if (got < 0 && errno != EINTR) return fail_errno(errno, "poll");
    if (got > 0 && fds[0].revents != 0) return {};
    TRY_OK(ctx.alive());
  }
}

}  // namespace slipway
