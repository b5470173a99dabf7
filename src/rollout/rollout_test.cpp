#include "rollout/rollout.h"

#include "base/testing/clock.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "kube/testing/memory_client.h"

namespace slipway::rollout {
namespace {

const kube::Type rollout_type{"argoproj.io/v1alpha1", "Rollout"}, set_type{"apps/v1", "ReplicaSet"},
    service_type{"v1", "Service"}, run_type{"argoproj.io/v1alpha1", "AnalysisRun"},
    route_type{"gateway.networking.k8s.io/v1", "HTTPRoute"};
const kube::Key key{"shop", "web"};

// Objects in memory and a pretended ReplicaSet controller: pods of good images become available at once.
class World : public testing::Test {
 protected:
  FakeClock clock;
  Ctx ctx{.stop = {}, .deadline = Clock::time_point::max(), .clock = &clock};
  std::shared_ptr<kube::MemoryClient> client = std::make_shared<kube::MemoryClient>(clock);
  std::vector<std::string> events;
  RolloutOptions options{.client = client,
                         .workers = 1,
                         .event = [this](const kube::Object&, const std::string& reason, const std::string&) {
                           events.push_back(reason);
                         }};
  std::set<std::string> bad;  // images whose pods never come
  std::optional<Millis> again;

  void apply(const std::string& yaml) {
    for (const auto& object : must(doc::parse_yaml_all(yaml))) {
      kube::Object o(object);
      auto old = must(client->get(ctx, o.type(), o.key()));
      if (!old)
        must(client->create(ctx, object, {}));
      else {
        auto copy = old->copy();
        copy["spec"] = *object.find("spec");
        must(client->update(ctx, copy, {}));
      }
    }
  }
  void service(const std::string& name) {
    apply(fmt::format(
        "{{apiVersion: v1, kind: Service, metadata: {{name: {}, namespace: shop}}, spec: {{selector: {{app: web}}}}}}",
        name));
  }
  void start(const std::string& strategy, const std::string& image = "v1", int replicas = 4,
             const std::string& more = "") {
    apply(
        fmt::format("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: web, namespace: "
                    "shop}}\nspec:\n  replicas: {}\n  selector: {{matchLabels: {{app: web}}}}\n"
                    "  template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c, image: "
                    "{}}}]}}}}\n{}  strategy: {}\n",
                    replicas, image, more, strategy));
  }
  kube::Object rollout() { return *must(client->get(ctx, rollout_type, key)); }
  std::string phase() {
    return rollout()["status"]["phase"].str_or("") + " " + rollout()["status"]["message"].str_or("");
  }
  std::string image_of(const kube::Object& set) {
    return set["spec"]["template"]["spec"]["containers"][0]["image"].str_or("");
  }

  bool move_pods() {
    bool moved = false;
    for (const auto& set : must(client->list(ctx, set_type, {.ns = "shop"})).items) {
      auto wanted = set["spec"]["replicas"].num_or(0);
      auto there = bad.contains(image_of(set)) ? 0 : wanted;
      if (set["status"]["replicas"].num_or(0) == wanted && set["status"]["availableReplicas"].num_or(0) == there)
        continue;
      auto copy = set.copy();
      copy["status"] = doc::Map{{"replicas", wanted}, {"readyReplicas", there}, {"availableReplicas", there}};
      must(client->update(ctx, copy, {.subresource = "status"}));
      moved = true;
    }
    return moved;
  }
  // Until nothing moves any more without time. `stop_before_pods`: pods stay as they are.
  void settle() {
    for (int i = 0; i < 200; ++i) {
      auto before = client->writes.size();
      auto done = reconcile(ctx, options, key);
      if (!done) {
        ASSERT_TRUE(done.error().is(Kind::conflict) || done.error().is(Kind::unavailable)) << done.error().print();
        continue;
      }
      again = done->again;
      bool pods = move_pods();
      watch();
      if (client->writes.size() == before && !pods && again.value_or(Millis(1)) > Millis(0)) return;
    }
    ADD_FAILURE() << "does not settle: " << phase();
  }
  virtual void watch() {}
  void pass(Millis time) {
    clock.advance(time);
    settle();
  }
  // "v1:3 v2:1" by revision, empty ones left out.
  std::string pods() {
    std::map<std::int64_t, std::string> by;
    for (const auto& set : must(client->list(ctx, set_type, {.ns = "shop"})).items)
      if (auto n = set["spec"]["replicas"].num_or(0); n > 0)
        by[to_int(set.annotation("rollout.argoproj.io/revision")).value_or(0)] = fmt::format("{}:{}", image_of(set), n);
    std::vector<std::string> out;
    for (auto& [revision, text] : by) out.push_back(text);
    return join(out, " ");
  }
  std::string leads_to(const std::string& name) {
    auto hash = must(client->get(ctx, service_type, {"shop", name}))
                    ->value()
                    .str_at({"spec", "selector", "rollouts-pod-template-hash"});
    for (const auto& set : must(client->list(ctx, set_type, {.ns = "shop"})).items)
      if (set.label("rollouts-pod-template-hash") == hash) return image_of(set);
    return hash;
  }
  std::vector<kube::Object> runs() { return must(client->list(ctx, run_type, {.ns = "shop"})).items; }
  void end_run(const std::string& name_end, const std::string& run_phase, const std::string& message = "") {
    for (const auto& run : runs())
      if (run.name().ends_with(name_end)) {
        auto copy = run.copy();
        copy["status"] = doc::Map{{"phase", run_phase}, {"message", message}};
        must(client->update(ctx, copy, {.subresource = "status"}));
        return;
      }
    ADD_FAILURE() << "no run " << name_end;
  }
  void analysis_template() {
    apply(
        "{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: ok, namespace: shop}, spec: "
        "{args: [{name: hash, value: none}], metrics: [{name: m, provider: {web: {url: x}}}]}}");
  }
};

TEST_F(World, FirstDeploymentSkipsTheSteps) {
  start("{canary: {steps: [{setWeight: 25}, {pause: {}}]}}");
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(pods(), "v1:4");
  EXPECT_EQ(rollout()["status"]["currentStepIndex"].num_or(-1), 2);
  EXPECT_EQ(rollout()["status"]["stableRS"].str_or("a"), rollout()["status"]["currentPodHash"].str_or("b"));
  EXPECT_EQ(rollout()["status"]["observedGeneration"].str_or(""), "1");
  EXPECT_EQ(kube::condition_status(rollout(), "Completed"), "True");
}

TEST_F(World, BasicCanaryPausesPromotesCompletes) {
  start(
      "{canary: {maxSurge: 1, maxUnavailable: 0, steps: [{setWeight: 25}, {pause: {}}, {setWeight: 50}, {pause: "
      "{duration: 30s}}]}}");
  settle();
  start(
      "{canary: {maxSurge: 1, maxUnavailable: 0, steps: [{setWeight: 25}, {pause: {}}, {setWeight: 50}, {pause: "
      "{duration: 30s}}]}}",
      "v2");
  settle();
  EXPECT_EQ(phase(), "Paused CanaryPauseStep");
  EXPECT_EQ(pods(), "v1:3 v2:1");
  EXPECT_EQ(kube::condition_status(rollout(), "Paused"), "True");
  pass(Millis(3600'000));  // a pause without an end, and no deadline in it
  EXPECT_EQ(phase(), "Paused CanaryPauseStep");
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Paused CanaryPauseStep");
  EXPECT_EQ(pods(), "v1:2 v2:2");
  EXPECT_EQ(again, Millis(30000));
  pass(Millis(30000));
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(pods(), "v2:4");
  EXPECT_EQ(rollout().annotation("rollout.argoproj.io/revision"), "2");
}

TEST_F(World, AbortRetryPromoteFull) {
  auto strategy = "{canary: {steps: [{setWeight: 50}, {pause: {}}]}}";
  start(strategy);
  settle();
  start(strategy, "v2");
  settle();
  must(abort(ctx, *client, key));
  settle();
  EXPECT_EQ(phase().substr(0, 24), "Degraded RolloutAborted:");
  EXPECT_EQ(pods(), "v1:4");
  EXPECT_EQ(rollout()["status"]["currentStepIndex"].num_or(-1), 0);
  must(retry(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Paused CanaryPauseStep");
  EXPECT_EQ(pods(), "v1:2 v2:2");
  must(promote_full(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(pods(), "v2:4");
  must(abort(ctx, *client, key));  // nothing to abort
  settle();
  EXPECT_EQ(phase(), "Healthy ");
}

TEST_F(World, BackToStableSkipsTheSteps) {
  auto strategy = "{canary: {steps: [{setWeight: 50}, {pause: {}}]}}";
  start(strategy);
  settle();
  start(strategy, "v2");
  settle();
  start(strategy, "v1");
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(pods(), "v1:4");
  EXPECT_EQ(rollout().annotation("rollout.argoproj.io/revision"), "3");
}

TEST_F(World, BadImageHoldsInsideItsBudgetAndExceedsTheDeadline) {
  auto strategy = "{canary: {maxSurge: 1, maxUnavailable: 0}}";
  start(strategy, "v1", 4, "  progressDeadlineSeconds: 60\n");
  settle();
  bad = {"v2", "v3"};
  start(strategy, "v2", 4, "  progressDeadlineSeconds: 60\n");
  settle();
  EXPECT_EQ(pods(), "v1:4 v2:1");
  EXPECT_EQ(phase(), "Progressing updated replicas are still becoming available");
  pass(Millis(61000));
  EXPECT_EQ(phase().substr(0, 34), "Degraded ProgressDeadlineExceeded:");
  start(strategy, "v3", 4, "  progressDeadlineSeconds: 60\n");  // a second bad one takes the place of the first
  settle();
  EXPECT_EQ(pods(), "v1:4 v3:1");
  start(strategy, "v4", 4, "  progressDeadlineSeconds: 60\n");
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(pods(), "v4:4");
}

TEST_F(World, DeadlineMayAbort) {
  auto strategy = "{canary: {maxSurge: 1, maxUnavailable: 0}}";
  start(strategy, "v1", 4, "  progressDeadlineSeconds: 60\n  progressDeadlineAbort: true\n");
  settle();
  bad = {"v2"};
  start(strategy, "v2", 4, "  progressDeadlineSeconds: 60\n  progressDeadlineAbort: true\n");
  settle();
  pass(Millis(61000));
  EXPECT_EQ(phase().substr(0, 24), "Degraded RolloutAborted:");
  EXPECT_EQ(pods(), "v1:4");
}

TEST_F(World, ScaleInAPauseKeepsTheWeight) {
  auto strategy = "{canary: {steps: [{setWeight: 25}, {pause: {}}]}}";
  start(strategy, "v1", 2);
  settle();
  start(strategy, "v2", 2);
  settle();
  start(strategy, "v2", 8);
  settle();
  EXPECT_EQ(pods(), "v1:6 v2:2");
  start(strategy, "v2", 4);
  settle();
  EXPECT_EQ(pods(), "v1:3 v2:1");
  EXPECT_EQ(phase(), "Paused CanaryPauseStep");
}

class Routed : public World {
 protected:
  void SetUp() override {
    service("web-canary"), service("web-stable");
    apply(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web, namespace: shop}\nspec:\n  "
        "rules:\n"
        "  - backendRefs: [{name: web-stable, port: 80}, {name: web-canary, port: 80}]\n  - backendRefs: [{name: "
        "other, port: 80}]\n");
  }
  // What no moment may show: a weight for a side without pods.
  void watch() override {
    for (auto [name, weight] : {std::pair{"web-canary", weight_of(1)}, {"web-stable", weight_of(0)}}) {
      if (weight <= 0) continue;
      auto hash = must(client->get(ctx, service_type, {"shop", name}))
                      ->value()
                      .str_at({"spec", "selector", "rollouts-pod-template-hash"});
      for (const auto& set : must(client->list(ctx, set_type, {.ns = "shop"})).items)
        if (set.label("rollouts-pod-template-hash") == hash) {
          EXPECT_GT(set["spec"]["replicas"].num_or(0), 0) << name << " has weight " << weight << " and no pods";
        }
    }
  }
  std::int64_t weight_of(std::size_t backend) {
    return (*must(client->get(ctx, route_type, {"shop", "web"})))["spec"]["rules"][0]["backendRefs"][backend]["weight"]
        .num_or(-1);
  }
  std::string strategy(const std::string& steps, const std::string& more = "") {
    return fmt::format(
        "{{canary: {{canaryService: web-canary, stableService: web-stable, trafficRouting: {{slipway: {{httpRoute: "
        "web}}}}, steps: {}{}}}}}",
        steps, more);
  }
};

TEST_F(Routed, WeightsFollowPodsAndOldPodsStayForTheDelay) {
  auto s = strategy("[{setWeight: 20}, {pause: {}}, {setWeight: 60}, {pause: {}}]");
  start(s, "v1", 5);
  settle();
  EXPECT_EQ(weight_of(0), 100);
  start(s, "v2", 5);
  settle();
  EXPECT_EQ(pods(), "v1:5 v2:1");
  EXPECT_EQ(weight_of(0), 80);
  EXPECT_EQ(weight_of(1), 20);
  EXPECT_EQ(leads_to("web-canary") + leads_to("web-stable"), "v2v1");
  EXPECT_EQ(rollout()["status"]["canary"]["weights"]["canary"]["weight"].num_or(0), 20);
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(pods(), "v1:5 v2:3");
  EXPECT_EQ(weight_of(1), 60);
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(weight_of(0), 100);
  EXPECT_EQ(leads_to("web-stable"), "v2");
  EXPECT_EQ(pods(), "v1:5 v2:5");  // connections drain
  EXPECT_EQ(again, Millis(30000));
  pass(Millis(30000));
  EXPECT_EQ(pods(), "v2:5");
  auto other = (*must(client->get(ctx, route_type, {"shop", "web"})))["spec"]["rules"][1]["backendRefs"][0];
  EXPECT_FALSE(other["weight"].exists());
}

TEST_F(Routed, AbortTakesTheTrafficFirst) {
  auto s = strategy("[{setWeight: 40}, {pause: {}}]");
  start(s, "v1", 5);
  settle();
  start(s, "v2", 5);
  settle();
  must(abort(ctx, *client, key));
  settle();
  EXPECT_EQ(weight_of(1), 0);
  EXPECT_EQ(leads_to("web-canary"), "v1");
  EXPECT_EQ(pods(), "v1:5 v2:2");
  pass(Millis(30000));
  EXPECT_EQ(pods(), "v1:5");
}

TEST_F(Routed, SetCanaryScaleAndPlugin) {
  auto steps = std::string("[{setCanaryScale: {replicas: 3}}, {pause: {}}, {setWeight: 10}, {pause: {}}]");
  auto s = fmt::format(
      "{{canary: {{canaryService: web-canary, stableService: web-stable, trafficRouting: {{plugins: "
      "{{argoproj-labs/gatewayAPI: {{httpRoute: web, namespace: shop}}}}}}, steps: {}}}}}",
      steps);
  start(s, "v1", 5);
  settle();
  start(s, "v2", 5);
  settle();
  EXPECT_EQ(pods(), "v1:5 v2:3");
  EXPECT_EQ(weight_of(1), 0);
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(weight_of(1), 10);
}

TEST_F(Routed, StepAnalysisDecides) {
  analysis_template();
  auto s = strategy(
      "[{setWeight: 20}, {analysis: {templates: [{templateName: ok}], args: [{name: hash, valueFrom: "
      "{podTemplateHashValue: Latest}}]}}, {setWeight: 60}, {pause: {}}]");
  start(s, "v1", 5);
  settle();
  EXPECT_TRUE(runs().empty());
  start(s, "v2", 5);
  settle();
  ASSERT_EQ(runs().size(), 1U);
  EXPECT_EQ(runs()[0].name(), fmt::format("web-{}-2-1", rollout()["status"]["currentPodHash"].str_or("")));
  EXPECT_EQ(runs()[0]["spec"]["args"][0]["value"].str_or(""), rollout()["status"]["currentPodHash"].str_or(""));
  end_run("-2-1", "Successful");
  settle();
  EXPECT_EQ(phase(), "Paused CanaryPauseStep");
  EXPECT_EQ(weight_of(1), 60);
}

TEST_F(Routed, FailedAnalysisAbortsAndRetryMeasuresAnew) {
  analysis_template();
  auto s = strategy("[{setWeight: 20}, {analysis: {templates: [{templateName: ok}]}}]");
  start(s, "v1", 5);
  settle();
  start(s, "v2", 5);
  settle();
  end_run("-2-1", "Failed", "Metric \"m\" assessed Failed");
  settle();
  EXPECT_EQ(phase(), "Degraded RolloutAborted: Step-based analysis phase error/failed: Metric \"m\" assessed Failed");
  EXPECT_EQ(weight_of(1), 0);
  must(retry(ctx, *client, key));
  settle();
  EXPECT_EQ(runs().size(), 2U);
  end_run("-2-1.1", "Successful");
  settle();
  EXPECT_EQ(phase(), "Healthy ");
}

TEST_F(Routed, InconclusiveAnalysisWaitsForAPerson) {
  analysis_template();
  auto s = strategy("[{setWeight: 20}, {analysis: {templates: [{templateName: ok}]}}]");
  start(s, "v1", 5);
  settle();
  start(s, "v2", 5);
  settle();
  end_run("-2-1", "Inconclusive");
  settle();
  EXPECT_EQ(phase(), "Paused InconclusiveAnalysisRun");
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Healthy ");
}

TEST_F(Routed, BackgroundAnalysisRunsAlongAndAborts) {
  analysis_template();
  auto s = strategy("[{setWeight: 20}, {pause: {}}]", ", analysis: {templates: [{templateName: ok}], startingStep: 1}");
  start(s, "v1", 5);
  settle();
  start(s, "v2", 5);
  settle();
  ASSERT_EQ(runs().size(), 1U);
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_TRUE(runs()[0]["spec"]["terminate"].bool_or(false));
  start(s, "v3", 5);
  settle();
  end_run("-3", "Failed", "bad");
  settle();
  EXPECT_EQ(phase(), "Degraded RolloutAborted: Background analysis phase error/failed: bad");
  EXPECT_EQ(weight_of(1), 0);
}

class Mesh : public World {
 protected:
  void SetUp() override { service("web-canary"), service("web-stable"); }
  void walk(const std::string& routing, const std::function<std::string()>& weights) {
    auto s = fmt::format(
        "{{canary: {{canaryService: web-canary, stableService: web-stable, trafficRouting: {}, steps: [{{setWeight: "
        "20}}, {{pause: {{}}}}]}}}}",
        routing);
    start(s, "v1", 5);
    settle();
    EXPECT_EQ(weights(), "0/100");
    start(s, "v2", 5);
    settle();
    EXPECT_EQ(weights(), "20/80");
    must(abort(ctx, *client, key));
    settle();
    EXPECT_EQ(weights(), "0/100");
    must(retry(ctx, *client, key));
    settle();
    must(promote_full(ctx, *client, key));
    settle();
    EXPECT_EQ(phase(), "Healthy ");
    EXPECT_EQ(weights(), "0/100");
  }
  doc::Value object(const std::string& version, const std::string& kind, const std::string& name) {
    return must(client->get(ctx, {version, kind}, {"shop", name}))->copy();
  }
};

TEST_F(Mesh, IstioByHost) {
  apply(
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs, namespace: shop}\nspec:\n  "
      "http:\n"
      "  - {name: main, route: [{destination: {host: web-stable.shop.svc.cluster.local}}, {destination: {host: "
      "web-canary}}]}\n  - {name: other, route: [{destination: {host: x}}]}\n");
  walk("{istio: {virtualService: {name: vs, routes: [main]}}}", [&] {
    doc::Value vs = object("networking.istio.io/v1", "VirtualService", "vs");
    auto route = doc::View(vs)["spec"]["http"][0]["route"];
    return fmt::format("{}/{}", route[1]["weight"].num_or(-1), route[0]["weight"].num_or(-1));
  });
}

TEST_F(Mesh, IstioBySubset) {
  apply(
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs, namespace: shop}\nspec:\n  "
      "http:\n"
      "  - {route: [{destination: {host: web, subset: stable}}]}\n---\napiVersion: networking.istio.io/v1\nkind: "
      "DestinationRule\nmetadata: {name: dr, namespace: shop}\nspec:\n"
      "  host: web\n  subsets: [{name: canary}, {name: stable}, {name: mine, labels: {a: b}}]\n");
  walk(
      "{istio: {virtualService: {name: vs}, destinationRule: {name: dr, canarySubsetName: canary, stableSubsetName: "
      "stable}}}",
      [&] {
        doc::Value vs = object("networking.istio.io/v1", "VirtualService", "vs");
        auto route = doc::View(vs)["spec"]["http"][0]["route"];
        return fmt::format("{}/{}", route[1]["weight"].num_or(-1), route[0]["weight"].num_or(-1));
      });
  auto dr = object("networking.istio.io/v1", "DestinationRule", "dr");
  auto hash = rollout()["status"]["stableRS"].str_or("-");
  EXPECT_EQ(doc::View(dr)["spec"]["subsets"][1]["labels"]["rollouts-pod-template-hash"].str_or(""), hash);
  EXPECT_EQ(doc::View(dr)["spec"]["subsets"][2]["labels"]["a"].str_or(""), "b");
}

TEST_F(Mesh, SmiTrafficSplit) {
  walk("{smi: {rootService: web}}", [&] {
    doc::Value split = object("split.smi-spec.io/v1alpha1", "TrafficSplit", "web");
    EXPECT_EQ(split.str_at({"spec", "service"}), "web");
    auto backends = doc::View(split)["spec"]["backends"];
    return fmt::format("{}/{}", backends[0]["weight"].text(), backends[1]["weight"].text());
  });
}

class BlueGreenWorld : public World {
 protected:
  void SetUp() override { service("active"), service("preview"); }
  std::string strategy(const std::string& more = "") {
    return fmt::format("{{blueGreen: {{activeService: active, previewService: preview{}}}}}", more);
  }
};

TEST_F(BlueGreenWorld, SwitchesWhenAllPodsAreThere) {
  start(strategy(), "v1", 3);
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(leads_to("active") + leads_to("preview"), "v1v1");
  bad = {"v2"};
  start(strategy(), "v2", 3);
  settle();
  EXPECT_EQ(leads_to("active") + leads_to("preview"), "v1v2");
  EXPECT_EQ(pods(), "v1:3 v2:3");
  bad.clear();
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(leads_to("active"), "v2");
  EXPECT_EQ(pods(), "v1:3 v2:3");
  pass(Millis(30000));
  EXPECT_EQ(pods(), "v2:3");
}

TEST_F(BlueGreenWorld, WaitsForPromotionWithASmallPreview) {
  auto s = strategy(", autoPromotionEnabled: false, previewReplicaCount: 1");
  start(s, "v1", 2);
  settle();
  start(s, "v2", 2);
  settle();
  EXPECT_EQ(phase(), "Paused BlueGreenPause");
  EXPECT_EQ(pods(), "v1:2 v2:1");
  must(promote(ctx, *client, key));
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(leads_to("active"), "v2");
  EXPECT_EQ(pods(), "v1:2 v2:2");
}

TEST_F(BlueGreenWorld, AutoPromotesAfterItsSeconds) {
  auto s = strategy(", autoPromotionSeconds: 10");
  start(s, "v1", 2);
  settle();
  start(s, "v2", 2);
  settle();
  pass(Millis(5000));
  EXPECT_EQ(leads_to("active"), "v1");
  EXPECT_EQ(phase(), "Paused BlueGreenPause");
  pass(Millis(5000));
  EXPECT_EQ(leads_to("active"), "v2");
  EXPECT_EQ(phase(), "Healthy ");
}

TEST_F(BlueGreenWorld, AnalysisBeforeAndAfter) {
  analysis_template();
  auto s = strategy(
      ", prePromotionAnalysis: {templates: [{templateName: ok}]}, postPromotionAnalysis: {templates: [{templateName: "
      "ok}]}");
  start(s, "v1", 2);
  settle();
  EXPECT_TRUE(runs().empty());
  start(s, "v2", 2);
  settle();
  EXPECT_EQ(leads_to("active"), "v1");
  end_run("-2-pre", "Successful");
  settle();
  EXPECT_EQ(leads_to("active"), "v2");
  EXPECT_NE(rollout()["status"]["stableRS"].str_or(""), rollout()["status"]["currentPodHash"].str_or(""));
  end_run("-2-post", "Failed", "slow");
  settle();
  EXPECT_EQ(leads_to("active") + leads_to("preview"), "v1v2");
  EXPECT_EQ(phase(), "Degraded RolloutAborted: PostPromotion analysis phase error/failed: slow");
  pass(Millis(30000));
  EXPECT_EQ(pods(), "v1:2");
}

TEST_F(World, RestartReplacesOldPodsInsideItsBudget) {
  start("{canary: {maxUnavailable: 75%}}");
  settle();
  auto set = must(client->list(ctx, set_type, {.ns = "shop"})).items.at(0);
  auto pod = [&](int n) {
    auto object = kube::make_object({"v1", "Pod"}, {"shop", fmt::format("p{}", n)});
    object["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(set)};
    must(client->create(ctx, object, {}));
  };
  for (int n = 0; n < 4; ++n) pod(n);
  clock.advance(Millis(5000));
  must(client->patch(ctx, rollout_type, key, kube::PatchType::merge,
                     doc::Map{{"spec", doc::Map{{"restartAt", rfc3339(clock.wall())}}}}, {}));
  clock.advance(Millis(1000));
  must(reconcile(ctx, options, key));
  auto left = [&] { return must(client->list(ctx, {"v1", "Pod"}, {.ns = "shop"})).items.size(); };
  EXPECT_EQ(left(), 1U);
  EXPECT_EQ(phase(), "Progressing rollout is restarting");
  for (int n = 4; n < 7; ++n) pod(n);
  must(reconcile(ctx, options, key));
  EXPECT_EQ(left(), 3U);
  pod(7);
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(rollout()["status"]["restartedAt"].str_or(""), rollout()["spec"]["restartAt"].str_or("-"));
  EXPECT_EQ(left(), 4U);
}

TEST_F(World, WrongSpecsSayWhy) {
  for (auto [strategy, want] : {std::pair{"{canary: {}, blueGreen: {activeService: a}}", "Multiple Strategies"},
                                {"{canary: {steps: [{setWeight: 101}]}}", "between 0 and 100"},
                                {"{canary: {steps: [{setWeight: 10, pause: {}}]}}", "Step must have one"},
                                {"{canary: {steps: [{experiment: {}}]}}", "not supported"},
                                {"{canary: {canaryService: x, stableService: y}}", "service \"x\" not found"},
                                {"{}", "missing field"}}) {
    start(strategy);
    settle();
    EXPECT_EQ(phase().substr(0, 21), "Degraded InvalidSpec:") << strategy;
    EXPECT_NE(phase().find(want), std::string::npos) << phase();
  }
  start("{canary: {}}");
  settle();
  EXPECT_EQ(phase(), "Healthy ");
}

TEST_F(World, TakesOverWhatArgoMade) {
  apply(
      "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2, "
      "selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, "
      "spec: {containers: [{name: c, image: v1}]}}, strategy: {canary: {}}}");
  auto uid = rollout().uid();
  apply(
      fmt::format("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {{name: web-5d5c, namespace: shop, labels: {{app: "
                  "web, rollouts-pod-template-hash: 5d5c}}, annotations: {{rollout.argoproj.io/revision: '7'}}, "
                  "ownerReferences: [{{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web, uid: {}, "
                  "controller: true}}]}}\nspec: {{replicas: 2, template: {{metadata: {{labels: {{app: web, "
                  "rollouts-pod-template-hash: 5d5c}}}}, spec: {{terminationGracePeriodSeconds: 30, containers: "
                  "[{{name: c, image: v1, imagePullPolicy: Always}}]}}}}}}\n",
                  uid));
  settle();
  EXPECT_EQ(phase(), "Healthy ");
  EXPECT_EQ(must(client->list(ctx, set_type, {.ns = "shop"})).items.size(), 1U);
  EXPECT_EQ(rollout()["status"]["stableRS"].str_or(""), "5d5c");
}

TEST_F(World, HistoryIsLimited) {
  for (int i = 1; i <= 5; ++i) {
    start("{canary: {}}", fmt::format("v{}", i), 2, "  revisionHistoryLimit: 2\n");
    settle();
  }
  EXPECT_EQ(must(client->list(ctx, set_type, {.ns = "shop"})).items.size(), 3U);
}

// Killed before any of its writes, the controller goes on and ends in the same place.
TEST_F(Routed, SurvivesAFailureBeforeEveryWrite) {
  auto s = strategy("[{setWeight: 20}, {pause: {duration: 5s}}, {setWeight: 60}]");
  start(s, "v1", 5);
  settle();
  for (int n = 0; n < 12; ++n) {
    int left = n;
    auto wanted = fmt::format("v{}", n + 2);
    start(s, wanted, 5);
    client->before_write = [&](const std::string& what) -> Result<> {
      if (what.find("status ReplicaSet") != std::string::npos || left-- != 0) return {};
      return fail(Kind::unavailable, "killed before {}", what);
    };
    settle();
    pass(Millis(5000));
    client->before_write = nullptr;
    pass(Millis(60000));
    EXPECT_EQ(phase(), "Healthy ") << n;
    EXPECT_EQ(pods(), wanted + ":5") << n;
    EXPECT_EQ(weight_of(0), 100) << n;
    EXPECT_EQ(leads_to("web-stable"), wanted) << n;
  }
}

}  // namespace
}  // namespace slipway::rollout
