#pragma once
// The places of the jobs of one run: while a job runs the next one's is made, and what is left of an earlier one goes.
// Making and clearing a container take longer than a short job's commands do.
#include <condition_variable>
#include <memory>
#include <thread>

#include "base/guarded.h"
#include "ci/ready.h"
#include "ci/run/ready_place.h"

namespace slipway::ci {

// Threads: any.
class Places {
 public:
  explicit Places(ReadyPlaces::Options options) : options_(std::move(options)) {}
  ~Places();  // when nothing is left of any of them

  // The one that was made ahead; waits for it while it is being made. Null: there is none.
  std::unique_ptr<ReadyPlace> take();
  // Makes one more in the background, unless one is there.
  void make_next();
  // Takes away what no process is in any more, in the background.
  void clear(std::unique_ptr<ReadyPlace> place);

 private:
  struct State {
    std::unique_ptr<ReadyPlace> next;
    bool wanted = false, over = false;
    std::jthread maker, cleaner;  // start with the first work
  };
  void make();
  void clean();

  ReadyPlaces::Options options_;
  std::stop_source stop_;
  std::condition_variable_any changed_;
  Guarded<State> state_;
  Queue<std::unique_ptr<ReadyPlace>> left_;
};

}  // namespace slipway::ci
