#pragma once
// A clock that only moves when the test says so.
#include <condition_variable>
#include <mutex>

#include "base/ctx.h"

namespace slipway {

class FakeClock final : public Clock {
 public:
  time_point now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  wall_point wall() const override {
    std::lock_guard lock(mutex_);
    return wall_;
  }
  void sleep_until(const std::stop_token& stop, time_point until) const override {
    std::unique_lock lock(mutex_);
    ++sleepers_;
    slept_.notify_all();
    wake_.wait(lock, stop, [&] { return now_ >= until; });
    --sleepers_;
  }
  void advance(Millis by) {
    std::lock_guard lock(mutex_);
    now_ += by, wall_ += by;
    wake_.notify_all();
  }
  // Until `n` threads sleep on this clock.
  void await_sleepers(int n) const {
    std::unique_lock lock(mutex_);
    slept_.wait(lock, [&] { return sleepers_ >= n; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable_any wake_, slept_;
  mutable int sleepers_ = 0;
  time_point now_{std::chrono::hours(1000)};
  wall_point wall_{std::chrono::seconds(1'790'000'000)};
};

}  // namespace slipway
