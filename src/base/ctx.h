#pragma once
// Who asked, until when, by which clock: the first parameter of everything that can block.
#include <chrono>
#include <functional>
#include <stop_token>

#include "base/result.h"

namespace slipway {

using Millis = std::chrono::milliseconds;

// Time as the program sees it; tests own it. Threads: any.
class Clock {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using wall_point = std::chrono::system_clock::time_point;
  virtual ~Clock() = default;
  virtual time_point now() const = 0;
  virtual wall_point wall() const = 0;
  // Blocks until `until` or a stop request; returns at once on a fake clock that was moved past it.
  virtual void sleep_until(const std::stop_token& stop, time_point until) const = 0;
};
const Clock& real_clock();

struct Ctx {
  std::stop_token stop;
  Clock::time_point deadline = Clock::time_point::max();
  const Clock* clock = &real_clock();

  // The same with an earlier deadline; a deadline only ever shrinks.
  Ctx within(Millis limit) const {
    Ctx copy = *this;
    auto now = clock->now();
    if (deadline > now + limit) copy.deadline = now + limit;
    return copy;
  }
  // The same, stopped by another token instead.
  Ctx with_stop(std::stop_token token) const {
    Ctx copy = *this;
    copy.stop = std::move(token);
    return copy;
  }
  // cancelled, then timeout, else fine.
  Result<> alive() const;
  // Milliseconds left, for poll(2) and library timeouts: -1 when there is no deadline, never below 0 else.
  int millis_left() const;
};

// Sleeps on the context's clock. Errors: cancelled, timeout (the deadline came first).
Result<> sleep(const Ctx& ctx, Millis duration);

// Waits until `fd` shows one of `events` (POLLIN ...). Wakes within about 1 ms of a stop request.
Result<> wait(const Ctx& ctx, int fd, short events);

// One stop source that also follows a parent token: stopping the parent stops the child, not the reverse.
// Threads: any.
class ChildStop {
 public:
  explicit ChildStop(std::stop_token parent) : forward_(std::move(parent), Forward{&source_}) {}
  std::stop_token token() const { return source_.get_token(); }
  void request_stop() { source_.request_stop(); }

 private:
  struct Forward {
    std::stop_source* source;
    void operator()() const { source->request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Forward> forward_;
};

}  // namespace slipway
