#include "base/log.h"
#include "rollout/detail/work.h"
#include "rollout/rollout.h"

namespace slipway::rollout {
namespace {

const kube::Type rollout_type{"argoproj.io/v1alpha1", "Rollout"}, set_type{"apps/v1", "ReplicaSet"},
    service_type{"v1", "Service"}, run_type{"argoproj.io/v1alpha1", "AnalysisRun"},
    deployment_type{"apps/v1", "Deployment"}, route_type{"gateway.networking.k8s.io/v1", "HTTPRoute"},
    ingress_type{"networking.k8s.io/v1", "Ingress"};

class Reader {
 public:
  Reader(const Ctx& ctx, kube::Client& client, const kube::Object& rollout)
      : ctx_(ctx), client_(client), rollout_(rollout) {}

  Result<State> read() {
    State state;
    state.rollout = rollout_, state.now = ctx_.clock->wall();
    auto strategy = rollout_["spec"]["strategy"];
    for (auto service : {strategy["canary"]["canaryService"], strategy["canary"]["stableService"],
                         strategy["blueGreen"]["activeService"], strategy["blueGreen"]["previewService"]})
      TRY_OK(one(service_type, service.str_or(""), state.services));
    TRY_OK(read_routing(strategy["canary"]["trafficRouting"], state));
    TRY_OK(read_mesh(strategy["canary"]["trafficRouting"], state));
    TRY_OK(read_templates(strategy, state));
    TRY(state.replica_sets, owned(set_type));
    TRY(state.runs, owned(run_type));
    TRY_OK(read_pods(state));
    if (auto name = rollout_["spec"]["workloadRef"]["name"].str_or(""); !name.empty()) {
      TRY(auto found, client_.get(ctx_, deployment_type, {rollout_.ns(), name}));
      if (found) state.workload = *found;
    }
    return state;
  }

 private:
  Result<> one(const kube::Type& type, const std::string& name, std::map<std::string, kube::Object>& into) {
    if (name.empty() || into.contains(name)) return {};
    TRY(auto found, client_.get(ctx_, type, {rollout_.ns(), name}));
    if (found) into[name] = *found;
    return {};
  }
  Result<std::vector<kube::Object>> owned(const kube::Type& type) {
    kube::ListOptions options;
    options.ns = rollout_.ns();
    TRY(auto list, client_.list(ctx_, type, options));
    std::vector<kube::Object> mine;
    for (auto& object : list.items) {
      auto owner = object.controller();
      if (owner && owner->uid == rollout_.uid()) mine.push_back(std::move(object));
    }
    return mine;
  }
  Result<> read_pods(State& state) {
    auto at = parse_rfc3339(rollout_["spec"]["restartAt"].str_or(""));
    if (!at || rollout_["status"]["restartedAt"].str_or("") == rfc3339(*at)) return {};
    kube::ListOptions options;
    options.ns = rollout_.ns();
    TRY(auto list, client_.list(ctx_, {"v1", "Pod"}, options));
    for (auto& pod : list.items) {
      auto owner = pod.controller();
      bool mine = owner && std::any_of(state.replica_sets.begin(), state.replica_sets.end(),
                                       [&](const auto& set) { return set.uid() == owner->uid; });
      if (mine) state.pods.push_back(std::move(pod));
    }
    return {};
  }
  Result<> read_routing(doc::View routing, State& state) {
    for (auto holder : {routing["slipway"], routing["plugins"]["argoproj-labs/gatewayAPI"]}) {
      TRY_OK(one(route_type, holder["httpRoute"].str_or(""), state.routes));
      for (const auto& route : holder["httpRoutes"].items())
        TRY_OK(one(route_type, route["name"].str_or(route.text()), state.routes));
    }
    std::vector<std::string> names;
    if (auto name = routing["nginx"]["stableIngress"].str_or(""); !name.empty()) names.push_back(name);
    for (const auto& name : routing["nginx"]["stableIngresses"].items()) names.push_back(name.str_or(""));
    for (const auto& name : names) {
      TRY_OK(one(ingress_type, name, state.ingresses));
      TRY_OK(one(ingress_type, fmt::format("{}-{}-canary", rollout_.name(), name), state.ingresses));
    }
    return {};
  }
  // A mesh that is not installed has no such kinds: the objects are absent, and the decision says so.
  Result<> read_mesh(doc::View routing, State& state) {
    auto read = [&](std::initializer_list<std::string_view> versions, const std::string& kind,
                    const std::string& name) -> Result<> {
      for (auto version : versions) {
        if (name.empty()) return {};
        auto found = client_.get(ctx_, {std::string(version), kind}, {rollout_.ns(), name});
        if (!found && !found.error().is(Kind::not_found)) return Fail(std::move(found).error());
        if (found && *found) {
          state.mesh[kind + "/" + name] = **found;
          return {};
        }
      }
      return {};
    };
    auto istio = routing["istio"];
    std::vector<doc::View> services{istio["virtualService"]};
    for (const auto& view : istio["virtualServices"].items()) services.push_back(view);
    for (const auto& view : services)
      TRY_OK(read({"networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"},
                  "VirtualService", view["name"].str_or("")));
    TRY_OK(read({"networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"},
                "DestinationRule", istio["destinationRule"]["name"].str_or("")));
    if (routing["smi"].exists())
      TRY_OK(read({"split.smi-spec.io/v1alpha1", "split.smi-spec.io/v1alpha2"}, "TrafficSplit",
                  routing["smi"]["trafficSplitName"].str_or(rollout_.name())));
    return {};
  }
  Result<> read_templates(doc::View strategy, State& state) {
    std::vector<doc::View> analyses{strategy["canary"]["analysis"], strategy["blueGreen"]["prePromotionAnalysis"],
                                    strategy["blueGreen"]["postPromotionAnalysis"]};
    for (const auto& step : strategy["canary"]["steps"].items()) analyses.push_back(step["analysis"]);
    for (const auto& analysis : analyses)
      for (const auto& t : analysis["templates"].items()) {
        bool cluster = t["clusterScope"].bool_or(false);
        auto kind = cluster ? "ClusterAnalysisTemplate" : "AnalysisTemplate";
        auto name = t["templateName"].str_or("");
        TRY(auto found, client_.get(ctx_, {"argoproj.io/v1alpha1", kind}, {cluster ? "" : rollout_.ns(), name}));
        if (found) state.templates[fmt::format("{}/{}", kind, name)] = *found;
      }
    return {};
  }

  const Ctx& ctx_;
  kube::Client& client_;
  const kube::Object& rollout_;
};

Result<> perform(const Ctx& ctx, kube::Client& client, Write write) {
  if (write.verb == Write::Verb::create) {
    auto made = client.create(ctx, std::move(write.object), {});
    // Made by the pass before, which was killed after it.
    if (!made && !made.error().is(Kind::conflict)) return Fail(std::move(made).error().in(write.reason));
    return {};
  }
  kube::Object object(write.object);
  if (write.verb == Write::Verb::evict) {
    auto eviction = kube::make_object({"policy/v1", "Eviction"}, object.key());
    // Through the Pod's own type, so that the server finds the subresource.
    eviction["apiVersion"] = "v1", eviction["kind"] = "Pod";
    auto gone = client.create(ctx, std::move(eviction), {.field_manager = "slipway", .subresource = "eviction"});
    // A disruption budget that refuses is asked again later; a server without evictions gets a plain deletion.
    if (gone || gone.error().is(Kind::not_found) || gone.error().is(Kind::conflict) || gone.error().is(Kind::denied) ||
        gone.error().retryable())
      return {};
    auto removed = client.remove(ctx, object.type(), object.key(), {});
    if (!removed && !removed.error().is(Kind::not_found)) return Fail(std::move(removed).error().in(write.reason));
    return {};
  }
  if (write.verb == Write::Verb::remove) {
    auto gone = client.remove(ctx, object.type(), object.key(), {});
    if (!gone && !gone.error().is(Kind::not_found)) return gone;
    return {};
  }
  auto written = client.update(ctx, std::move(write.object), {});
  if (!written) return Fail(std::move(written).error().in(write.reason));
  return {};
}

// Merge patches on the status, as the plugin sends them.
Result<kube::Object> patch_status(const Ctx& ctx, kube::Client& client, const kube::Key& key, doc::Value status) {
  return client.patch(ctx, rollout_type, key, kube::PatchType::merge, doc::Map{{"status", std::move(status)}},
                      {.subresource = "status"});
}

Result<kube::Object> get(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  TRY(auto found, client.get(ctx, rollout_type, key));
  if (!found) return fail(Kind::not_found, "there is no Rollout {}", key.str());
  return *std::move(found);
}

// An object that rollouts name concerns each rollout of its namespace that names it.
std::vector<kube::Key> naming(const Ctx& ctx, kube::Client& client, const kube::Object& object) {
  kube::ListOptions options;
  options.ns = object.ns();
  auto list = client.list(ctx, rollout_type, options);
  std::vector<kube::Key> keys;
  if (!list) return keys;
  for (const auto& rollout : list->items) {
    auto canary = rollout["spec"]["strategy"]["canary"], blue = rollout["spec"]["strategy"]["blueGreen"];
    for (auto view : {canary["canaryService"], canary["stableService"], blue["activeService"], blue["previewService"],
                      rollout["spec"]["workloadRef"]["name"]})
      if (view.str_or("") == object.name()) {
        keys.push_back(rollout.key());
        break;
      }
  }
  return keys;
}

}  // namespace

Result<kube::Reconciled> reconcile(const Ctx& ctx, const RolloutOptions& options, const kube::Key& key) {
  auto& client = *options.client;
  TRY(auto rollout, client.get(ctx, rollout_type, key));
  if (!rollout || rollout->deleting()) return kube::Reconciled{};
  // Argo Rollouts writes this default down as well: a scale without a number reads as zero to an autoscaler, and that
  // turns it off. What it wrote wakes it again.
  if (!(*rollout)["spec"]["replicas"].present()) {
    auto put = client.patch(ctx, rollout_type, key, kube::PatchType::merge,
                            doc::Map{{"spec", doc::Map{{"replicas", 1}}}}, {.field_manager = "rollouts-controller"});
    if (!put && !put.error().is(Kind::not_found)) return Fail(std::move(put).error());
    return kube::Reconciled{};
  }
  TRY(auto state, Reader(ctx, client, *rollout).read());
  auto decision = step(state);
  for (auto& write : decision.writes) TRY_OK(perform(ctx, client, std::move(write)));
  // The writes may have moved the Rollout's version; its status is ours alone but for what people patch into it, and
  // that is a conflict worth another pass.
  TRY(auto latest, client.get(ctx, rollout_type, key));
  if (!latest) return kube::Reconciled{};
  if (!(latest->value().find("status") == nullptr ? state.rollout.value().find("status") == nullptr
                                                  : (*latest)["status"].value() == state.rollout["status"].value()))
    return fail(Kind::conflict, "the status of Rollout {} was changed meanwhile", key.str());
  TRY(auto written, kube::write_status(ctx, client, *latest, std::move(decision.status)));
  for (const auto& [reason, message] : decision.events) {
    LOG(info, "rollout.event", {"rollout", key.str()}, {"reason", reason}, {"message", message});
    if (options.event) options.event(written, reason, message);
  }
  return kube::Reconciled{decision.again};
}

Result<> run_rollout_controller(const Ctx& ctx, const RolloutOptions& options) {
  kube::ControllerOptions controller;
  controller.name = "rollout";
  controller.workers = options.workers;
  auto add = [&](const kube::Type& type, std::function<std::vector<kube::Key>(const kube::Event&)> keys) {
    kube::Source source;
    source.type = type, source.keys = std::move(keys);
    controller.sources.push_back(std::move(source));
  };
  add(rollout_type, {});
  add(set_type, kube::keys_of_owner("Rollout"));
  add(run_type, kube::keys_of_owner("Rollout"));
  auto named = [&](const kube::Event& event) { return naming(ctx, *options.client, event.object); };
  add(service_type, named);
  add(deployment_type, named);
  return kube::run_controller(ctx, *options.client, controller,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, options, key); });
}

Result<kube::Object> promote(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  TRY(auto rollout, get(ctx, client, key));
  if (rollout["spec"]["paused"].bool_or(false)) {
    TRY(rollout, client.patch(ctx, rollout_type, key, kube::PatchType::merge,
                              doc::Map{{"spec", doc::Map{{"paused", false}}}}, {}));
  }
  auto status = rollout["status"];
  bool inconclusive = false;
  for (const auto& pause : status["pauseConditions"].items())
    inconclusive = inconclusive || pause["reason"].str_or("") == "InconclusiveAnalysisRun";
  auto steps = static_cast<std::int64_t>(rollout["spec"]["strategy"]["canary"]["steps"].items().size());
  auto next = std::min(status["currentStepIndex"].num_or(0) + 1, steps);
  if (inconclusive && steps > 0)
    return patch_status(ctx, client, key,
                        doc::Map{{"pauseConditions", nullptr}, {"controllerPause", false}, {"currentStepIndex", next}});
  if (!status["pauseConditions"].items().empty())
    return patch_status(ctx, client, key, doc::Map{{"pauseConditions", nullptr}});
  if (steps > 0 && status["currentStepIndex"].num_or(0) < steps)
    return patch_status(ctx, client, key, doc::Map{{"pauseConditions", nullptr}, {"currentStepIndex", next}});
  return rollout;
}

Result<kube::Object> promote_full(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  TRY(auto rollout, get(ctx, client, key));
  if (rollout["status"]["currentPodHash"].str_or("") == rollout["status"]["stableRS"].str_or("")) return rollout;
  return patch_status(ctx, client, key, doc::Map{{"promoteFull", true}});
}

Result<kube::Object> abort(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  return patch_status(ctx, client, key, doc::Map{{"abort", true}});
}

Result<kube::Object> retry(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  return patch_status(ctx, client, key, doc::Map{{"abort", false}});
}

}  // namespace slipway::rollout
