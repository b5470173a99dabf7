#include "cluster/controllers/job.h"

#include "base/text.h"

namespace slipway::cluster {
namespace {

using kube::Object;

Result<> untrack(const Ctx& ctx, const Env& env, const Object& pod) {
  auto changed =
      kube::modify(ctx, env.client, pod_type, pod.key(), env.write(), [&](doc::Value& value) -> Result<bool> {
        if (Object(value).uid() != pod.uid()) return false;
        auto& list = value["metadata"]["finalizers"].list();
        auto dropped = std::erase_if(list, [](const doc::Value& f) { return f == doc::Value(tracking_finalizer); });
        if (list.empty()) value["metadata"].map().erase("finalizers");
        return dropped > 0;
      });
  if (changed || changed.error().is(Kind::not_found)) return {};
  return Fail(std::move(changed).error());
}

Result<> create_pod(const Ctx& ctx, const Env& env, const Object& job, std::int64_t index) {
  auto pod = pod_from_template(job, job["spec"]["template"].value());
  auto& metadata = pod["metadata"];
  metadata["finalizers"].list().push_back(tracking_finalizer);
  for (auto prefix : {"batch.kubernetes.io/", ""}) {
    metadata["labels"][fmt::format("{}job-name", prefix)] = job.name();
    metadata["labels"][fmt::format("{}controller-uid", prefix)] = job.uid();
  }
  if (index >= 0) {
    metadata["labels"][index_annotation] = std::to_string(index);
    metadata["annotations"][index_annotation] = std::to_string(index);
    metadata["generateName"] = fmt::format("{}-{}-", job.name(), index);
    pod["spec"]["hostname"] = fmt::format("{}-{}", job.name(), index);
    for (auto part : {"containers", "initContainers"}) {
      auto* list = pod["spec"].map().find(part);
      if (list == nullptr || !list->is_list()) continue;
      for (auto& container : list->list()) {
        doc::Value variable;
        variable["name"] = "JOB_COMPLETION_INDEX";
        variable["value"] = std::to_string(index);
        container["env"].list().push_back(std::move(variable));
      }
    }
  }
  auto made = env.client.create(ctx, std::move(pod), env.write());
  if (!made) {
    env.event(ctx, job, "Warning", "FailedCreate", "Error creating: " + made.error().what());
    return Fail(std::move(made).error());
  }
  env.event(ctx, job, "Normal", "SuccessfulCreate", "Created pod: " + made->name());
  return {};
}

// The selector of a job is its own uid, unless somebody chose one.
Result<Object> with_selector(const Ctx& ctx, const Env& env, const Object& job) {
  if (job["spec"]["selector"].present()) return job;
  return kube::modify(ctx, env.client, job_type, job.key(), env.write(), [&](doc::Value& value) -> Result<bool> {
    value["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"] = job.uid();
    return true;
  });
}

Result<kube::Reconciled> after_end(const Ctx& ctx, const Env& env, const Object& job, const std::vector<Object>& pods) {
  for (const auto& pod : pods) {
    TRY_OK(untrack(ctx, env, pod));
  }
  auto ttl = job["spec"]["ttlSecondsAfterFinished"];
  if (!ttl.present() || job.deleting()) return kube::Reconciled{};
  std::optional<WallTime> ended;
  for (auto condition : job["status"]["conditions"].items()) {
    auto type = condition["type"].str_or("");
    if (type == "Complete" || type == "Failed") ended = time_at(condition["lastTransitionTime"]);
  }
  if (!ended) return kube::Reconciled{};
  auto left = *ended + std::chrono::seconds(ttl.num_or(0)) - ctx.clock->wall();
  if (left.count() > 0) return kube::Reconciled{std::chrono::ceil<Millis>(left)};
  TRY_OK(remove_quietly(ctx, env, job, {.propagation = kube::RemoveOptions::Propagation::foreground}));
  return kube::Reconciled{};
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto found, env.client.get(ctx, job_type, key));
  if (!found) {
    // Pods of a job that is gone must not keep our finalizer.
    TRY(auto pods,
        env.client.list(ctx, pod_type, {.ns = key.ns, .label_selector = "batch.kubernetes.io/job-name=" + key.name}));
    for (const auto& pod : pods.items) TRY_OK(untrack(ctx, env, pod));
    return kube::Reconciled{};
  }
  TRY(auto job, with_selector(ctx, env, *found));
  TRY(auto selector, selector_of(job));
  TRY(auto pods, claimed_pods(ctx, env, job, selector));
  if (is_job_finished(job) || job.deleting()) return after_end(ctx, env, job, pods);
  auto plan = plan_job(job, pods, ctx.clock->wall());
  TRY_OK(put_status(ctx, env, job, plan.status));
  for (const auto& pod : plan.untrack) TRY_OK(untrack(ctx, env, pod));
  for (const auto& pod : plan.remove) {
    TRY_OK(remove_quietly(ctx, env, pod));
    env.event(ctx, job, "Normal", "SuccessfulDelete", "Deleted pod: " + pod.name());
  }
  for (auto index : plan.create) TRY_OK(create_pod(ctx, env, job, index));
  if (!plan.event_reason.empty())
    env.event(ctx, job, plan.event_reason == "Completed" ? "Normal" : "Warning", plan.event_reason, plan.event_message);
  // What was untracked moves into the counters in the next pass.
  if (!plan.untrack.empty() && !plan.again) return kube::Reconciled{Millis(0)};
  return kube::Reconciled{plan.again};
}

}  // namespace

Result<> run_jobs(const Ctx& ctx, const Env& env) {
  kube::ControllerOptions options{
      .name = env.name, .sources = {{.type = job_type}, pods_of(env.client, job_type, ctx)}, .workers = 2};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
