// One metric of a HorizontalPodAutoscaler: from what the node measured to a number of replicas.
#include "cluster/controllers/autoscaler.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

using Proposed = std::expected<MetricProposal, MetricFailure>;

std::string amount(std::int64_t milli) {
  return kube::Quantity{.nanos = static_cast<__int128>(milli) * 1'000'000, .format = kube::Quantity::Format::decimal}
      .print();
}

std::optional<std::int64_t> milli_of(const ContainerUsage& usage, const std::string& resource) {
  if (resource == "cpu") return (usage.cpu_nanos + 999'999) / 1'000'000;
  if (resource == "memory") return usage.memory_bytes * 1000;
  return std::nullopt;
}

// Errors: what reading the usage said, unavailable (nothing of these pods yet), invalid (no such container).
Result<PodReadings> readings_of(const MetricSources& sources, const std::string& resource,
                                const std::string& container) {
  if (!sources.usage)
    return fail(sources.usage.error().kind(),
                "unable to get metrics for resource {}: unable to fetch metrics from "
                "resource metrics API: {}",
                resource, sources.usage.error().what());
  std::set<std::string> names;
  for (const auto& pod : sources.pods) names.insert(pod.name());
  PodReadings readings;
  bool any = false;
  for (const auto& usage : *sources.usage) {
    if (!names.contains(usage.pod.name)) continue;
    any = true;
    std::optional<std::int64_t> sum;
    for (const auto& used : usage.containers)
      if (container.empty() || used.name == container)
        if (auto milli = milli_of(used, resource)) sum = sum.value_or(0) + *milli;
    bool there = std::any_of(usage.containers.begin(), usage.containers.end(),
                             [&](const auto& used) { return used.name == container; });
    if (!container.empty() && !there)
      return fail(Kind::invalid,
                  "unable to get metrics for resource {}: failed to get container metrics: container {} not present in "
                  "metrics for pod {}",
                  resource, container, usage.pod.str());
    if (sum) readings[usage.pod.name] = {*sum, usage.time, usage.window};
  }
  if (!any)
    return fail(Kind::unavailable,
                "unable to get metrics for resource {}: no metrics returned from resource metrics API", resource);
  return readings;
}

Result<MetricAnswer> ask(const doc::View& source, const MetricSources& sources) {
  auto resource = source["name"].text(), container = source["container"].text();
  auto target = source["target"];
  TRY(auto readings, readings_of(sources, resource, container));
  MetricQuestion question{sources.current, resource, container, sources.pods, std::move(readings), sources.now};
  if (!target["averageValue"].present())
    return replicas_by_utilization(std::move(question), target["averageUtilization"].num_or(0));
  TRY(auto quantity, kube::Quantity::parse(target["averageValue"].text()));
  return replicas_by_average(std::move(question), quantity.millis());
}

Proposed resource(const doc::View& metric, const MetricSources& sources) {
  bool one = metric["type"].text() == "ContainerResource";
  std::string_view member = one ? "containerResource" : "resource";
  auto source = metric[member], target = source["target"];
  auto name = source["name"].text();
  bool amounts = target["averageValue"].present();
  auto failed = [&](const std::string& why, bool not_yet) -> Proposed {
    return std::unexpected(
        MetricFailure{one ? "FailedGetContainerResourceMetric" : "FailedGetResourceMetric", why,
                      one ? fmt::format("failed to get {} container metric value: {}", source["container"].text(), why)
                          : fmt::format("failed to get {} resource metric value: {}", name, why),
                      not_yet});
  };
  if (!amounts && !target["averageUtilization"].present())
    return failed(
        "invalid resource metric source: neither an average utilization target nor an average value (usage) target was "
        "set",
        false);
  auto answer = ask(source, sources);
  if (!answer)
    return failed(
        fmt::format("failed to get {} {}: {}", name, amounts ? "usage" : "utilization", answer.error().what()),
        answer.error().is(Kind::unavailable));
  MetricProposal out{.replicas = answer->replicas, .name = {}, .status = {}};
  out.name = fmt::format("{}{} resource{}", name, one ? " container" : "",
                         amounts ? "" : " utilization (percentage of request)");
  out.status["type"] = metric["type"].text();
  auto& status = out.status[member];
  status["name"] = name;
  if (one) status["container"] = source["container"].text();
  status["current"]["averageValue"] = amount(answer->average_milli);
  if (answer->utilization) status["current"]["averageUtilization"] = *answer->utilization;
  return out;
}

// Metrics of adapters, of which there are none here.
MetricFailure from_adapters(const doc::View& metric, const std::string& ns) {
  constexpr std::string_view custom =
                                 "unable to fetch metrics from custom metrics API: no custom metrics API "
                                 "(custom.metrics.k8s.io) registered",
                             external =
                                 "unable to fetch metrics from external metrics API: no external metrics API "
                                 "(external.metrics.k8s.io) registered";
  auto type = metric["type"].text();
  if (type == "Pods") {
    auto why = fmt::format("unable to get metric {}: {}", metric["pods"]["metric"]["name"].text(), custom);
    return {"FailedGetPodsMetric", why, "failed to get pods metric value: " + why};
  }
  if (type == "Object") {
    auto about = metric["object"]["describedObject"];
    auto why = fmt::format("unable to get metric {} on {} {}/{}: {}", metric["object"]["metric"]["name"].text(),
                           about["kind"].text(), ns, about["name"].text(), custom);
    return {"FailedGetObjectMetric", why, "failed to get object metric value: " + why};
  }
  if (type == "External") {
    auto name = metric["external"]["metric"]["name"].text();
    auto why = fmt::format("unable to get external metric {}/{}: {}", ns, name, external);
    return {"FailedGetExternalMetric", why, fmt::format("failed to get {} external metric value: {}", name, why)};
  }
  auto why = fmt::format("unknown metric source type \"{}\"", type);
  return {"InvalidMetricSourceType", why, why};
}

}  // namespace

Proposed propose(const doc::View& metric, const MetricSources& sources) {
  auto type = metric["type"].text();
  if (type == "Resource" || type == "ContainerResource") return resource(metric, sources);
  return std::unexpected(from_adapters(metric, sources.ns));
}

}  // namespace slipway::cluster
