#include "rollout/detail/work.h"
#include "rollout/rollout.h"

namespace slipway::rollout {
namespace {

// Services the strategy names must exist; a wrong name is the spec's fault.
std::string missing_service(const State& state, const Spec& spec) {
  std::vector<std::string> names;
  if (spec.canary)
    names = {spec.canary->canary_service, spec.canary->stable_service};
  else
    names = {spec.blue_green->active_service, spec.blue_green->preview_service};
  for (const auto& name : names) {
    auto it = state.services.find(name);
    if (name.empty()) continue;
    if (it == state.services.end() || !it->second) return fmt::format("spec.strategy: service \"{}\" not found", name);
    auto owner = it->second.annotation(detail::managed_annotation);
    if (!owner.empty() && owner != state.rollout.name())
      return fmt::format("spec.strategy: service \"{}\" is managed by another Rollout: {}", name, owner);
  }
  return {};
}

// The Deployment whose template is borrowed steps back.
void scale_workload(detail::Work& work) {
  const auto& how = work.spec.workload_scale_down;
  const auto& workload = work.state.workload;
  if (work.spec.workload.empty() || !workload || how == "never") return;
  auto now = workload["spec"]["replicas"].num_or(1);
  auto available = work.fresh() == nullptr ? 0 : work.fresh()->available;
  auto to = now;
  if (how == "onsuccess" && work.is_stable() && available >= work.spec.replicas) to = 0;
  if (how == "progressively") to = std::min(now, std::max<std::int64_t>(0, work.spec.replicas - available));
  if (to == now) return;
  auto object = workload.copy();
  object["spec"]["replicas"] = to;
  work.decision.writes.push_back({Write::Verb::update, std::move(object), "ScalingWorkload"});
}

}  // namespace

Decision step(const State& state) {
  Decision refused;
  auto spec = parse_spec(state.rollout, state.workload);
  if (!spec) {
    refused.status = detail::invalid_status(state, spec.error().what());
    return refused;
  }
  if (auto missing = missing_service(state, *spec); !missing.empty()) {
    refused.status = detail::invalid_status(state, missing);
    refused.again = Millis(20000);
    return refused;
  }
  detail::Work work(state, *std::move(spec));
  bool there = detail::ensure_new_set(work);
  detail::reset_if_changed(work);
  if (there) {
    if (work.spec.canary)
      detail::canary(work);
    else
      detail::blue_green(work);
    scale_workload(work);
    detail::restart_pods(work);
  }
  detail::finish_status(work);
  detail::write_sets(work);
  work.decision.status = std::move(work.status);
  return std::move(work.decision);
}

}  // namespace slipway::rollout
