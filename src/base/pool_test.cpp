#include "base/pool.h"

#include <gtest/gtest.h>

#include <atomic>

namespace slipway {
namespace {

// What a thread keeps for itself, slow to go: a pool that did not wait for it would be gone first.
struct Kept {
  std::atomic<int>* gone = nullptr;
  ~Kept() {
    if (!gone) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++*gone;
  }
};
thread_local Kept kept;

TEST(Pool, OutlivesWhatItsThreadsKeepForThemselves) {
  std::atomic<int> gone = 0, here = 0;
  {
    Pool pool(3);
    for (int i = 0; i < 3; ++i)
      pool.submit([&](const Ctx& ctx) {
        kept.gone = &gone;
        ++here;
        here.notify_all();
        while (ctx.alive() && here < 3) here.wait(here);
      });
    while (here < 3) here.wait(here);
  }
  EXPECT_EQ(gone, 3);
}

}  // namespace
}  // namespace slipway
