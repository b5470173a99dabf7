// A Job whose end is the measurement.
#include "base/text.h"
#include "verify/detail/providers.h"

namespace slipway::verify::detail {
namespace {

const kube::Type job_type{"batch/v1", "Job"}, pod_type{"v1", "Pod"};

// Images that will not come: waiting longer does not help.
std::string hopeless(const kube::Object& pod) {
  for (auto list : {"initContainerStatuses", "containerStatuses"})
    for (const auto& status : pod["status"][list].items()) {
      auto waiting = status["state"]["waiting"];
      auto reason = waiting["reason"].str_or("");
      if (reason == "ErrImagePull" || reason == "ImagePullBackOff" || reason == "InvalidImageName" ||
          reason == "CreateContainerConfigError")
        return fmt::format("{}: {}", reason, waiting["message"].str_or(status["image"].str_or("")));
    }
  return {};
}

}  // namespace

Result<Measurement> start_job(const Ctx& ctx, kube::Client& client, const Providers::Asked& asked, doc::View spec) {
  if (!spec["spec"]["template"]) return spec["spec"].wrong("want a Job's spec with a template");
  auto number = asked.result.count + asked.result.error + 1;
  auto tail = fmt::format(".{}.{}", lower(asked.metric.name), number);
  auto id = asked.run.uid().empty() ? asked.run.name() : asked.run.uid();
  auto name = id.substr(0, 63 - std::min<std::size_t>(tail.size(), 40)) + tail.substr(0, 40);
  kube::StringMap labels{{"analysisrun.argoproj.io/uid", asked.run.uid()}};
  for (const auto& [key, value] : spec["metadata"]["labels"].members()) labels[key] = value.text();
  kube::StringMap annotations{{"analysisrun.argoproj.io/name", asked.run.name()},
                              {"analysisrun.argoproj.io/metric-name", asked.metric.name}};
  for (const auto& [key, value] : spec["metadata"]["annotations"].members()) annotations[key] = value.text();
  auto job = kube::make_object(job_type, {asked.run.ns(), name}, labels, annotations);
  job["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(asked.run)};
  job["spec"] = spec["spec"].value();
  if (!spec["spec"]["backoffLimit"]) job["spec"]["backoffLimit"] = 0;
  auto made = client.create(ctx, job, {});
  // It exists when we were killed after the create: that one is followed.
  if (!made && !made.error().is(Kind::conflict)) return Fail(std::move(made).error());
  Measurement m;
  m.phase = Phase::running;
  m.metadata = {{"job-name", name}, {"job-namespace", asked.run.ns()}};
  return m;
}

Result<Measurement> follow_job(const Ctx& ctx, kube::Client& client, const std::string& ns, Measurement m) {
  auto name = m.metadata["job-name"];
  TRY(auto job, client.get(ctx, job_type, {ns, name}));
  if (!job) return fail(Kind::not_found, "Job {}/{} is gone", ns, name);
  if (kube::condition_status(*job, "Complete") == "True") {
    m.phase = Phase::successful;
    return m;
  }
  if (kube::condition_status(*job, "Failed") == "True") {
    m.phase = Phase::failed;
    for (const auto& condition : (*job)["status"]["conditions"].items())
      if (condition["type"].str_or("") == "Failed") m.message = condition["message"].str_or("the Job failed");
    return m;
  }
  kube::ListOptions options{.ns = ns, .label_selector = "batch.kubernetes.io/job-name=" + name, .field_selector = ""};
  TRY(auto pods, client.list(ctx, pod_type, options));
  for (const auto& pod : pods.items)
    if (auto why = hopeless(pod); !why.empty()) {
      m.phase = Phase::inconclusive, m.message = why;
      return m;
    }
  return m;
}

}  // namespace slipway::verify::detail
