#pragma once
// Rates from counters: remembers what was read when somebody last asked, so that nothing runs while nobody asks.
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"

namespace slipway::cluster {

// Threads: any.
class UsageMeter {
 public:
  struct Rate {
    std::int64_t nanos = 0;  // of core time a second
    Millis window{0};
  };
  // Takes a reading of the counter `id` and gives the rate over the newest window of at least `shortest`. A counter
  // that began less than two minutes ago is known to have been 0 then. Nothing: no earlier reading is of use.
  std::optional<Rate> read(const std::string& id, std::chrono::nanoseconds total, WallTime began, WallTime now,
                           Millis shortest);
  // Forgets what nobody has read for a while.
  void forget(WallTime now);

 private:
  struct Reading {
    WallTime at;
    std::chrono::nanoseconds total;
  };
  std::mutex mutex_;
  std::map<std::string, std::deque<Reading>> readings_;  // oldest first
};

}  // namespace slipway::cluster
