#pragma once
// A job that fills the disk is stopped while there is still room for everybody else.
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::ci {

// Looks at the free space of `folder`'s disk while the job runs: nothing tells of it. Threads: one.
class DiskGuard {
 public:
  // keep_free 0: no guard. `parent`: whose stop is passed on.
  DiskGuard(fs::path folder, std::uint64_t keep_free, std::stop_token parent);
  std::stop_token token() const { return stop_.token(); }
  // Why it stopped the job; "" when it did not. Final once the job has ended.
  std::string why() const;

 private:
  bool is_nearly_full();
  void watch(const std::stop_token& over);

  fs::path folder_;
  std::uint64_t keep_free_;
  ChildStop stop_;
  mutable std::mutex mutex_;
  std::condition_variable_any over_;
  std::string why_;
  std::jthread thread_;
};

}  // namespace slipway::ci
