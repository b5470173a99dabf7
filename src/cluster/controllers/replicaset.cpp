#include "cluster/controllers/replicaset.h"

#include "base/text.h"

namespace slipway::cluster {
namespace {

using kube::Object;

std::int64_t deletion_cost(const Object& pod) {
  return to_int(pod.annotation("controller.kubernetes.io/pod-deletion-cost")).value_or(0);
}

WallTime ready_since(const Object& pod) {
  for (auto condition : pod["status"]["conditions"].items())
    if (condition["type"].str_or("") == "Ready") return time_at(condition["lastTransitionTime"]).value_or(WallTime());
  return {};
}

// Lower goes first. Rule: ActivePodsWithRanks of Kubernetes' controller_utils.
auto worth(const Object& pod) {
  bool assigned = pod["spec"]["nodeName"].present();
  auto phase = phase_of(pod);
  int phase_rank = phase == "Pending" ? 0 : phase == "Unknown" ? 1 : 2;
  auto age = [](WallTime t) { return -t.time_since_epoch().count(); };
  return std::tuple(assigned, phase_rank, is_ready(pod), deletion_cost(pod), is_ready(pod) ? age(ready_since(pod)) : 0,
                    -restarts_of(pod), age(created_at(pod)), pod.name());
}

Result<std::string> create_pods(const Ctx& ctx, const Env& env, const Object& set, std::int64_t count) {
  auto pod = pod_from_template(set, set["spec"]["template"].value());
  for (std::int64_t i = 0; i < count; ++i) {
    TRY_OK(ctx.alive());
    auto made = env.client.create(ctx, pod, env.write());
    if (!made) {
      if (made.error().is(Kind::cancelled)) return Fail(std::move(made).error());
      if (kube::is_namespace_going(made.error())) return std::string();  // the set goes with it
      env.event(ctx, set, "Warning", "FailedCreate", "Error creating: " + made.error().what());
      return made.error().what();
    }
    env.event(ctx, set, "Normal", "SuccessfulCreate", "Created pod: " + made->name());
  }
  return std::string();
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto found, env.client.get(ctx, replicaset_type, key));
  if (!found) return kube::Reconciled{};
  const auto& set = *found;
  TRY(auto selector, selector_of(set));
  TRY(auto pods, claimed_pods(ctx, env, set, selector));
  std::erase_if(pods, [](const Object& pod) { return !is_active(pod); });
  std::string failure;
  if (!set.deleting()) {
    auto plan = plan_replicas(set["spec"]["replicas"].num_or(1), pods);
    TRY(failure, create_pods(ctx, env, set, plan.create));
    for (const auto& pod : plan.remove) {
      TRY_OK(remove_quietly(ctx, env, pod));
      env.event(ctx, set, "Normal", "SuccessfulDelete", "Deleted pod: " + pod.name());
    }
    if (plan.create > 0 || !plan.remove.empty()) {
      TRY(pods, claimed_pods(ctx, env, set, selector));
      std::erase_if(pods, [](const Object& pod) { return !is_active(pod); });
    }
  }
  auto status = replica_status(set, pods, failure, ctx.clock->wall());
  TRY_OK(put_status(ctx, env, set, std::move(status.status)));
  if (!failure.empty()) return fail(Kind::unavailable, "{}: {}", set.describe(), failure);  // again, with back-off
  return kube::Reconciled{status.again};
}

}  // namespace

ReplicaPlan plan_replicas(std::int64_t want, std::vector<Object> active) {
  ReplicaPlan plan;
  auto have = static_cast<std::int64_t>(active.size());
  if (have <= want) {
    plan.create = want - have;
    return plan;
  }
  std::sort(active.begin(), active.end(), [](const Object& a, const Object& b) { return worth(a) < worth(b); });
  active.resize(have - want);
  plan.remove = std::move(active);
  return plan;
}

ReplicaStatus replica_status(const Object& set, const std::vector<Object>& active, const std::string& failure,
                             WallTime now) {
  ReplicaStatus result;
  Millis min_ready(set["spec"]["minReadySeconds"].num_or(0) * 1000);
  auto labels = kube::Object(set["spec"]["template"].value()).labels();
  std::int64_t ready = 0, available = 0, labeled = 0;
  for (const auto& pod : active) {
    auto have = pod.labels();
    labeled += std::all_of(labels.begin(), labels.end(),
                           [&](const auto& l) { return have.contains(l.first) && have[l.first] == l.second; });
    ready += is_ready(pod);
    auto when = availability(pod, min_ready, now);
    available += when.available;
    if (when.wait) result.again = std::min(result.again.value_or(*when.wait), *when.wait);
  }
  auto& status = result.status;
  if (const auto* conditions = set.value().find_path({"status", "conditions"})) status["conditions"] = *conditions;
  status["replicas"] = static_cast<std::int64_t>(active.size());
  if (labeled > 0) status["fullyLabeledReplicas"] = labeled;
  if (ready > 0) status["readyReplicas"] = ready;
  if (available > 0) status["availableReplicas"] = available;
  status["observedGeneration"] = set.generation();
  if (failure.empty())
    drop_condition(status, "ReplicaFailure");
  else
    put_condition(status, {"ReplicaFailure", "True", "FailedCreate", failure}, now);
  if (const auto* left = status.find("conditions"); left != nullptr && left->if_list()->empty())
    status.map().erase("conditions");
  return result;
}

Result<> run_replicasets(const Ctx& ctx, const Env& env) {
  kube::ControllerOptions options{.name = env.name,
                                  .sources = {{.type = replicaset_type}, pods_of(env.client, replicaset_type, ctx)},
                                  .workers = 2};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
