#include "rollout/spec.h"

#include "base/text.h"
#include "doc/json.h"
#include "kube/selector.h"

namespace slipway::rollout {
namespace {

// Argo reads a string without "%" as a percentage as well; an integer is a count.
Result<Share> share_in(doc::View view, Share fallback) {
  if (!view) return fallback;
  auto text = view.text();
  bool percent = view.value().is_string();
  if (text.ends_with('%')) text.pop_back();
  auto n = to_int(text);
  if (!n || *n < 0) return view.wrong("want a count or a percentage");
  return Share{*n, percent};
}

Result<std::optional<std::int64_t>> count_in(doc::View view) {
  if (!view) return std::optional<std::int64_t>();
  TRY(auto n, view.num());
  if (n < 0) return view.wrong("want zero or more");
  return std::optional(n);
}

Result<Analysis> analysis_in(doc::View view) {
  Analysis a;
  for (const auto& t : view["templates"].items()) {
    TRY(auto name, t["templateName"].str());
    a.templates.emplace_back(std::move(name), t["clusterScope"].bool_or(false));
  }
  if (a.templates.empty()) return view["templates"].wrong("want at least one template");
  for (const auto& arg : view["args"].items()) a.args.push_back(arg.value());
  a.starting_step = view["startingStep"].num_or(0);
  return a;
}
Result<std::optional<Analysis>> analysis_if(doc::View view) {
  if (!view) return std::optional<Analysis>();
  TRY(auto a, analysis_in(view));
  return std::optional(std::move(a));
}

Result<Step> step_in(doc::View view, bool routed) {
  Step step;
  int actions = 0;
  for (const auto& [key, value] : view.members()) {
    if (!value.exists()) continue;
    ++actions;
    if (key == "setWeight") {
      step.kind = Step::Kind::set_weight;
      TRY(step.weight, value.num());
      if (step.weight < 0 || step.weight > 100) return value.wrong("SetWeight needs to be between 0 and 100");
    } else if (key == "pause") {
      step.kind = Step::Kind::pause;
      if (value["duration"]) {
        TRY(step.duration, value["duration"].duration());
        if (*step.duration < Millis(0))
          return value["duration"].wrong("Duration needs to be greater than or equal to 0");
      }
    } else if (key == "analysis") {
      step.kind = Step::Kind::analysis;
      TRY(step.analysis, analysis_in(value));
    } else if (key == "setCanaryScale") {
      if (!routed) return value.wrong("SetCanaryScale requires TrafficRouting to be set");
      step.kind = Step::Kind::set_canary_scale;
      TRY(step.scale_replicas, count_in(value["replicas"]));
      TRY(step.scale_weight, count_in(value["weight"]));
    } else {
      return value.wrong(fmt::format(
          "steps of kind {} are not supported by Slipway yet: setWeight, pause, analysis and setCanaryScale are", key));
    }
  }
  if (actions != 1)
    return view.wrong("Step must have one of the following set: experiment, setWeight, setCanaryScale or pause");
  return step;
}

Result<> istio_in(doc::View value, Canary& canary) {
  auto one = [&](doc::View view) {
    MeshRoute route{view["name"].str_or(""), {}};
    for (const auto& name : view["routes"].items()) route.routes.push_back(name.str_or(""));
    if (!route.name.empty()) canary.virtual_services.push_back(std::move(route));
  };
  one(value["virtualService"]);
  for (const auto& view : value["virtualServices"].items()) one(view);
  if (canary.virtual_services.empty()) return value.wrong("want virtualService or virtualServices");
  if (auto rule = value["destinationRule"]) {
    TRY(canary.destination_rule, rule["name"].str());
    TRY(canary.canary_subset, rule["canarySubsetName"].str());
    TRY(canary.stable_subset, rule["stableSubsetName"].str());
  }
  return {};
}

// Ours: {slipway: {httpRoute: name}}; Argo's plugin: {plugins: {argoproj-labs/gatewayAPI: {httpRoute | httpRoutes}}};
// nginx: {stableIngress | stableIngresses}.
Result<> routing_in(doc::View routing, Canary& canary) {
  canary.routed = true;
  for (const auto& [key, value] : routing.members()) {
    auto ours = value;
    if (key == "managedRoutes" || key == "maxTrafficWeight") continue;
    if (key == "plugins") ours = value["argoproj-labs/gatewayAPI"];
    if (key == "slipway" || (key == "plugins" && ours)) {
      if (ours["httpRoute"]) canary.http_routes.push_back(ours["httpRoute"].str_or(""));
      for (const auto& route : ours["httpRoutes"].items())
        canary.http_routes.push_back(route["name"].str_or(route.text()));
      if (canary.http_routes.empty()) return ours.wrong("want httpRoute or httpRoutes");
    } else if (key == "nginx") {
      if (value["stableIngress"]) canary.ingresses.push_back(value["stableIngress"].str_or(""));
      for (const auto& name : value["stableIngresses"].items()) canary.ingresses.push_back(name.str_or(""));
      if (canary.ingresses.empty()) return value.wrong("want stableIngress or stableIngresses");
    } else if (key == "istio") {
      TRY_OK(istio_in(value, canary));
    } else if (key == "smi") {
      canary.split_root = value["rootService"].str_or(canary.stable_service);
      canary.split_name = value["trafficSplitName"].str_or("?");
    } else {
      return value.wrong(
          fmt::format("traffic routing by {} is not supported by Slipway: slipway, the Gateway API plugin, nginx, "
                      "istio and smi are",
                      key));
    }
  }
  bool by_subset = !canary.destination_rule.empty();
  if (!by_subset && (canary.canary_service.empty() || canary.stable_service.empty()))
    return routing.wrong("traffic routing needs canaryService and stableService");
  return {};
}

Result<Canary> canary_in(doc::View view) {
  Canary c;
  c.canary_service = view["canaryService"].str_or(""), c.stable_service = view["stableService"].str_or("");
  if (!c.canary_service.empty() && c.canary_service == c.stable_service)
    return view["canaryService"].wrong(
        "This rollout uses the same service for the stable and canary services, but two different services are "
        "required.");
  TRY(c.surge, share_in(view["maxSurge"], {25, true}));
  TRY(c.unavailable, share_in(view["maxUnavailable"], {25, true}));
  if (view["trafficRouting"]) TRY_OK(routing_in(view["trafficRouting"], c));
  if (view["dynamicStableScale"].bool_or(false))
    return view["dynamicStableScale"].wrong("dynamicStableScale is not supported by Slipway yet");
  for (const auto& item : view["steps"].items()) {
    TRY(auto step, step_in(item, c.routed));
    c.steps.push_back(std::move(step));
  }
  c.steps_hash = template_hash(view["steps"].value(), 0);
  TRY(c.analysis, analysis_if(view["analysis"]));
  c.min_pods = std::max<std::int64_t>(1, view["minPodsPerReplicaSet"].num_or(1));
  return c;
}

Result<BlueGreen> blue_green_in(doc::View view) {
  BlueGreen b;
  TRY(b.active_service, view["activeService"].str());
  b.preview_service = view["previewService"].str_or("");
  if (b.active_service == b.preview_service)
    return view["previewService"].wrong(
        "This rollout uses the same service for the active and preview services, but two different services are "
        "required.");
  b.auto_promotion = view["autoPromotionEnabled"].bool_or(true);
  TRY(b.auto_promotion_seconds, count_in(view["autoPromotionSeconds"]));
  if (b.auto_promotion_seconds == 0) b.auto_promotion_seconds.reset();
  TRY(b.preview_replicas, count_in(view["previewReplicaCount"]));
  TRY(b.before, analysis_if(view["prePromotionAnalysis"]));
  TRY(b.after, analysis_if(view["postPromotionAnalysis"]));
  TRY(b.unavailable, share_in(view["maxUnavailable"], {0, true}));
  return b;
}

Result<> template_in(const kube::Object& rollout, const kube::Object& workload, Spec& spec) {
  auto view = rollout["spec"];
  auto ref = view["workloadRef"];
  if (!ref) {
    if (!view["template"]) return view["template"].wrong("want a pod template or a workloadRef");
    spec.pod_template = view["template"].value();
    spec.selector = view["selector"].value();
    return {};
  }
  if (view["template"]) return ref.wrong("template must be empty for workload reference rollout");
  spec.workload = ref["name"].str_or("");
  spec.workload_scale_down = ref["scaleDown"].str_or("never");
  if (ref["kind"].str_or("") != "Deployment") return ref["kind"].wrong("only a Deployment can lend its template here");
  if (!workload) return ref["name"].wrong(fmt::format("deployments.apps \"{}\" not found", spec.workload));
  spec.pod_template = workload["spec"]["template"].value();
  spec.selector = view["selector"] ? view["selector"].value() : workload["spec"]["selector"].value();
  return {};
}

void append_sorted(std::string& out, const doc::Value& value) {
  if (const auto* map = value.if_map()) {
    auto sorted = *map;
    sorted.sort_keys();
    out += '{';
    for (const auto& [key, item] : sorted) {
      if (item.is_null()) continue;
      out += doc::json_quote(key) + ":";
      append_sorted(out, item);
      out += ',';
    }
    out += '}';
  } else if (const auto* list = value.if_list()) {
    out += '[';
    for (const auto& item : *list) append_sorted(out, item), out += ',';
    out += ']';
  } else {
    doc::append_json(out, value);
  }
}

}  // namespace

std::int64_t Spec::old_delay() const {
  if (canary && !canary->routed) return 0;
  return scale_down_delay.value_or(30);
}
std::optional<std::int64_t> Spec::abort_delay() const {
  if (canary && !canary->routed) return 0;
  auto delay = abort_scale_down_delay.value_or(30);
  return delay == 0 ? std::nullopt : std::optional(delay);
}

Result<Spec> parse_spec(const kube::Object& rollout, const kube::Object& workload) {
  Spec spec;
  auto view = rollout["spec"];
  spec.replicas = view["replicas"].num_or(1);
  spec.min_ready_seconds = view["minReadySeconds"].num_or(0);
  spec.history_limit = view["revisionHistoryLimit"].num_or(10);
  spec.progress_deadline = view["progressDeadlineSeconds"].num_or(600);
  spec.progress_abort = view["progressDeadlineAbort"].bool_or(false);
  spec.paused = view["paused"].bool_or(false);
  spec.rollback_window = view["rollbackWindow"]["revisions"].num_or(0);
  if (auto at = view["restartAt"]) {
    auto time = parse_rfc3339(at.str_or(""));
    if (!time) return at.wrong("want a time like 2026-11-25T20:47:50Z");
    spec.restart_at = *time;
  }
  if (spec.replicas < 0) return view["replicas"].wrong("want zero or more");
  if (spec.progress_deadline <= spec.min_ready_seconds)
    return view["progressDeadlineSeconds"].wrong("must be greater than minReadySeconds");
  TRY_OK(template_in(rollout, workload, spec));
  TRY(auto selector, kube::LabelSelector::from(doc::View(spec.selector)));
  kube::StringMap labels;
  for (const auto& [key, value] : doc::View(spec.pod_template)["metadata"]["labels"].members())
    labels[key] = value.text();
  if (!spec.selector.is_map() || selector.everything())
    return view["selector"].wrong("want a selector that is not empty");
  if (!selector.matches(labels)) return view["selector"].wrong("`selector` does not match template `labels`");
  auto strategy = view["strategy"];
  if (strategy["canary"].exists() == strategy["blueGreen"].exists())
    return strategy.wrong(strategy["canary"].exists()
                              ? "Multiple Strategies can not be listed"
                              : "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'");
  auto chosen = strategy["canary"].exists() ? strategy["canary"] : strategy["blueGreen"];
  TRY(spec.scale_down_delay, count_in(chosen["scaleDownDelaySeconds"]));
  TRY(spec.scale_down_limit, count_in(chosen["scaleDownDelayRevisionLimit"]));
  TRY(spec.abort_scale_down_delay, count_in(chosen["abortScaleDownDelaySeconds"]));
  if (strategy["canary"].exists()) {
    TRY(spec.canary, canary_in(chosen));
  } else {
    TRY(spec.blue_green, blue_green_in(chosen));
  }
  return spec;
}

std::string template_hash(const doc::Value& pod_template, std::int64_t collisions) {
  std::string text;
  append_sorted(text, pod_template);
  if (collisions > 0) text += std::to_string(collisions);
  std::uint32_t hash = 2166136261U;
  for (unsigned char c : text) hash = (hash ^ c) * 16777619U;
  // Kubernetes' SafeEncodeString: no vowels, no look-alikes.
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  auto out = std::to_string(hash);
  for (char& c : out) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return out;
}

bool covers(const doc::Value& kept, const doc::Value& wanted) {
  if (const auto* map = wanted.if_map()) {
    for (const auto& [key, item] : *map) {
      if (item.is_null()) continue;
      const auto* found = kept.find(key);
      bool empty = (item.is_map() && item.if_map()->empty()) || (item.is_list() && item.if_list()->empty());
      if (found == nullptr ? !empty : !covers(*found, item)) return false;
    }
    return true;
  }
  if (const auto* list = wanted.if_list()) {
    const auto* other = kept.if_list();
    if (other == nullptr || other->size() != list->size()) return false;
    for (std::size_t i = 0; i < list->size(); ++i)
      if (!covers((*other)[i], (*list)[i])) return false;
    return true;
  }
  if (kept == wanted) return true;
  // 1 and "1": quantities and ports come back in either form.
  return kept.type() != wanted.type() && doc::View(kept).text() == doc::View(wanted).text() &&
         !doc::View(kept).text().empty();
}

}  // namespace slipway::rollout
