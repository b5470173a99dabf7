#include "cluster/node/watch_loop.h"

#include "base/log.h"

namespace slipway::cluster {

void keep_in_sight(const Ctx& ctx, kube::Client& client, const Sight& sight) {
  Millis pause{50};
  while (ctx.alive()) {
    auto list = client.list(ctx, sight.type,
                            {.ns = sight.options.ns,
                             .label_selector = sight.options.label_selector,
                             .field_selector = sight.options.field_selector});
    if (!list) {
      if (ctx.alive()) LOG(warn, "node.list", {"kind", sight.type.kind}, {"error", list.error().what()});
      if (!sleep(ctx, pause)) return;
      pause = std::min(pause * 2, Millis(10000));
      continue;
    }
    sight.all(list->items);
    auto options = sight.options;
    options.resource_version = list->resource_version;
    auto watch = client.watch(ctx, sight.type, options);
    while (watch) {
      auto event = (*watch)->next(ctx);
      if (!event && event.error().is(Kind::unavailable) && ctx.alive()) {  // from where it was lost
        watch = client.watch(ctx, sight.type, options);
        if (!watch) break;
        continue;
      }
      if (!event) break;
      pause = Millis(50);
      options.resource_version = event->object.resource_version();
      if (event->type != kube::Event::Type::bookmark) sight.event(*event);
    }
    if (!sleep(ctx, pause)) return;
    pause = std::min(pause * 2, Millis(10000));
  }
}

}  // namespace slipway::cluster
