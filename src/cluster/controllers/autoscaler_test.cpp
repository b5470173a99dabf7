// Autoscaling: its decisions from values alone, and the controller against the embedded API on a clock of the test's.
#include "cluster/controllers/autoscaler.h"

#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "cluster/node/usage_meter.h"
#include "cluster/testing.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

using kube::Object;
using std::chrono::seconds;

Object yaml(std::string_view text) { return Object(must(doc::parse_yaml(text))); }
const WallTime noon = must(parse_rfc3339("2026-03-01T12:00:00Z"));

// A pod that has been ready for long; `request` of CPU.
Object pod(std::string_view name, std::string_view request = "100m", std::string_view more = "") {
  return yaml(fmt::format(
      "{{metadata: {{name: {}, {}}}, spec: {{containers: [{{name: c, resources: {{requests: {{{}}}}}}}]}}, status: "
      "{{phase: Running, startTime: '2026-03-01T10:00:00Z', conditions: [{{type: Ready, status: 'True', "
      "lastTransitionTime: '2026-03-01T10:00:05Z'}}]}}}}",
      name, more, request.empty() ? "" : fmt::format("cpu: {}", request)));
}
Object starting_pod(std::string_view name, std::string_view ready = "False") {
  return yaml(fmt::format(
      "{{metadata: {{name: {}}}, spec: {{containers: [{{name: c, resources: {{requests: {{cpu: 100m}}}}}}]}}, status: "
      "{{phase: Running, startTime: '2026-03-01T11:59:00Z', conditions: [{{type: Ready, status: '{}', "
      "lastTransitionTime: '2026-03-01T11:59:50Z'}}]}}}}",
      name, ready));
}
std::string print(const Result<MetricAnswer>& answer) {
  if (!answer) return std::string(to_string(answer.error().kind())) + ": " + answer.error().what();
  return fmt::format("{} at {}%, {}m", answer->replicas, answer->utilization.value_or(-1), answer->average_milli);
}
MetricQuestion question(std::int64_t current, const std::vector<Object>& pods,
                        std::map<std::string, std::int64_t> used) {
  MetricQuestion q{current, "cpu", "", pods, {}, noon};
  for (const auto& [name, milli] : used) q.readings[name] = {milli, noon, Millis(15000)};
  return q;
}

TEST(Autoscaling, UtilizationAsKubernetesCountsIt) {
  std::vector<Object> two{pod("a"), pod("b")};
  auto of = [](std::int64_t current, const std::vector<Object>& pods, std::map<std::string, std::int64_t> used,
               std::int64_t percent) {
    return print(replicas_by_utilization(question(current, pods, std::move(used)), percent));
  };
  EXPECT_EQ(of(2, two, {{"a", 200}, {"b", 100}}, 50), "6 at 150%, 150m");
  EXPECT_EQ(of(2, two, {{"a", 54}, {"b", 54}}, 50), "2 at 54%, 54m") << "within the tolerance";
  EXPECT_EQ(of(2, two, {{"a", 10}, {"b", 10}}, 50), "1 at 10%, 10m");
  EXPECT_EQ(of(2, two, {{"a", 10}}, 50), "2 at 10%, 10m") << "the one that is missing is taken to use all";
  EXPECT_EQ(of(2, two, {{"a", 200}}, 50), "4 at 200%, 200m") << "the one that is missing is taken to use nothing";
  EXPECT_EQ(of(2, {pod("a"), starting_pod("b")}, {{"a", 200}, {"b", 900}}, 50), "4 at 200%, 200m")
      << "one that starts counts only as there";
  EXPECT_EQ(of(2, {pod("a"), starting_pod("b")}, {{"a", 10}, {"b", 900}}, 50), "1 at 10%, 10m");
  EXPECT_EQ(of(2, {pod("a"), starting_pod("b", "True")}, {{"a", 100}, {"b", 900}}, 50), "2 at 100%, 100m")
      << "its window began before it was ready";
  EXPECT_EQ(of(2, {pod("a"), pod("b", "100m", "deletionTimestamp: x")}, {{"a", 100}, {"b", 900}}, 50),
            "2 at 100%, 100m");
  EXPECT_EQ(of(2, {starting_pod("a")}, {{"a", 10}}, 50),
            "unavailable: did not receive metrics for targeted pods (pods might be unready)");
  EXPECT_EQ(of(2, {}, {}, 50), "unavailable: no pods returned by selector while calculating replica count");
  EXPECT_EQ(of(1, {pod("a", "")}, {{"a", 10}}, 50), "invalid: missing request for cpu in container c of Pod a");
}

TEST(Autoscaling, AveragesNeedNoRequests) {
  std::vector<Object> pods{pod("a", ""), pod("b", "")};
  auto of = [&](std::map<std::string, std::int64_t> used) {
    return print(replicas_by_average(question(2, pods, std::move(used)), 100));
  };
  EXPECT_EQ(of({{"a", 200}, {"b", 101}}), "3 at -1%, 150m");
  EXPECT_EQ(of({{"a", 10}, {"b", 10}}), "1 at -1%, 10m");
  EXPECT_EQ(of({{"a", 10}}), "2 at -1%, 10m");
}

std::string print(const ScaleDecision& d) {
  return fmt::format("{} {} {}{}", d.replicas, d.able_reason, d.limited ? "limited: " : "", d.limited_reason);
}

TEST(Autoscaling, WithoutABehavior) {
  ScaleMemory memory;
  Clock::time_point start{std::chrono::hours(10)};
  auto at = [&](int second, std::int64_t current, std::int64_t desired) {
    return print(settle({current, desired, 2, 20}, doc::View(doc::Value()), memory, start + seconds(second)));
  };
  EXPECT_EQ(at(0, 3, 19), "6 ReadyForNewScale limited: ScaleUpLimit");
  EXPECT_EQ(at(15, 6, 12), "12 ScaleDownStabilized limited: ScaleUpLimit");
  EXPECT_EQ(at(30, 12, 40), "20 ReadyForNewScale limited: TooManyReplicas");
  EXPECT_EQ(at(45, 20, 1), "20 ScaleDownStabilized limited: TooManyReplicas");
  EXPECT_EQ(at(331, 20, 1), "2 ReadyForNewScale limited: TooFewReplicas");
  EXPECT_EQ(at(346, 2, 2), "2 ReadyForNewScale DesiredWithinRange");
}

TEST(Autoscaling, BehaviorsLimitSpeed) {
  auto behavior = yaml(R"(
scaleUp: {stabilizationWindowSeconds: 0, selectPolicy: Max, policies: [{type: Pods, value: 2, periodSeconds: 60}, {type: Percent, value: 50, periodSeconds: 60}]}
scaleDown: {stabilizationWindowSeconds: 30, selectPolicy: Min, policies: [{type: Pods, value: 4, periodSeconds: 60}, {type: Percent, value: 10, periodSeconds: 60}]}
)");
  ScaleMemory memory;
  Clock::time_point start{std::chrono::hours(10)};
  auto at = [&](int second, std::int64_t current, std::int64_t desired) {
    auto now = start + seconds(second);
    auto decision = settle({current, desired, 1, 100}, behavior.view(), memory, now);
    remember_change(current, decision.replicas, memory, now);
    return print(decision);
  };
  EXPECT_EQ(at(0, 2, 50), "4 ReadyForNewScale limited: ScaleUpLimit");
  EXPECT_EQ(at(15, 4, 50), "4 ReadyForNewScale limited: ScaleUpLimit") << "two pods a minute";
  EXPECT_EQ(at(60, 4, 50), "6 ReadyForNewScale limited: ScaleUpLimit");
  EXPECT_EQ(at(121, 6, 9), "9 ReadyForNewScale DesiredWithinRange") << "half of six";
  EXPECT_EQ(at(300, 40, 10), "36 ReadyForNewScale limited: ScaleDownLimit") << "the smaller change of the two";
  EXPECT_EQ(at(315, 36, 10), "36 ReadyForNewScale limited: ScaleDownLimit");
  EXPECT_EQ(at(320, 36, 36), "36 ReadyForNewScale DesiredWithinRange");
  EXPECT_EQ(at(345, 36, 10), "36 ScaleDownStabilized DesiredWithinRange") << "36 was wanted 25 s ago";
  auto off = yaml("{scaleUp: {selectPolicy: Disabled}, scaleDown: {selectPolicy: Disabled}}");
  ScaleMemory none;
  EXPECT_EQ(print(settle({3, 9, 1, 10}, off.view(), none, start)), "3 ReadyForNewScale limited: ScaleUpLimit");
  EXPECT_EQ(print(settle({3, 1, 1, 10}, off.view(), none, start + seconds(301))),
            "3 ReadyForNewScale limited: ScaleDownLimit");
}

TEST(Usage, RatesComeFromReadings) {
  UsageMeter meter;
  auto read = [&](const char* id, int cpu_ms, int began, int now) -> std::string {
    auto rate =
        meter.read(id, std::chrono::milliseconds(cpu_ms), noon + seconds(began), noon + seconds(now), Millis(5000));
    return rate ? fmt::format("{}m over {}s", rate->nanos / 1'000'000, rate->window.count() / 1000) : "nothing";
  };
  EXPECT_EQ(read("new", 1000, -10, 0), "100m over 10s") << "since it began";
  EXPECT_EQ(read("new", 2000, -10, 2), "166m over 12s");
  EXPECT_EQ(read("new", 6000, -10, 10), "500m over 10s") << "since the first reading";
  EXPECT_EQ(read("new", 9000, -10, 20), "300m over 10s");
  EXPECT_EQ(read("old", 90000, -1000, 0), "nothing");
  EXPECT_EQ(read("old", 90500, -1000, 5), "100m over 5s");
  EXPECT_EQ(read("old", 91000, -1000, 500), "nothing") << "what was read before is of another time";
  EXPECT_EQ(read("old", 10, 499, 506), "1m over 7s") << "another life of it";
}

class AutoscalerTest : public testing::Test {
 protected:
  void SetUp() override {
    settings.usage = [this](const Ctx& asked, const std::string& ns) -> Result<std::vector<PodUsage>> {
      std::vector<PodUsage> all;
      for (const auto& [name, milli] : used)
        all.push_back({{ns, name}, asked.clock->wall(), Millis(15000), {{"c", milli * 1'000'000, 1 << 20}}});
      return all;
    };
    apply(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, spec: {selector: "
        "{matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: "
        "w}]}}}}");
  }
  Object apply(std::string_view text) { return must(client->apply({}, must(doc::parse_yaml(text)), {.force = true})); }
  Object autoscaler(std::string_view more = "minReplicas: 1, maxReplicas: 10") {
    return apply(fmt::format(
        "{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: h, namespace: default}}, spec: "
        "{{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}, {}}}}}",
        more));
  }
  void pods(std::initializer_list<std::string_view> names) {
    for (auto name : names) {
      auto made = apply(fmt::format(
          "{{apiVersion: v1, kind: Pod, metadata: {{name: {}, namespace: default, labels: {{app: web}}}}, spec: "
          "{{containers: [{{name: c, image: w, resources: {{requests: {{cpu: 100m, memory: 1Mi}}}}}}]}}}}",
          name));
      must(kube::write_status(
          {}, *client, made,
          must(doc::parse_yaml("{phase: Running, startTime: '2020-01-01T00:00:00Z', conditions: [{type: Ready, status: "
                               "'True', lastTransitionTime: '2020-01-01T00:00:00Z'}]}"))));
    }
  }
  // Looks, and says what came of it and when it will look again.
  std::string look(Millis later = Millis(0)) {
    clock.advance(later);
    auto result = scaler.reconcile(ctx(), {"default", "h"});
    if (!result) return result.error().what();
    auto hpa = get(autoscaler_type, "h");
    std::string text = fmt::format("{} of {}, ", get(deployment_type, "web")["spec"]["replicas"].num_or(-1),
                                   hpa["status"]["desiredReplicas"].num_or(-1));
    for (auto c : hpa["status"]["conditions"].items())
      text += fmt::format("{}{}={} ", c["status"].text() == "True" ? "" : "!", c["type"].text(), c["reason"].text());
    return text + (result->again ? fmt::format("{}ms", result->again->count()) : "never");
  }
  Object get(const kube::Type& type, std::string name) {
    return must(client->get({}, type, {"default", name})).value_or(Object());
  }
  std::vector<std::string> events() {
    std::vector<std::string> all;
    for (const auto& event : must(client->list({}, {"v1", "Event"}, {.ns = "default"})).items)
      all.push_back(event["reason"].text() + ": " + event["message"].text());
    std::sort(all.begin(), all.end());
    return all;
  }
  std::string message(std::string_view type) {
    for (auto c : get(autoscaler_type, "h")["status"]["conditions"].items())
      if (c["type"].text() == type) return c["message"].text();
    return {};
  }
  Ctx ctx() const { return {.clock = &clock}; }

  FakeClock clock;
  TestApi api = make_test_api();
  std::shared_ptr<kube::Client> client = api.client();
  ControllerSettings settings;
  Env env{*client, settings, "horizontal-pod-autoscaler"};
  Autoscaler scaler{env};
  std::map<std::string, std::int64_t> used;
};

TEST_F(AutoscalerTest, BoundsHoldAtOnce) {
  autoscaler("minReplicas: 2, maxReplicas: 4");
  EXPECT_EQ(look(), "2 of 2, AbleToScale=SucceededRescale 5000ms");
  EXPECT_EQ(events(),
            (std::vector<std::string>{
                "SuccessfulRescale: New size: 2; reason: Current number of replicas below Spec.MinReplicas"}));
  EXPECT_TRUE(get(autoscaler_type, "h")["status"]["lastScaleTime"].present());
  EXPECT_EQ(look(Millis(1000)), "2 of 2, AbleToScale=SucceededRescale 4000ms") << "its own status is no reason";
  autoscaler("minReplicas: 3, maxReplicas: 4");
  EXPECT_EQ(look(), "3 of 3, AbleToScale=SucceededRescale 5000ms");
  autoscaler("minReplicas: 1, maxReplicas: 1");
  EXPECT_EQ(look(), "1 of 1, AbleToScale=SucceededRescale 5000ms");
  must(client->patch({}, deployment_type, {"default", "web"}, kube::PatchType::merge,
                     must(doc::parse_yaml("{spec: {replicas: 0}}")), {}));
  EXPECT_EQ(look(Millis(15000)), "0 of 0, AbleToScale=SucceededGetScale !ScalingActive=ScalingDisabled 15000ms");
  must(client->remove({}, autoscaler_type, {"default", "h"}, {}));
  EXPECT_EQ(look(Millis(15000)), "0 of -1, never");
}

TEST_F(AutoscalerTest, FollowsTheLoad) {
  autoscaler();
  pods({"a"});
  EXPECT_EQ(look(), "1 of 0, AbleToScale=SucceededGetScale 5000ms") << "nothing is measured yet";
  used = {{"a", 200}};
  EXPECT_EQ(look(Millis(5000)),
            "3 of 3, AbleToScale=SucceededRescale ScalingActive=ValidMetricFound !ScalingLimited=DesiredWithinRange "
            "15000ms");
  auto status = get(autoscaler_type, "h")["status"];
  EXPECT_EQ(doc::print_yaml(status["currentMetrics"].value()),
            "- type: Resource\n  resource:\n    name: cpu\n    current:\n      averageValue: 200m\n      "
            "averageUtilization: 200\n");
  EXPECT_EQ(status["currentReplicas"].num_or(0), 1);
  pods({"b", "c"});
  used = {{"a", 70}, {"b", 80}, {"c", 90}};
  EXPECT_EQ(look(Millis(15000)),
            "3 of 3, AbleToScale=ReadyForNewScale ScalingActive=ValidMetricFound !ScalingLimited=DesiredWithinRange "
            "15000ms");
  used = {{"a", 1}, {"b", 1}, {"c", 1}};
  EXPECT_EQ(look(Millis(15000)),
            "3 of 3, AbleToScale=ScaleDownStabilized ScalingActive=ValidMetricFound !ScalingLimited=DesiredWithinRange "
            "15000ms");
  EXPECT_EQ(look(Millis(301000)),
            "1 of 1, AbleToScale=SucceededRescale ScalingActive=ValidMetricFound !ScalingLimited=DesiredWithinRange "
            "15000ms");
  EXPECT_EQ(events(),
            (std::vector<std::string>{
                "SuccessfulRescale: New size: 1; reason: All metrics below target",
                "SuccessfulRescale: New size: 3; reason: cpu resource utilization (percentage of request) above "
                "target"}));
}

TEST_F(AutoscalerTest, SaysWhatIsMissing) {
  autoscaler(
      "maxReplicas: 3, metrics: [{type: Pods, pods: {metric: {name: hits}, target: {type: AverageValue, averageValue: "
      "10}}}]");
  EXPECT_EQ(look(), "1 of 0, AbleToScale=SucceededGetScale !ScalingActive=FailedGetPodsMetric 15000ms");
  EXPECT_EQ(message("ScalingActive"),
            "the HPA was unable to compute the replica count: unable to get metric hits: unable to fetch metrics from "
            "custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered");
  // Memory is measured; the other is not, and may want more than what memory wants less.
  pods({"a"});
  used = {{"a", 1}};
  autoscaler(
      "maxReplicas: 3, metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: "
      "1Mi}}}, {type: External, external: {metric: {name: queue}, target: {type: Value, value: 10}}}]");
  EXPECT_EQ(look(),
            "1 of 1, AbleToScale=ReadyForNewScale ScalingActive=ValidMetricFound !ScalingLimited=DesiredWithinRange "
            "15000ms");
  autoscaler(
      "maxReplicas: 3, metrics: [{type: ContainerResource, containerResource: {name: cpu, container: other, target: "
      "{type: Utilization, averageUtilization: 50}}}]");
  EXPECT_TRUE(look().find("!ScalingActive=FailedGetContainerResourceMetric") != std::string::npos);
  EXPECT_TRUE(message("ScalingActive").ends_with("container other not present in metrics for pod default/a"));
}

TEST_F(AutoscalerTest, NoMetricsAreToldAfterAWhile) {
  autoscaler();
  pods({"a"});
  EXPECT_EQ(look(), "1 of 0, AbleToScale=SucceededGetScale 5000ms");
  EXPECT_EQ(look(Millis(61000)),
            "1 of 0, AbleToScale=SucceededGetScale !ScalingActive=FailedGetResourceMetric 15000ms");
  EXPECT_EQ(message("ScalingActive"),
            "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for "
            "resource cpu: no metrics returned from resource metrics API");
}

TEST_F(AutoscalerTest, ATargetThatIsNotThere) {
  auto to = [&](std::string_view ref) {
    apply(
        fmt::format("{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: h, namespace: "
                    "default}}, spec: {{scaleTargetRef: {{{}}}, maxReplicas: 3}}}}",
                    ref));
  };
  to("apiVersion: apps/v1, kind: Deployment, name: none");
  EXPECT_EQ(look(), "1 of -1, 500ms") << "it may come with it";
  EXPECT_EQ(look(Millis(15000)), "1 of 0, !AbleToScale=FailedGetScale 15000ms");
  EXPECT_EQ(message("AbleToScale"),
            "the HPA controller was unable to get the target's current scale: deployments.apps \"none\" not found");
  to("apiVersion: x.io/v1, kind: Thing, name: none");
  EXPECT_EQ(look(), "1 of 0, !AbleToScale=FailedGetScale 15000ms");
  EXPECT_EQ(message("AbleToScale"),
            "the HPA controller was unable to get the target's current scale: no matches for kind \"Thing\" in group "
            "\"x.io\"");
  to("apiVersion: apps/v1beta1, kind: Deployment, name: web");
  EXPECT_EQ(look(), "1 of 0, AbleToScale=SucceededGetScale 5000ms") << "whatever the version";
}

}  // namespace
}  // namespace slipway::cluster
