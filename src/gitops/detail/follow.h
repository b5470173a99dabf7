#pragma once
// Following one type for ever.
#include "base/hash.h"
#include "kube/client.h"

namespace slipway::gitops::detail {

// From the start, and again after a loss with jittered back-off, until the context stops. A gap: events were missed.
template <class OnEvent, class OnGap>
void follow(const Ctx& ctx, kube::Client& client, const kube::Type& type, const std::string& ns,
            const OnEvent& on_event, const OnGap& on_gap) {
  Millis pause{50};
  std::string version;
  while (ctx.alive()) {
    auto watch = client.watch(ctx, type, {.ns = ns, .resource_version = version});
    while (watch && ctx.alive()) {
      auto event = (*watch)->next(ctx);
      if (!event) {
        if (event.error().is(Kind::conflict)) {
          version.clear();
          on_gap();
        }
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
