#pragma once
// Watches over HTTP: streams without a thread each, fed by one after every published group of writes.
#include <thread>

#include "cluster/api/call.h"

namespace slipway::cluster {

// Threads: any.
class Watches {
 public:
  explicit Watches(std::shared_ptr<Machinery> machinery);
  ~Watches();
  net::Response serve(Call& call);
  void wake();  // after a publication
  void stop();  // ends all streams

 private:
  struct Watcher;
  struct Rep;
  static void feed(Rep& rep, Watcher& watcher);
  static void run(Rep& rep);
  std::shared_ptr<Rep> rep_;
  std::thread thread_;
};

}  // namespace slipway::cluster
