#include "kube/client.h"

#include "base/hash.h"

namespace slipway::kube {

Result<std::string> Client::for_each(const Ctx& ctx, const Type& type, const ListOptions& options, const Visit& visit) {
  TRY(auto all, list(ctx, type, options));
  for (auto& object : all.items) TRY_OK(visit(std::move(object)));
  return std::move(all.resource_version);
}

Result<Object> modify(const Ctx& ctx, Client& client, const Type& type, const Key& key, const WriteOptions& options,
                      const std::function<Result<bool>(doc::Value&)>& change) {
  constexpr int tries = 10;
  for (int i = 1;; ++i) {
    TRY(auto object, client.get(ctx, type, key));
    if (!object) return fail(Kind::not_found, "{} {} not found", type.kind, key.str());
    auto copy = object->copy();
    TRY(bool changed, change(copy));
    if (!changed) return *std::move(object);
    auto written = client.update(ctx, std::move(copy), options);
    if (written || !written.error().is(Kind::conflict) || i == tries) return written;
    TRY_OK(ctx.alive());
    // Several at once would go on beating each other: whoever lost thrice steps back for a while of his own.
    if (i >= 3) TRY_OK(sleep(ctx, Millis(1 + static_cast<unsigned char>(random_bytes(1)[0]) % (1 << std::min(i, 6)))));
  }
}

Result<Object> write_status(const Ctx& ctx, Client& client, const Object& object, doc::Value status,
                            std::string_view manager) {
  const auto* before = object.value().find("status");
  if (before != nullptr ? *before == status : status.is_null()) return object;
  auto copy = object.copy();
  copy["status"] = std::move(status);
  return client.update(ctx, std::move(copy), {.field_manager = std::string(manager), .subresource = "status"});
}

Result<Object> await(const Ctx& ctx, Client& client, const Type& type, const Key& key,
                     const std::function<bool(const Object&)>& done) {
  Millis pause(50);
  for (;;) {
    TRY(auto now, client.get(ctx, type, key));
    Object object = now ? *std::move(now) : Object();
    if (done(object)) return object;
    WatchOptions options{
        .ns = key.ns, .field_selector = "metadata.name=" + key.name, .resource_version = object.resource_version()};
    auto watch = client.watch(ctx, type, options);
    // Without a version the watch starts with what is there, so nothing falls between get and watch.
    while (watch) {
      auto event = (*watch)->next(ctx);
      if (!event) {
        if (event.error().is(Kind::cancelled) || event.error().is(Kind::timeout)) TRY_OK(ctx.alive());
        break;
      }
      if (event->type == Event::Type::bookmark) continue;
      object = event->type == Event::Type::deleted ? Object() : std::move(event->object);
      if (done(object)) return object;
    }
    if (!watch && !watch.error().retryable() && !watch.error().is(Kind::conflict))
      return Fail(std::move(watch).error());
    TRY_OK(sleep(ctx, pause));
    pause = std::min(pause * 2, Millis(2000));
  }
}

}  // namespace slipway::kube
