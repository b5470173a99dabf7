#pragma once
// Threads that run tasks.
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/guarded.h"

namespace slipway {

// Starts a thread when a task finds none idle, up to `limit`; idle threads leave after a few seconds, so a
// pool costs nothing at rest. The destructor asks tasks to stop (their Ctx) and waits for the threads' ends. Threads:
// any.
class Pool {
 public:
  using Task = std::move_only_function<void(const Ctx&)>;
  explicit Pool(std::size_t limit, std::string name = "pool");
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  void submit(Task task);
  // Stops and waits; later submits are dropped.
  void stop();

 private:
  struct State;
  static void work(State& state, std::thread& self);
  std::unique_ptr<State> state_;
};

// Runs all, at most `width` at once, and waits. The first error stops the rest and is returned.
Result<> run_all(const Ctx& ctx, std::size_t width, std::vector<std::function<Result<>(const Ctx&)>> tasks);

}  // namespace slipway
