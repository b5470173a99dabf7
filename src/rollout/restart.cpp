#include "rollout/detail/work.h"

namespace slipway::rollout::detail {

void restart_pods(Work& work) {
  auto at = work.spec.restart_at;
  if (!at || work.now_status()["restartedAt"].str_or("") == rfc3339(*at)) return;
  if (*at > work.state.now) return work.wake_at(*at);
  std::vector<const kube::Object*> old;
  std::int64_t missing = 0;
  for (const auto& pod : work.state.pods) {
    auto made = parse_rfc3339(pod["metadata"]["creationTimestamp"].str_or(""));
    if (made && *made < *at && !pod.deleting()) old.push_back(&pod);
  }
  std::int64_t wanted = 0, available = 0;
  for (const auto& set : work.sets) wanted += set.wanted, available += set.available;
  missing = wanted - available;
  if (old.empty()) {
    if (missing > 0) return;  // the last ones are still coming back
    work.status["restartedAt"] = rfc3339(*at);
    work.event("RolloutRestarted", "All pods were made after restartAt");
    return work.wake_now();
  }
  auto stable = work.stable() == nullptr ? std::string() : work.stable()->object.uid();
  std::stable_partition(old.begin(), old.end(),
                        [&](const kube::Object* pod) { return pod->controller() && pod->controller()->uid == stable; });
  auto share = work.spec.canary ? work.spec.canary->unavailable : work.spec.blue_green->unavailable;
  auto budget = std::max<std::int64_t>(1, share.down(work.spec.replicas)) - missing;
  for (const auto* pod : old) {
    if (budget-- <= 0) break;
    work.decision.writes.push_back({Write::Verb::evict, pod->copy(), "RestartPod"});
  }
  // A disruption budget may have refused: again after a while.
  work.wake_at(work.state.now + std::chrono::seconds(30));
}

}  // namespace slipway::rollout::detail
