// The controller against the real embedded API: schemas, versions, watches, the status subresource.
#include "base/text.h"
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "path/crds.h"
#include "rollout/rollout.h"

namespace slipway::rollout {
namespace {

const kube::Type rollout_type{"argoproj.io/v1alpha1", "Rollout"}, set_type{"apps/v1", "ReplicaSet"};

// Pods of ReplicaSets become available as soon as they are wanted.
Result<kube::Reconciled> pretend_pods(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  TRY(auto set, client.get(ctx, set_type, key));
  if (!set) return kube::Reconciled{};
  auto n = (*set)["spec"]["replicas"].num_or(0);
  doc::Map status{{"replicas", n}, {"observedGeneration", set->generation()}};
  if (n > 0) status.set("readyReplicas", n), status.set("availableReplicas", n);
  TRY(auto written, kube::write_status(ctx, client, *set, std::move(status), "pods"));
  return kube::Reconciled{};
}

TEST(RolloutController, WalksACanaryOnTheEmbeddedApi) {
  auto api = cluster::make_test_api({.crds = path::builtin_crds()});
  auto client = api.client();
  std::stop_source stop;
  Ctx ctx = Ctx().within(Millis(30000)).with_stop(stop.get_token());
  {
    std::jthread rollouts([&] { (void)run_rollout_controller(ctx, {.client = client, .workers = 2, .event = {}}); });
    std::jthread pods([&] {
      kube::ControllerOptions options;
      options.name = "pods";
      options.sources.push_back({.type = set_type, .keys = {}, .options = {}});
      (void)kube::run_controller(ctx, *client, options, [&](const Ctx& inner, const kube::Key& key) {
        return pretend_pods(inner, *client, key);
      });
    });
    Finally end([&] { stop.request_stop(); });
    auto create = [&](std::string_view yaml) {
      for (auto& object : must(doc::parse_yaml_all(yaml))) must(client->create(ctx, object, {}));
    };
    create(R"(
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: canary, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: stable, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec: {rules: [{backendRefs: [{name: stable, port: 80}, {name: canary, port: 80}]}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: v1}]}}
  strategy:
    canary:
      canaryService: canary
      stableService: stable
      scaleDownDelaySeconds: 1
      trafficRouting: {slipway: {httpRoute: web}}
      steps: [{setWeight: 30}, {pause: {}}, {setWeight: 70}, {pause: {duration: 10ms}}]
)");
    const kube::Key key{"shop", "web"};
    auto until = [&](const std::string& phase, const std::string& image) {
      auto got = kube::await(ctx, *client, rollout_type, key, [&](const kube::Object& o) {
        return o["status"]["phase"].str_or("") == phase &&
               o["status"]["observedGeneration"].str_or("") == std::to_string(o.generation()) &&
               o["spec"]["template"]["spec"]["containers"][0]["image"].str_or("") == image;
      });
      if (!got)
        ADD_FAILURE() << phase << ": " << got.error().print() << "\n"
                      << doc::print_yaml(must(client->get(Ctx(), rollout_type, key))->value());
    };
    until("Healthy", "v1");
    must(client->patch(
        ctx, rollout_type, key, kube::PatchType::json,
        must(doc::parse_yaml("[{op: replace, path: /spec/template/spec/containers/0/image, value: v2}]")), {}));
    until("Paused", "v2");
    auto weight = [&] {
      return (*must(client->get(ctx, {"gateway.networking.k8s.io/v1", "HTTPRoute"},
                                key)))["spec"]["rules"][0]["backendRefs"][1]["weight"]
          .num_or(-1);
    };
    EXPECT_EQ(weight(), 30);
    must(promote(ctx, *client, key));
    until("Healthy", "v2");
    EXPECT_EQ(weight(), 0);
    // The old pods go after their delay, without anybody touching the rollout.
    auto hash = must(client->get(ctx, rollout_type, key))->value().str_at({"status", "stableRS"});
    kube::ListOptions all{.ns = "shop", .label_selector = {}, .field_selector = {}};
    for (const auto& set : must(client->list(ctx, set_type, all)).items)
      if (set.label("rollouts-pod-template-hash") != hash)
        must(kube::await(ctx, *client, set_type, set.key(),
                         [](const kube::Object& o) { return o["spec"]["replicas"].num_or(-1) == 0; }));
    must(abort(ctx, *client, key));
    until("Healthy", "v2");
  }
}

TEST(RolloutController, WritesTheNumberOfPodsThatIsMeant) {
  auto api = cluster::make_test_api({.crds = path::builtin_crds()});
  auto client = api.client();
  std::stop_source stop;
  Ctx ctx = Ctx().within(Millis(30000)).with_stop(stop.get_token());
  std::jthread rollouts([&] { (void)run_rollout_controller(ctx, {.client = client, .workers = 1, .event = {}}); });
  Finally end([&] { stop.request_stop(); });
  must(client->create(ctx, must(doc::parse_yaml(R"(
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: v1}]}}
  strategy: {canary: {}}
)")),
                      {}));
  must(kube::await(ctx, *client, rollout_type, {"default", "web"}, [](const kube::Object& o) {
    return o["spec"]["replicas"].num_or(0) == 1 && o["status"]["selector"].text() == "app=web";
  }));
}

}  // namespace
}  // namespace slipway::rollout
