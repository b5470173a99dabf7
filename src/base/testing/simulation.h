#pragma once
// What every simulated world is made of: one seed, and time that passes when told to.
#include <random>

#include "base/ctx.h"

namespace slipway {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : engine_() % n; }
  bool chance(unsigned in_thousand) { return below(1000) < in_thousand; }
  template <class List>
  auto& pick(List& list) {
    return *std::next(list.begin(), static_cast<std::ptrdiff_t>(below(list.size())));
  }

 private:
  std::mt19937_64 engine_;
};

// Moves when told to, and by whoever sleeps.
class SimClock final : public Clock {
 public:
  time_point now() const override { return time_point(Millis(1'000'000) + passed_); }
  wall_point wall() const override { return wall_point(Millis(1'800'000'000'000) + passed_); }
  void sleep_until(const std::stop_token&, time_point until) const override {
    if (until > now()) passed_ += std::chrono::ceil<Millis>(until - now());
  }
  void advance(Millis by) { passed_ += by; }

 private:
  mutable Millis passed_{0};
};

}  // namespace slipway
