// How many pods a metric asks for. Rule: replica_calculator.go.
#include <cmath>

#include "cluster/controllers/autoscaler.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

using kube::Object;

constexpr double tolerance = 0.1;
// --horizontal-pod-autoscaler-cpu-initialization-period and -initial-readiness-delay.
constexpr std::chrono::seconds initialization{300}, readiness_delay{30};

struct Groups {
  std::int64_t ready = 0;
  std::vector<std::string> unready, missing, ignored;
};

// The CPU of a pod that starts says nothing of its load.
bool is_starting(const Object& pod, const PodReading& reading, WallTime now) {
  auto started = time_at(pod["status"]["startTime"]);
  for (auto condition : pod["status"]["conditions"].items()) {
    if (condition["type"].str_or("") != "Ready") continue;
    if (!started) return true;
    auto since = time_at(condition["lastTransitionTime"]).value_or(WallTime());
    bool unready = condition["status"].str_or("") == "False";
    if (*started + initialization > now) return unready || reading.time < since + reading.window;
    return unready && *started + readiness_delay > since;  // it never was ready
  }
  return true;
}

Groups group(const MetricQuestion& question) {
  Groups groups;
  for (const auto& pod : question.pods) {
    auto phase = phase_of(pod);
    auto reading = question.readings.find(pod.name());
    if (pod.deleting() || phase == "Failed")
      groups.ignored.push_back(pod.name());
    else if (phase == "Pending")
      groups.unready.push_back(pod.name());
    else if (reading == question.readings.end())
      groups.missing.push_back(pod.name());
    else if (question.resource == "cpu" && is_starting(pod, reading->second, question.now))
      groups.unready.push_back(pod.name());
    else
      ++groups.ready;
  }
  return groups;
}

std::optional<std::int64_t> request_of(const doc::View& container, const std::string& resource) {
  auto text = container["resources"]["requests"][resource].text();
  auto quantity = kube::Quantity::parse(text);
  if (text.empty() || !quantity) return std::nullopt;
  return quantity->millis();
}

// By pod, in thousandths. Errors: invalid.
Result<std::map<std::string, std::int64_t>> requests_of(const MetricQuestion& question) {
  std::map<std::string, std::int64_t> requests;
  for (const auto& pod : question.pods) {
    auto& sum = requests[pod.name()];
    for (std::string_view list : {"containers", "initContainers"})
      for (const auto& container : pod["spec"][list].items()) {
        auto name = container["name"].text();
        bool runs_on = list == "containers" || container["restartPolicy"].text() == "Always";
        if (!runs_on || (!question.container.empty() && name != question.container)) continue;
        auto request = request_of(container, question.resource);
        if (!request)
          return fail(Kind::invalid, "missing request for {} in container {} of Pod {}", question.resource, name,
                      pod.name());
        sum += *request;
      }
  }
  return requests;
}

struct Ratio {
  double of_target = 0;
  std::optional<std::int64_t> utilization;
  std::int64_t average_milli = 0;
};
using RatioOf = std::function<Result<Ratio>(const PodReadings&)>;
// What a pod without a reading is taken to use when the others use too little.
using Assumed = std::function<std::int64_t(const std::string& pod)>;

Result<MetricAnswer> decide(MetricQuestion& question, const Groups& groups, const RatioOf& ratio_of,
                            const Assumed& assumed) {
  auto& readings = question.readings;
  TRY(auto ratio, ratio_of(readings));
  auto answer = [&](std::int64_t replicas) { return MetricAnswer{replicas, ratio.utilization, ratio.average_milli}; };
  auto up = [](double number) { return static_cast<std::int64_t>(std::ceil(number)); };
  auto near = [](double r) { return std::abs(1.0 - r) <= tolerance; };
  bool starting = !groups.unready.empty() && ratio.of_target > 1.0;
  if (!starting && groups.missing.empty())
    return answer(near(ratio.of_target) ? question.current : up(ratio.of_target * static_cast<double>(groups.ready)));
  // The cautious guess: who is not seen uses all of it where pods would go, and nothing where pods would come.
  for (const auto& pod : groups.missing)
    if (ratio.of_target != 1.0) readings[pod] = {.milli = ratio.of_target < 1.0 ? assumed(pod) : 0};
  if (starting)
    for (const auto& pod : groups.unready) readings[pod] = {};
  TRY(auto careful, ratio_of(readings));
  bool turned =
      (ratio.of_target < 1.0 && careful.of_target > 1.0) || (ratio.of_target > 1.0 && careful.of_target < 1.0);
  if (near(careful.of_target) || turned) return answer(question.current);
  auto replicas = up(careful.of_target * static_cast<double>(readings.size()));
  if ((careful.of_target < 1.0 && replicas > question.current) ||
      (careful.of_target > 1.0 && replicas < question.current))
    return answer(question.current);
  return answer(replicas);
}

// Takes out the readings that do not count. Errors: unavailable.
Result<Groups> prepare(MetricQuestion& question) {
  if (question.pods.empty())
    return fail(Kind::unavailable, "no pods returned by selector while calculating replica count");
  auto groups = group(question);
  for (const auto* names : {&groups.ignored, &groups.unready})
    for (const auto& name : *names) question.readings.erase(name);
  if (question.readings.empty())
    return fail(Kind::unavailable, "did not receive metrics for targeted pods (pods might be unready)");
  return groups;
}

}  // namespace

Result<MetricAnswer> replicas_by_utilization(MetricQuestion question, std::int64_t percent) {
  TRY(auto groups, prepare(question));
  TRY(auto requests, requests_of(question));
  auto ratio_of = [&](const PodReadings& readings) -> Result<Ratio> {
    std::int64_t used = 0, requested = 0, count = 0;
    for (const auto& [pod, reading] : readings)
      if (auto it = requests.find(pod); it != requests.end()) used += reading.milli, requested += it->second, ++count;
    if (requested == 0) return fail(Kind::invalid, "no metrics returned matched known pods");
    auto utilization = static_cast<std::int64_t>(static_cast<__int128>(used) * 100 / requested);
    return Ratio{static_cast<double>(utilization) / static_cast<double>(percent), utilization, used / count};
  };
  auto assumed = [&](const std::string& pod) { return requests[pod] * std::max<std::int64_t>(100, percent) / 100; };
  return decide(question, groups, ratio_of, assumed);
}

Result<MetricAnswer> replicas_by_average(MetricQuestion question, std::int64_t milli) {
  TRY(auto groups, prepare(question));
  auto ratio_of = [&](const PodReadings& readings) -> Result<Ratio> {
    std::int64_t used = 0;
    for (const auto& [pod, reading] : readings) used += reading.milli;
    auto average = used / static_cast<std::int64_t>(readings.size());
    return Ratio{static_cast<double>(average) / static_cast<double>(milli), std::nullopt, average};
  };
  return decide(question, groups, ratio_of, [&](const std::string&) { return milli; });
}

}  // namespace slipway::cluster
