#include "cluster/controllers/autoscaler.h"

#include "kube/selector.h"

namespace slipway::cluster {
namespace {

using kube::Object;

// Where nothing was measured yet: how soon to look again, and how long that is nobody's fault. A sync that waits for
// health would fail by a condition that is gone a moment later. Kubernetes itself first looks after a whole period.
constexpr Millis soon{5'000}, patience{60'000}, start_patience{300'000};

// The kind that is served of those that the reference may mean: its version counts for nothing.
Result<kube::Type> served(const Ctx& ctx, kube::Client& client, const doc::View& ref) {
  kube::Type type{ref["apiVersion"].text(), ref["kind"].text()};
  if (client.resource(ctx, type)) return type;
  TRY(auto all, client.resources(ctx));
  for (const auto& resource : all)
    if (resource.type.kind == type.kind && resource.type.group() == type.group()) return resource.type;
  return fail(Kind::invalid, "no matches for kind \"{}\" in group \"{}\"", type.kind, type.group());
}

// A change of nothing shows the scale of whatever has one, and is not made.
Result<Object> scale_of(const Ctx& ctx, const Env& env, const kube::Type& type, const kube::Key& key) {
  auto options = env.write("scale");
  options.dry_run = true;
  return env.client.patch(ctx, type, key, kube::PatchType::merge, doc::Map{}, options);
}

// Whether pods have come so lately that there is nothing to measure of them.
bool starting(const std::vector<Object>& pods, WallTime now) {
  return std::any_of(pods.begin(), pods.end(), [&](const Object& pod) {
    if (pod.deleting() || is_finished(pod)) return false;
    if (!is_ready(pod)) return created_at(pod) + start_patience > now;
    for (auto condition : pod["status"]["conditions"].items())
      if (condition["type"].str_or("") == "Ready")
        return time_at(condition["lastTransitionTime"]).value_or(WallTime()) + patience > now;
    return false;
  });
}

}  // namespace

// One look at one autoscaler.
class Autoscaler::Turn {
 public:
  Turn(const Ctx& ctx, const Env& env, Object hpa, Known& known)
      : ctx_(ctx), env_(env), hpa_(std::move(hpa)), known_(known), status_(hpa_["status"].value()) {
    if (!status_.is_map()) status_ = doc::Map();
    if (status_.find("desiredReplicas") == nullptr) status_["desiredReplicas"] = 0;
    if (hpa_.generation() > 0) status_["observedGeneration"] = hpa_.generation();
  }
  Result<kube::Reconciled> run();

 private:
  enum class Found { yes, no, not_yet };
  Result<kube::Reconciled> scale(const kube::Type& type, const Object& target);
  Result<Found> compute(const Object& target, ScaleWish& wish, std::string& reason);
  Found failed(const std::vector<MetricFailure>& failures, std::size_t metrics, const std::vector<Object>& pods);
  Result<kube::Reconciled> rescale(const kube::Type& type, const Object& target, const ScaleWish& wish,
                                   const std::string& reason);
  Result<kube::Reconciled> unable(const Error& error);
  Result<kube::Reconciled> write(Millis again = autoscaler_period) {
    TRY_OK(put_status(ctx_, env_, hpa_, std::move(status_)));
    return kube::Reconciled{again};
  }
  void tell(std::string_view type, bool status, std::string_view reason, std::string message) {
    put_condition(status_, {type, status ? "True" : "False", reason, std::move(message)}, ctx_.clock->wall());
  }
  void warn(std::string_view reason, std::string message) const {
    env_.event(ctx_, hpa_, "Warning", reason, std::move(message));
  }
  bool is_new() const { return ctx_.clock->now() < known_.since + patience; }

  const Ctx& ctx_;
  const Env& env_;
  Object hpa_;
  Known& known_;
  doc::Value status_;
};

Result<kube::Reconciled> Autoscaler::Turn::unable(const Error& error) {
  if (error.is(Kind::cancelled)) return Fail(error);
  // Applied together with its target, and before it.
  if (error.is(Kind::not_found) && ctx_.clock->now() < known_.since + autoscaler_period)
    return kube::Reconciled{Millis(500)};
  warn("FailedGetScale", error.what());
  tell("AbleToScale", false, "FailedGetScale",
       "the HPA controller was unable to get the target's current scale: " + error.what());
  return write();
}

Result<kube::Reconciled> Autoscaler::Turn::run() {
  auto ref = hpa_["spec"]["scaleTargetRef"];
  auto type = served(ctx_, env_.client, ref);
  if (!type) return unable(type.error());
  auto target = scale_of(ctx_, env_, *type, {hpa_.ns(), ref["name"].text()});
  if (!target) return unable(target.error());
  tell("AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
  return scale(*type, *target);
}

Result<kube::Reconciled> Autoscaler::Turn::scale(const kube::Type& type, const Object& target) {
  auto& memory = known_.memory;
  ScaleWish wish{.current = target["spec"]["replicas"].num_or(0),
                 .least = hpa_["spec"]["minReplicas"].num_or(1),
                 .most = hpa_["spec"]["maxReplicas"].num_or(1)};
  if (memory.wanted.empty()) memory.wanted.push_back({ctx_.clock->now(), wish.current});
  status_["currentReplicas"] = wish.current;
  std::string reason;
  wish.desired = wish.current;
  if (wish.current == 0 && wish.least != 0) {
    tell("ScalingActive", false, "ScalingDisabled",
         "scaling is disabled since the replica count of the target is zero");
    status_.map().erase("currentMetrics");
  } else if (wish.current > wish.most || wish.current < wish.least) {
    bool above = wish.current > wish.most;
    wish.desired = above ? wish.most : wish.least;
    reason = fmt::format("Current number of replicas {}", above ? "above Spec.MaxReplicas" : "below Spec.MinReplicas");
    status_.map().erase("currentMetrics");
  } else {
    TRY(auto found, compute(target, wish, reason));
    if (found != Found::yes) return write(found == Found::not_yet ? soon : autoscaler_period);
  }
  if (wish.desired != wish.current) return rescale(type, target, wish, reason);
  status_["desiredReplicas"] = wish.current;
  return write();
}

Autoscaler::Turn::Found Autoscaler::Turn::failed(const std::vector<MetricFailure>& failures, std::size_t metrics,
                                                 const std::vector<Object>& pods) {
  bool early = std::all_of(failures.begin(), failures.end(), [](const auto& f) { return f.not_yet; });
  if (early && (is_new() || starting(pods, ctx_.clock->wall()))) return Found::not_yet;
  for (const auto& failure : failures) warn(failure.reason, failure.message);
  tell("ScalingActive", false, failures[0].reason,
       "the HPA was unable to compute the replica count: " + failures[0].message);
  warn("FailedComputeMetricsReplicas", fmt::format("invalid metrics ({} invalid out of {}), first error is: {}",
                                                   failures.size(), metrics, failures[0].whole));
  return Found::no;
}

// The largest proposal, steadied and kept within bounds.
Result<Autoscaler::Turn::Found> Autoscaler::Turn::compute(const Object& target, ScaleWish& wish, std::string& reason) {
  auto text = target["status"]["selector"].text();
  auto selector = kube::LabelSelector::parse(text);
  if (text.empty() || !selector) {
    auto why = text.empty() ? std::string("the HPA target's scale is missing a selector")
                            : fmt::format("couldn't convert selector into a corresponding internal selector object: {}",
                                          selector.error().what());
    warn(text.empty() ? "SelectorRequired" : "InvalidSelector", text.empty() ? "selector is required" : why);
    tell("ScalingActive", false, "InvalidSelector", why);
    return Found::no;
  }
  TRY(auto pods, env_.client.list(ctx_, pod_type, {.ns = hpa_.ns(), .label_selector = text}));
  Result<std::vector<PodUsage>> usage =
      fail(Kind::invalid, "the server could not find the requested resource (get pods.metrics.k8s.io)");
  if (env_.settings.usage) usage = env_.settings.usage(ctx_, hpa_.ns());
  MetricSources sources{hpa_.ns(), wish.current, pods.items, usage, ctx_.clock->wall()};
  std::vector<MetricFailure> failures;
  std::optional<MetricProposal> best;
  doc::List current;
  auto metrics = hpa_["spec"]["metrics"].items();
  for (const auto& metric : metrics) {
    auto proposal = propose(metric, sources);
    if (!proposal) {
      failures.push_back(std::move(proposal).error());
      current.emplace_back(doc::Map{{"type", metric["type"].text()}});
      continue;
    }
    current.push_back(std::move(proposal->status));
    if (!best || proposal->replicas > best->replicas) best = *std::move(proposal);
  }
  // Some that failed might have asked for more: by the others it does not shrink.
  if (!best || (!failures.empty() && best->replicas < wish.current)) {
    if (failures.empty()) failures.push_back({"InvalidMetricSourceType", "no metrics", "no metrics"});
    auto found = failed(failures, metrics.size(), pods.items);
    if (found == Found::no) status_["currentMetrics"] = std::move(current);
    return found;
  }
  status_["currentMetrics"] = std::move(current);
  tell("ScalingActive", true, "ValidMetricFound",
       "the HPA was able to successfully calculate a replica count from " + best->name);
  wish.desired = best->replicas;
  if (wish.desired > wish.current) reason = best->name + " above target";
  if (wish.desired < wish.current) reason = "All metrics below target";
  auto decision = settle(wish, hpa_["spec"]["behavior"], known_.memory, ctx_.clock->now());
  tell("AbleToScale", true, decision.able_reason, decision.able_message);
  tell("ScalingLimited", decision.limited, decision.limited_reason, decision.limited_message);
  wish.desired = decision.replicas;
  return Found::yes;
}

Result<kube::Reconciled> Autoscaler::Turn::rescale(const kube::Type& type, const Object& target, const ScaleWish& wish,
                                                   const std::string& reason) {
  doc::Value patch;
  patch["metadata"]["resourceVersion"] = target.resource_version();
  patch["spec"]["replicas"] = wish.desired;
  auto done = env_.client.patch(ctx_, type, target.key(), kube::PatchType::merge, patch, env_.write("scale"));
  if (!done && (done.error().is(Kind::conflict) || done.error().is(Kind::cancelled)))
    return Fail(std::move(done).error());  // somebody else has changed it: all over again
  if (!done) {
    warn("FailedRescale",
         fmt::format("New size: {}; reason: {}; error: {}", wish.desired, reason, done.error().what()));
    tell("AbleToScale", false, "FailedUpdateScale",
         "the HPA controller was unable to update the target scale: " + done.error().what());
    return write();
  }
  tell("AbleToScale", true, "SucceededRescale",
       fmt::format("the HPA controller was able to update the target scale to {}", wish.desired));
  env_.event(ctx_, hpa_, "Normal", "SuccessfulRescale", fmt::format("New size: {}; reason: {}", wish.desired, reason));
  remember_change(wish.current, wish.desired, known_.memory, ctx_.clock->now());
  status_["desiredReplicas"] = wish.desired;
  status_["lastScaleTime"] = rfc3339(ctx_.clock->wall());
  // Nobody has heard of its metrics yet.
  return write(find_condition(status_, "ScalingActive") == nullptr ? soon : autoscaler_period);
}

Result<kube::Reconciled> Autoscaler::reconcile(const Ctx& ctx, const kube::Key& key) {
  TRY(auto hpa, env_.client.get(ctx, autoscaler_type, key));
  if (!hpa || hpa->deleting()) {
    known_.erase(key);
    return kube::Reconciled{};
  }
  auto now = ctx.clock->now();
  auto& known = known_[key];
  if (known.uid != hpa->uid()) known = {.uid = hpa->uid(), .spec = {}, .since = now, .due = now, .memory = {}};
  // Its own status wakes it as well: only a change of its spec is a reason to look before the time.
  if (known.due > now && known.spec == (*hpa)["spec"].value())
    return kube::Reconciled{std::chrono::ceil<Millis>(known.due - now)};
  known.spec = (*hpa)["spec"].value();
  auto result = Turn(ctx, env_, *std::move(hpa), known).run();
  known.due = result && result->again ? now + *result->again : now;
  return result;
}

Result<> run_autoscalers(const Ctx& ctx, const Env& env) {
  Autoscaler autoscaler(env);
  kube::ControllerOptions options{.name = env.name, .sources = {{.type = autoscaler_type}}, .workers = 1};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return autoscaler.reconcile(inner, key); });
}

}  // namespace slipway::cluster
