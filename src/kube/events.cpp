#include "kube/events.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/time.h"

namespace slipway::kube {
namespace {

const Type event_type{"v1", "Event"};

doc::Value make_event(const Object& about, const Happening& what, const Key& key, const std::string& now) {
  auto event = make_object(event_type, key);
  auto& object = event["involvedObject"];
  object["apiVersion"] = about.api_version();
  object["kind"] = about.kind();
  if (!about.ns().empty()) object["namespace"] = about.ns();
  object["name"] = about.name();
  object["uid"] = about.uid();
  object["resourceVersion"] = about.resource_version();
  event["type"] = what.type;
  event["reason"] = what.reason;
  event["message"] = what.message;
  event["source"]["component"] = what.component;
  event["reportingComponent"] = what.component;
  event["reportingInstance"] = "";
  event["firstTimestamp"] = now;
  event["lastTimestamp"] = now;
  event["eventTime"] = nullptr;
  event["count"] = 1;
  return event;
}

Result<> write(const Ctx& ctx, Client& client, const Object& about, const Happening& what) {
  auto now = rfc3339(ctx.clock->wall());
  // The name is made of what is said: no memory is needed to find the earlier one.
  auto said = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", about.uid(), about.name(), what.type, what.reason, what.message,
                          what.component);
  Key key{about.ns().empty() ? "default" : about.ns(),
          fmt::format("{}.{}", about.name(), sha256_hex(said).substr(0, 16))};
  for (int attempt = 0; attempt < 3; ++attempt) {
    TRY(auto present, client.get(ctx, event_type, key));
    if (!present) {
      auto made = client.create(ctx, make_event(about, what, key, now), {.field_manager = what.component});
      if (made || !made.error().is(Kind::conflict)) return made ? Result<>{} : Fail(std::move(made).error());
      continue;
    }
    doc::Value patch;
    patch["count"] = (*present)["count"].num_or(1) + 1;
    patch["lastTimestamp"] = now;
    auto patched = client.patch(ctx, event_type, key, PatchType::merge, patch, {.field_manager = what.component});
    if (patched || !patched.error().is(Kind::not_found)) return patched ? Result<>{} : Fail(std::move(patched).error());
  }
  return {};
}

}  // namespace

void record_event(const Ctx& ctx, Client& client, const Object& about, const Happening& what) {
  auto written = write(ctx, client, about, what);
  // A namespace that is going takes no new events; that is nothing to report.
  if (!written && !written.error().is(Kind::cancelled) && !written.error().is(Kind::denied) &&
      !written.error().is(Kind::not_found))
    LOG(warn, "kube.event_lost", {"object", about.describe()}, {"reason", what.reason},
        {"error", written.error().what()});
}

}  // namespace slipway::kube
