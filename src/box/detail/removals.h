#pragma once
// What is left of a container that has ended - its groups, its folder - goes while the next one starts.
#include <deque>
#include <functional>

#include "base/guarded.h"
#include "base/pool.h"

namespace slipway::box {

// Threads: any. The destructor does what is left to do: nothing stays behind but after a kill, and then the next start
// finds it among the survivors.
class Removals {
 public:
  Removals() = default;
  ~Removals() {
    pool_.stop();
    settle();
  }
  Removals(const Removals&) = delete;
  Removals& operator=(const Removals&) = delete;
  void later(std::function<void()> removal) {
    all_.lock()->pending.push_back(std::move(removal));
    pool_.submit([this](const Ctx&) { one(); });
  }
  // Returns when all that were asked for so far are done.
  void settle() {
    while (one()) {
    }
    auto all = all_.lock();
    (void)all.wait(Ctx(), done_, [&] { return all->running == 0; });
  }

 private:
  struct All {
    std::deque<std::function<void()>> pending;
    int running = 0;
  };
  bool one() {
    std::function<void()> removal;
    {
      auto all = all_.lock();
      if (all->pending.empty()) return false;
      removal = std::move(all->pending.front());
      all->pending.pop_front();
      ++all->running;
    }
    removal();
    --all_.lock()->running;
    done_.notify_all();
    return true;
  }
  Guarded<All> all_;
  std::condition_variable_any done_;
  Pool pool_{1, "removals"};
};

}  // namespace slipway::box
