#pragma once
// How soon a drifted object is put right: at once the first time, then 2 s, 6 s, 18 s ... up to 5 minutes while
// somebody keeps changing it back (Argo CD's self-heal back-off), so that two controllers do not fight at full speed.
#include <map>
#include <string>

#include "base/guarded.h"

namespace slipway::gitops {

// Threads: any.
class HealPacer {
 public:
  explicit HealPacer(const Clock& clock = real_clock()) : clock_(clock) {}
  // Zero: heal now (and it is counted). Else how long to wait.
  Millis ask(const std::string& object) {
    auto state = state_.lock();
    auto& fights = (*state)[object];
    auto now = clock_.now();
    if (now - fights.last > std::chrono::minutes(10)) fights = {};
    if (fights.next > now) return std::chrono::duration_cast<Millis>(fights.next - now) + Millis(1);
    // Two quick edits in a row are a person's; the back-off starts with the third.
    auto pause = fights.count < 2 ? Millis(0) : Millis(2000);
    for (int i = 2; i < fights.count && pause < Millis(300000); ++i) pause *= 3;
    ++fights.count;
    fights.last = now;
    fights.next = now + std::min(pause, Millis(300000));
    return Millis(0);
  }

 private:
  struct Fights {
    int count = 0;
    Clock::time_point last{}, next{};
  };
  const Clock& clock_;
  Guarded<std::map<std::string, Fights>> state_;
};

}  // namespace slipway::gitops
