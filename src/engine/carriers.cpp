#include <algorithm>

#include "base/time.h"
#include "engine/house.h"
#include "engine/verification.h"
#include "gitops/customizations.h"

namespace slipway::engine {
namespace {

const kube::Type rollout{"argoproj.io/v1alpha1", "Rollout"}, deployment{"apps/v1", "Deployment"},
    stateful_set{"apps/v1", "StatefulSet"}, daemon_set{"apps/v1", "DaemonSet"}, cron_job{"batch/v1", "CronJob"},
    job{"batch/v1", "Job"};

doc::View pod_of(const kube::Object& workload) {
  auto spec = workload["spec"];
  return (workload.kind() == cron_job.kind ? spec["jobTemplate"]["spec"] : spec)["template"]["spec"];
}

bool carries(const kube::Object& workload, const std::string& digest) {
  auto pod = pod_of(workload);
  for (auto list : {"containers", "initContainers"})
    for (const auto& container : pod[list].items())
      if (container["image"].text().contains(digest)) return true;
  return false;
}

// One that its CronJob or another made is judged by what made it.
bool is_own(const kube::Object& workload) { return !workload.controller(); }

Result<Seen> judge(const Ctx& ctx, const gitops::Customizations& customizations, const kube::Object& workload,
                   WallTime since) {
  auto named = [&](const std::string& why) {
    return fmt::format("{} {}{}{}", workload.kind(), workload.name(), why.empty() ? "" : ": ", why);
  };
  if (workload["status"]["abort"].bool_or(false))
    return Seen{Seen::State::failed, workload["status"]["message"].str_or("the rollout was aborted")};
  if (workload.kind() == cron_job.kind) {
    auto ran = parse_rfc3339(workload["status"]["lastScheduleTime"].text());
    if (!ran || *ran < since) return Seen{Seen::State::healthy, ""};
  }
  auto health = gitops::health_of(ctx, customizations, workload);
  if (!health) return Seen{Seen::State::coming, named("")};
  if (health->health == gitops::Health::healthy) return Seen{Seen::State::healthy, ""};
  // Somebody starts it later.
  if (workload.kind() == job.kind && health->health == gitops::Health::suspended) return Seen{Seen::State::healthy, ""};
  if (health->health == gitops::Health::degraded) return Seen{Seen::State::failed, named(health->message)};
  return Seen{Seen::State::coming, named(health->message)};
}

}  // namespace

Result<Seen> look_at_carriers(const Ctx& ctx, House& house, kube::Client& client, const std::string& ns,
                              const std::string& digest, WallTime since) {
  TRY(auto customizations, gitops::read_customizations(ctx, *house.client));
  std::optional<Seen> found;
  for (const auto& type : {rollout, deployment, stateful_set, daemon_set, cron_job, job}) {
    auto list = client.list(ctx, type, {.ns = ns});
    if (!list && list.error().is(Kind::not_found)) continue;  // not every cluster has Rollouts
    if (!list) return Fail(std::move(list).error());
    for (const auto& workload : list->items) {
      if (!carries(workload, digest) || !is_own(workload)) continue;
      TRY(auto seen, judge(ctx, *customizations, workload, since));
      if (seen.state == Seen::State::failed) return seen;
      if (!found || found->state == Seen::State::healthy) found = seen;
    }
  }
  return found.value_or(Seen{Seen::State::coming, "not deployed yet"});
}

}  // namespace slipway::engine
