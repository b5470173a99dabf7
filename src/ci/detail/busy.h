#pragma once
// How much of a run is under way. A run in which everything that is left waits for people is not kept in memory: it is
// put aside, and taken up again when somebody has decided. Private to ci.
#include <atomic>
#include <stop_token>

namespace slipway::ci {

// A coordinator holds one unit while it decides what is next, each leg one from its making until its end has been
// taken note of; a leg that waits for people gives its own away meanwhile. Threads: any.
class Busy {
 public:
  void begin() { ++count_; }
  void end(int units = 1) {
    if (units > 0 && (count_ -= units) == 0) idle_.request_stop();
  }
  // Stopped once nothing was under way.
  std::stop_token idle() const { return idle_.get_token(); }

 private:
  std::atomic<int> count_ = 0;
  std::stop_source idle_;
};

}  // namespace slipway::ci
