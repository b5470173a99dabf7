#pragma once
// Answers the questions that a traced step's processes ask before they look at a file or connect somewhere (seccomp
// user notification): notes what is asked, and always lets them go on.
#include <future>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/time.h"

struct seccomp_notif;

namespace slipway::ci {

class Recorder;

// One step's processes, however many they become. Ends by itself when the last one is gone. Threads: its own.
class Tracer {
 public:
  // `channel`: where the listener comes from.
  Tracer(Fd channel, Recorder& recorder);
  ~Tracer();  // waits for the end of the processes
  // Whether they have all ended, within some time.
  bool ended(Millis within) const { return end_.wait_for(within) == std::future_status::ready; }

 private:
  void serve();
  Fd receive_listener();
  void answer_all(int listener);
  void note(const seccomp_notif& call);

  Fd channel_;
  Recorder& recorder_;
  Fd root_;  // of the container
  std::promise<void> ending_;
  std::future<void> end_ = ending_.get_future();
  std::thread thread_;
};

}  // namespace slipway::ci
