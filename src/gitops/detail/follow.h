#pragma once
// Following one type for ever.
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "kube/client.h"

namespace slipway::gitops::detail {

// Since when it is known what happens to the objects of a type: of a look that began before, something may have gone
// that no event will tell of. Threads: any.
class Beginning {
 public:
  void note(Clock::time_point now) {
    Clock::time_point::rep none = 0;
    at_.compare_exchange_strong(none, now.time_since_epoch().count());
  }
  bool before(Clock::time_point look) const {
    auto at = at_.load();
    return at != 0 && at < look.time_since_epoch().count();
  }

 private:
  std::atomic<Clock::time_point::rep> at_ = 0;
};
// The thread that follows one type.
struct Follower {
  std::shared_ptr<Beginning> beginning = std::make_shared<Beginning>();
  std::jthread thread;
};
// After which the look is taken again.
inline constexpr Millis look_again{500};

// From the start, and again after a loss with jittered back-off, until the context stops. A version that is too old
// means that events were missed: a gap. It is told at once, and again when the new watch has begun: what goes in
// between tells no event.
template <class OnEvent, class OnGap>
void follow(const Ctx& ctx, kube::Client& client, const kube::Type& type, kube::WatchOptions which,
            const OnEvent& on_event, const OnGap& on_gap, Beginning* beginning = nullptr) {
  Millis pause{50};
  std::string version;
  bool gap = false;
  auto lost = [&](const Error& error) {
    if (!error.is(Kind::conflict) || version.empty()) return false;
    version.clear();
    gap = true;
    on_gap();
    return true;
  };
  while (ctx.alive()) {
    bool at_once = false;
    which.resource_version = version;
    auto watch = client.watch(ctx, type, which);
    if (!watch) at_once = lost(watch.error());
    if (watch && beginning != nullptr) beginning->note(ctx.clock->now());
    while (watch && ctx.alive()) {
      auto event = (*watch)->next(ctx);
      if (!event) {
        at_once = lost(event.error());
        break;
      }
      if (std::exchange(gap, false)) on_gap();
      pause = Millis(50);
      version = event->object.resource_version();
      if (event->type != kube::Event::Type::bookmark) on_event(*event);
    }
    if (at_once) continue;
    auto jitter = static_cast<unsigned char>(random_bytes(1)[0]);
    if (!sleep(ctx, pause + Millis(jitter % 50))) return;
    pause = std::min(pause * 2, Millis(10000));
  }
}

}  // namespace slipway::gitops::detail
