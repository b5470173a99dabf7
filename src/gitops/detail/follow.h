#pragma once
// Following one type for ever.
#include "base/hash.h"
#include "kube/client.h"

namespace slipway::gitops::detail {

// From the start, and again after a loss with jittered back-off, until the context stops. A version that is too old
// means that events were missed: a gap.
template <class OnEvent, class OnGap>
void follow(const Ctx& ctx, kube::Client& client, const kube::Type& type, kube::WatchOptions which,
            const OnEvent& on_event, const OnGap& on_gap) {
  Millis pause{50};
  std::string version;
  auto lost = [&](const Error& error) {
    if (!error.is(Kind::conflict) || version.empty()) return;
    version.clear();
    on_gap();
  };
  while (ctx.alive()) {
    which.resource_version = version;
    auto watch = client.watch(ctx, type, which);
    if (!watch) lost(watch.error());
    while (watch && ctx.alive()) {
      auto event = (*watch)->next(ctx);
      if (!event) {
        lost(event.error());
        break;
      }
      pause = Millis(50);
      version = event->object.resource_version();
      if (event->type != kube::Event::Type::bookmark) on_event(*event);
    }
    auto jitter = static_cast<unsigned char>(random_bytes(1)[0]);
    if (!sleep(ctx, pause + Millis(jitter % 50))) return;
    pause = std::min(pause * 2, Millis(10000));
  }
}

}  // namespace slipway::gitops::detail
