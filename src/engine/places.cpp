#include "engine/places.h"

#include <algorithm>

#include "base/text.h"
#include "engine/recorder.h"
#include "promote/chain.h"

namespace slipway::engine {
namespace {

// Of a Promotion its artifact says it, of a Release its spec.
std::string image_of(const kube::Object& object) {
  return object["spec"]["artifact"]["image"].str_or(object["spec"]["image"].text());
}

bool differ(const std::string& a, const std::string& b) { return !a.empty() && !b.empty() && a != b; }

bool has(const path::Pipeline& pipeline, const std::string& service, const std::string& environment) {
  return std::any_of(pipeline.services.begin(), pipeline.services.end(),
                     [&](const auto& s) { return s.name == service; }) &&
         std::any_of(pipeline.environments.begin(), pipeline.environments.end(),
                     [&](const auto& e) { return e.name == environment; });
}

}  // namespace

bool is_of(const kube::Object& object, const path::Pipeline& pipeline) {
  auto spec = object["spec"];
  if (auto name = spec["pipeline"].text(); !name.empty()) return name == pipeline.name;
  if (differ(spec["configRepository"].text(), pipeline.config_repository)) return false;
  return std::any_of(pipeline.services.begin(), pipeline.services.end(), [&](const auto& service) {
    return service.name == spec["service"].text() && !differ(service.image, image_of(object));
  });
}

bool same_place(const kube::Object& a, const kube::Object& b) {
  for (auto field : {"service", "environment"})
    if (a["spec"][field].text() != b["spec"][field].text()) return false;
  auto one = a["spec"]["pipeline"].text(), other = b["spec"]["pipeline"].text();
  if (!one.empty() && !other.empty()) return one == other;
  return !differ(a["spec"]["configRepository"].text(), b["spec"]["configRepository"].text()) &&
         !differ(image_of(a), image_of(b));
}

Result<std::optional<Lead>> lead_of(const Ctx& ctx, kube::Client& client, const kube::Object& object) {
  TRY(auto objects, all(ctx, client, "Pipeline"));
  auto service = object["spec"]["service"].text(), environment = object["spec"]["environment"].text();
  for (auto& one : objects) {
    auto pipeline = path::pipeline_from(one.view());
    if (!pipeline || !is_of(object, *pipeline) || !has(*pipeline, service, environment)) continue;
    auto found = std::find_if(pipeline->environments.begin(), pipeline->environments.end(),
                              [&](const auto& e) { return e.name == environment; });
    auto rules = *found;
    return std::optional(Lead{*std::move(pipeline), std::move(rules), std::move(one)});
  }
  return std::optional<Lead>();
}

Result<bool> may_approve(const Ctx& ctx, kube::Client& client, const kube::Object& promotion, const std::string& who) {
  TRY(auto lead, lead_of(ctx, client, promotion));
  if (lead) return promote::may_approve(lead->environment, who);
  return fail(Kind::not_found, "no Pipeline leads {} to {} any more", promotion["spec"]["service"].text(),
              promotion["spec"]["environment"].text());
}

kube::StringMap place_labels(const std::string& pipeline, const std::string& service, const std::string& environment) {
  kube::StringMap labels{{"slipway.dev/service", object_name(service)},
                         {"slipway.dev/environment", object_name(environment)}};
  if (!pipeline.empty()) labels["slipway.dev/pipeline"] = object_name(pipeline);
  return labels;
}

std::string place_selector(const std::string& service, const std::string& environment) {
  return fmt::format("slipway.dev/service={},slipway.dev/environment={}", object_name(service),
                     object_name(environment));
}

Result<std::string> name_within(const Ctx& ctx, kube::Client& client, std::string_view kind, const std::string& plain,
                                const path::Pipeline& pipeline, const std::string& service,
                                const std::string& environment) {
  TRY(auto there, find(ctx, client, kind, plain));
  if (there && is_of(*there, pipeline)) return plain;
  bool shared = there.has_value();
  TRY(auto objects, all(ctx, client, "Pipeline"));
  for (const auto& object : objects) {
    auto other = path::pipeline_from(object.view());
    shared = shared || (other && other->name != pipeline.name && has(*other, service, environment));
  }
  return shared ? object_name(plain + "-" + pipeline.name) : plain;
}

}  // namespace slipway::engine
