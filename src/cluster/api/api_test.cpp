// The API's semantics, through both clients: in process and over HTTP.
#include <gtest/gtest.h>

#include <latch>

#include "base/guarded.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "kube/controller.h"
#include "kube/http_client.h"

namespace slipway::cluster {
namespace {

using kube::Key;
using kube::Type;
const Type config_map{"v1", "ConfigMap"}, deployment{"apps/v1", "Deployment"}, pod{"v1", "Pod"},
    service{"v1", "Service"}, name_space{"v1", "Namespace"};

doc::Value yaml(std::string_view text) { return must(doc::parse_yaml(text)); }

constexpr std::string_view web = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'web:1', ports: [{containerPort: 80}]}]}
)";

class Api : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) {
      client = api.client();
      return;
    }
    server = must(net::Server::start({}, api->routes()));
    kube::Kubeconfig config;
    config.server = "http://" + server->address();
    client = must(kube::connect(config));
  }
  void TearDown() override {
    client.reset();
    server.reset();
  }
  kube::Object make(std::string_view text) { return must(client->create(ctx, yaml(text), {})); }
  kube::Object map(const std::string& name, std::string_view labels = "{}") {
    return make(fmt::format(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}, namespace: default, labels: {}}}, data: {{a: b}}}}",
        name, labels));
  }
  kube::Object get(const Type& type, const std::string& name, std::string ns = "default") {
    auto got = must(client->get(ctx, type, {std::move(ns), name}));
    return got ? *got : kube::Object();
  }
  template <class T>
  static void fails(const Result<T>& r, Kind kind, std::string_view text) {
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().kind(), kind) << r.error().what();
    EXPECT_NE(r.error().what().find(text), std::string::npos) << r.error().what();
  }
  TestApi api = make_test_api();
  std::unique_ptr<net::Server> server;
  std::shared_ptr<kube::Client> client;
  Ctx ctx = Ctx{}.within(Millis(20000));
};
INSTANTIATE_TEST_SUITE_P(Clients, Api, testing::Bool(), [](const auto& i) { return i.param ? "Http" : "Local"; });

TEST_P(Api, CreatesAndRefuses) {
  auto made = map("one");
  EXPECT_FALSE(made.uid().empty());
  EXPECT_FALSE(made.resource_version().empty());
  fails(client->create(ctx, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}"), {}), Kind::conflict,
        "configmaps \"one\" already exists");
  fails(client->create(ctx, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: nowhere}}"), {}),
        Kind::not_found, "namespaces \"nowhere\" not found");
  fails(client->create(ctx, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: A_B}}"), {}), Kind::invalid,
        "metadata.name: Invalid value");
  fails(client->create(
            ctx, yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: many}}"), {}),
        Kind::invalid, "spec.replicas: want an integer");
  fails(client->create(ctx, yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {}}}"),
                       {}),
        Kind::invalid, "spec.selector: Required value");
  fails(client->create(ctx, yaml("{apiVersion: x/v1, kind: Nothing, metadata: {name: d}}"), {}), Kind::not_found, "x");
  auto named = make("{apiVersion: v1, kind: ConfigMap, metadata: {generateName: gen-}}");
  EXPECT_TRUE(named.name().starts_with("gen-"));
  EXPECT_EQ(named.name().size(), 9u);
  auto dry =
      must(client->create(ctx, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: dry}}"), {.dry_run = true}));
  EXPECT_EQ(dry.name(), "dry");
  EXPECT_FALSE(get(config_map, "dry"));
}

TEST_P(Api, DefaultsAndPrunesNothingElse) {
  auto d = make(web);
  EXPECT_EQ(d["spec"]["strategy"]["rollingUpdate"]["maxSurge"].text(), "25%");
  auto c = d["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(c["ports"][0]["protocol"].text(), "TCP");
  EXPECT_EQ(c["imagePullPolicy"].text(), "IfNotPresent");
  EXPECT_EQ(d.generation(), 1);
  auto p = make(
      "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: x, resources: {limits: "
      "{cpu: 0.5, memory: 1024Mi}}}]}}");
  EXPECT_EQ(p["spec"]["containers"][0]["resources"]["requests"]["cpu"].text(), "500m");
  EXPECT_EQ(p["spec"]["containers"][0]["resources"]["limits"]["memory"].text(), "1Gi");
  EXPECT_EQ(p["status"]["phase"].text(), "Pending");
  EXPECT_EQ(p["status"]["qosClass"].text(), "Guaranteed");
  auto s = make("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: b}}");
  EXPECT_EQ(s["data"]["a"].text(), "Yg==");
  EXPECT_FALSE(s["stringData"].exists());
}

TEST_P(Api, UpdatesWithVersions) {
  auto first = map("m");
  auto next = first.copy();
  next["data"]["a"] = "c";
  auto second = must(client->update(ctx, next, {}));
  EXPECT_NE(second.resource_version(), first.resource_version());
  fails(client->update(ctx, next, {}), Kind::conflict, "the object has been modified");
  next["metadata"].map().erase("resourceVersion");
  next["data"]["a"] = "d";
  EXPECT_TRUE(client->update(ctx, next, {}));
  auto same = get(config_map, "m");
  EXPECT_EQ(must(client->update(ctx, same.copy(), {})).resource_version(), same.resource_version())
      << "nothing changed, nothing written";
  fails(client->update(ctx, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: absent}}"), {}), Kind::not_found,
        "not found");
}

TEST_P(Api, KeepsSpecAndStatusApart) {
  auto d = make(web);
  auto next = d.copy();
  next["spec"]["replicas"] = 5;
  next["status"]["replicas"] = 9;
  d = must(client->update(ctx, next, {}));
  EXPECT_EQ(d.generation(), 2);
  EXPECT_FALSE(d["status"]["replicas"].present());
  next = d.copy();
  next["spec"]["replicas"] = 7;
  next["status"]["replicas"] = 3;
  d = must(client->update(ctx, next, {.subresource = "status"}));
  EXPECT_EQ(d.generation(), 2);
  EXPECT_EQ(d["spec"]["replicas"].num_or(0), 5);
  EXPECT_EQ(d["status"]["replicas"].num_or(0), 3);
  auto scale = must(client->patch(ctx, deployment, {"default", "web"}, kube::PatchType::merge,
                                  yaml("{spec: {replicas: 1}}"), {.subresource = "scale"}));
  EXPECT_EQ(scale.kind(), "Scale");
  EXPECT_EQ(scale["status"]["selector"].text(), "app=web");
  EXPECT_EQ(get(deployment, "web")["spec"]["replicas"].num_or(0), 1);
}

TEST_P(Api, DataHasALimit) {
  std::string full(1'048'576, 'x');
  auto map = kube::make_object(config_map, {"default", "big"});
  map["data"]["a"] = full;
  must(client->create(ctx, map, {}));
  map["metadata"]["name"] = "bigger";
  map["data"]["b"] = "y";
  fails(client->create(ctx, map, {}), Kind::invalid,
        "ConfigMap \"bigger\" is invalid: []: Too long: may not be more than 1048576 bytes");
  map["data"].map().erase("b");
  map["binaryData"]["c"] = "eQ==";
  fails(client->create(ctx, map, {}), Kind::invalid, "Too long");
  auto secret = kube::make_object({"v1", "Secret"}, {"default", "big"});
  secret["stringData"]["a"] = full;
  must(client->create(ctx, secret, {}));
  secret["metadata"]["name"] = "bigger";
  secret["stringData"]["a"] = full + "y";
  fails(client->create(ctx, secret, {}), Kind::invalid,
        "Secret \"bigger\" is invalid: data: Too long: may not be more than 1048576 bytes");
}

TEST_P(Api, Autoscalers) {
  auto scaler = [&](std::string_view spec) {
    return yaml(
        fmt::format("{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: h, "
                    "namespace: default}}, spec: {{scaleTargetRef: {{kind: Deployment, name: d}}, {}}}}}",
                    spec));
  };
  for (auto [spec, want] : std::initializer_list<std::pair<const char*, const char*>>{
           {"minReplicas: 3, maxReplicas: 2",
            "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"},
           {"minReplicas: 0, maxReplicas: 2", "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"},
           {"maxReplicas: 0", "spec.maxReplicas: Invalid value: 0: must be greater than 0"},
           {"maxReplicas: 2, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization}}}]",
            "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or "
            "a target utilization"},
           {"maxReplicas: 2, metrics: [{type: Pods}]",
            "spec.metrics[0].pods: Required value: must populate information for the given metric source"},
           {"maxReplicas: 2, metrics: [{type: Other}]",
            "spec.metrics[0].type: Unsupported value: \"Other\": supported values: \"ContainerResource\", "
            "\"External\", \"Object\", \"Pods\", \"Resource\""},
           {"maxReplicas: 2, behavior: {scaleUp: {policies: [{type: Pods, value: 0, periodSeconds: 3000}]}}",
            "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 3000: must be less than or equal to "
            "1800"},
           {"maxReplicas: 2, behavior: {scaleDown: {stabilizationWindowSeconds: 4000}}",
            "must be less than or equal to 3600"}})
    fails(client->create(ctx, scaler(spec), {}), Kind::invalid, want);
  must(client->create(
      ctx,
      scaler("maxReplicas: 9, behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}}, metrics: "
             "[{type: "
             "Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}, {type: Object, "
             "object: "
             "{describedObject: {kind: Service, name: s}, metric: {name: hits}, target: {type: Value, value: '10'}}}]"),
      {}));
  kube::Type now{"autoscaling/v2", "HorizontalPodAutoscaler"}, old{"autoscaling/v1", "HorizontalPodAutoscaler"};
  auto whole = get(now, "h");
  EXPECT_EQ(whole["spec"]["behavior"]["scaleUp"]["selectPolicy"].text(), "Max");
  EXPECT_EQ(whole["spec"]["behavior"]["scaleDown"]["policies"][0]["value"].num_or(0), 100);
  EXPECT_FALSE(whole["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"].present());
  auto flat = get(old, "h");
  EXPECT_EQ(flat["spec"]["targetCPUUtilizationPercentage"].num_or(0), 70);
  EXPECT_EQ(
      flat.annotation("autoscaling.alpha.kubernetes.io/metrics"),
      R"([{"type":"Object","object":{"target":{"kind":"Service","name":"s"},"metricName":"hits","targetValue":"10"}}])");
  // What v1 cannot say is not lost where somebody changes it through v1.
  auto next = flat.copy();
  next["spec"]["maxReplicas"] = 8;
  must(client->update(ctx, next, {}));
  auto after = get(now, "h");
  EXPECT_EQ(after["spec"]["maxReplicas"].num_or(0), 8);
  EXPECT_EQ(after["spec"]["metrics"].value(), whole["spec"]["metrics"].value());
  EXPECT_EQ(after["spec"]["behavior"].value(), whole["spec"]["behavior"].value());
  EXPECT_TRUE(after.annotations().empty());
}

TEST_P(Api, Patches) {
  make(web);
  Key key{"default", "web"};
  auto d = must(client->patch(ctx, deployment, key, kube::PatchType::strategic,
                              yaml("{spec: {template: {spec: {containers: [{name: side, image: s}]}}}}"), {}));
  EXPECT_EQ(d["spec"]["template"]["spec"]["containers"].items().size(), 2u);
  d = must(client->patch(ctx, deployment, key, kube::PatchType::json,
                         yaml("[{op: replace, path: /spec/replicas, value: 4}]"), {}));
  EXPECT_EQ(d["spec"]["replicas"].num_or(0), 4);
  d = must(client->patch(ctx, deployment, key, kube::PatchType::merge,
                         yaml("{metadata: {labels: {x: 'y', app: null}}}"), {}));
  EXPECT_EQ(d.labels(), (kube::StringMap{{"x", "y"}}));
  fails(client->patch(ctx, deployment, key, kube::PatchType::merge,
                      yaml("{spec: {selector: {matchLabels: {app: other}}}}"), {}),
        Kind::invalid, "field is immutable");
  fails(client->patch(ctx, deployment, key, kube::PatchType::json, yaml("[{op: remove, path: /spec/nothing}]"), {}),
        Kind::invalid, "/spec/nothing");
  fails(client->patch(ctx, deployment, {"default", "none"}, kube::PatchType::merge, yaml("{}"), {}), Kind::not_found,
        "not found");
}

TEST_P(Api, AppliesByOwner) {
  auto a = must(client->apply(ctx, yaml(web), {.field_manager = "one"}));
  EXPECT_EQ(a.generation(), 1);
  auto again = must(client->apply(ctx, yaml(web), {.field_manager = "one"}));
  EXPECT_EQ(again.resource_version(), a.resource_version());
  auto other =
      yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, spec: {replicas: 9}}");
  fails(client->apply(ctx, other, {.field_manager = "two"}), Kind::conflict, "conflict with \"one\": .spec.replicas");
  EXPECT_EQ(must(client->apply(ctx, other, {.field_manager = "two", .force = true}))["spec"]["replicas"].num_or(0), 9);
  // One no longer owns replicas, so leaving them out removes nothing; what it alone owned goes.
  auto less = yaml(web);
  less["spec"].map().erase("replicas");
  less["metadata"].map().erase("labels");
  auto d = must(client->apply(ctx, less, {.field_manager = "one"}));
  EXPECT_EQ(d["spec"]["replicas"].num_or(0), 9);
  EXPECT_TRUE(d.labels().empty());
}

TEST_P(Api, AppliesStatusApart) {
  make(web);
  auto status = yaml(
      "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, status: {replicas: 2}, spec: "
      "{replicas: 7}}");
  auto d = must(client->apply(ctx, status, {.field_manager = "s", .subresource = "status"}));
  EXPECT_EQ(d["status"]["replicas"].num_or(0), 2);
  EXPECT_EQ(d["spec"]["replicas"].num_or(0), 2) << "the spec is not written through status";
  status["status"] = doc::Map{};
  d = must(client->apply(ctx, status, {.field_manager = "s", .subresource = "status"}));
  EXPECT_FALSE(d["status"]["replicas"].present());
}

TEST_P(Api, ListsBySelectors) {
  map("a", "{app: x}"), map("b", "{app: y}"), map("c", "{app: x}");
  EXPECT_EQ(must(client->list(ctx, config_map, {.ns = "default", .label_selector = "app=x"})).items.size(), 2u);
  // A hint, which only the store at hand takes.
  auto mention = must(client->list(ctx, config_map, {.ns = "default", .mentions = {R"("app":"x")", "no such text"}}));
  EXPECT_EQ(mention.items.size(), GetParam() ? 3u : 2u);
  EXPECT_EQ(must(client->list(ctx, config_map, {.ns = "default", .field_selector = "metadata.name!=a"})).items.size(),
            2u);
  EXPECT_EQ(must(client->list(ctx, config_map, {})).items.size(), 3u);
  EXPECT_TRUE(must(client->list(ctx, config_map, {.ns = "kube-system"})).items.empty());
  fails(client->list(ctx, config_map, {.field_selector = "data.a=b"}), Kind::invalid, "field label not supported");
  fails(client->list(ctx, config_map, {.label_selector = "a in"}), Kind::invalid, "label selector");
}

TEST_P(Api, WatchesFromNowAndFromThen) {
  map("a", "{app: x}");
  auto list = must(client->list(ctx, config_map, {.ns = "default"}));
  auto all = must(client->watch(ctx, config_map, {.ns = "default"}));
  auto story = [&](kube::Watch& watch, int n) {
    std::string out;
    std::string last;
    for (int i = 0; i < n; ++i) {
      auto event = must(watch.next(ctx));
      if (event.type == kube::Event::Type::bookmark) {
        --i;
        continue;
      }
      static constexpr std::string_view words[] = {"+", "~", "-", "."};
      out += fmt::format("{}{} ", words[static_cast<int>(event.type)], event.object.name());
      EXPECT_TRUE(last.size() < event.object.resource_version().size() || last < event.object.resource_version());
      last = event.object.resource_version();
    }
    return out;
  };
  EXPECT_EQ(story(*all, 1), "+a ");  // over HTTP the watch is there once it has said something
  auto some = must(client->watch(
      ctx, config_map, {.ns = "default", .label_selector = "app=x", .resource_version = list.resource_version}));
  map("b", "{app: y}");
  must(client->patch(ctx, config_map, {"default", "b"}, kube::PatchType::merge, yaml("{metadata: {labels: {app: x}}}"),
                     {}));
  must(client->patch(ctx, config_map, {"default", "a"}, kube::PatchType::merge, yaml("{metadata: {labels: {app: y}}}"),
                     {}));
  must(client->remove(ctx, config_map, {"default", "b"}, {}));
  EXPECT_EQ(story(*all, 4), "+b ~b ~a -b ");
  EXPECT_EQ(story(*some, 3), "+b -a -b ");
  auto short_ctx = Ctx{}.within(Millis(30));
  fails(some->next(short_ctx), Kind::timeout, "");
  // Where it left off.
  auto rest = must(client->watch(ctx, config_map, {.ns = "default", .resource_version = list.resource_version}));
  EXPECT_EQ(story(*rest, 4), "+b ~b ~a -b ");
}

TEST_P(Api, FinalizersHoldBack) {
  make("{apiVersion: v1, kind: ConfigMap, metadata: {name: f, namespace: default, finalizers: [example.com/x]}}");
  must(client->remove(ctx, config_map, {"default", "f"}, {}));
  auto waiting = get(config_map, "f");
  ASSERT_TRUE(waiting);
  EXPECT_TRUE(waiting.deleting());
  auto more = waiting.copy();
  more["metadata"]["finalizers"].list().emplace_back("example.com/y");
  fails(client->update(ctx, more, {}), Kind::invalid, "no new finalizers");
  auto done = waiting.copy();
  done["metadata"].map().erase("finalizers");
  must(client->update(ctx, done, {}));
  EXPECT_FALSE(get(config_map, "f"));
  fails(client->remove(ctx, config_map, {"default", "f"}, {}), Kind::not_found, "not found");
  auto kept = map("kept");
  fails(client->remove(ctx, config_map, {"default", "kept"}, {.uid = "other"}), Kind::conflict,
        "Precondition failed: UID");
  make(web);
  must(client->remove(ctx, deployment, {"default", "web"},
                      {.propagation = kube::RemoveOptions::Propagation::foreground}));
  EXPECT_EQ(get(deployment, "web")["metadata"]["finalizers"][0].text(), "foregroundDeletion");
}

TEST_P(Api, PodsAreBoundAndGoGracefully) {
  make(
      "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}, spec: {terminationGracePeriodSeconds: 7, "
      "containers: [{name: c, image: x}]}}");
  auto binding =
      yaml("{apiVersion: v1, kind: Binding, metadata: {name: p, namespace: default}, target: {kind: Node, name: n1}}");
  must(client->create(ctx, binding, {.subresource = "binding"}));
  auto p = get(pod, "p");
  EXPECT_EQ(p["spec"]["nodeName"].text(), "n1");
  EXPECT_EQ(kube::condition_status(p, "PodScheduled"), "True");
  binding["target"]["name"] = "n2";
  fails(client->create(ctx, binding, {.subresource = "binding"}), Kind::conflict, "already assigned");
  must(client->remove(ctx, pod, {"default", "p"}, {}));
  p = get(pod, "p");
  ASSERT_TRUE(p);
  EXPECT_EQ(p["metadata"]["deletionGracePeriodSeconds"].num_or(0), 7);
  must(client->remove(ctx, pod, {"default", "p"}, {.grace_seconds = 0, .uid = p.uid()}));
  EXPECT_FALSE(get(pod, "p"));
  make(
      "{apiVersion: v1, kind: Pod, metadata: {name: q, namespace: default}, spec: {containers: [{name: c, image: "
      "x}]}}");
  must(client->remove(ctx, pod, {"default", "q"}, {}));
  EXPECT_FALSE(get(pod, "q")) << "unscheduled pods vanish at once";
}

TEST_P(Api, ServicesGetAddresses) {
  auto a = make("{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: NodePort, ports: [{port: 80}]}}");
  EXPECT_TRUE(a["spec"]["clusterIP"].text().starts_with("10.96."));
  EXPECT_GE(a["spec"]["ports"][0]["nodePort"].num_or(0), 30000);
  EXPECT_EQ(a["spec"]["ports"][0]["targetPort"].num_or(0), 80);
  auto b = make("{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: [{port: 80}]}}");
  EXPECT_NE(a["spec"]["clusterIP"].text(), b["spec"]["clusterIP"].text());
  fails(client->create(ctx,
                       yaml(fmt::format("{{apiVersion: v1, kind: Service, metadata: {{name: c}}, spec: {{clusterIP: "
                                        "{}, ports: [{{port: 80}}]}}}}",
                                        b["spec"]["clusterIP"].text())),
                       {}),
        Kind::invalid, "already allocated");
  // An update that does not know the address keeps it.
  auto again = must(client->update(
      ctx,
      yaml("{apiVersion: v1, kind: Service, metadata: {name: b, namespace: default}, spec: {ports: [{port: 81}]}}"),
      {}));
  EXPECT_EQ(again["spec"]["clusterIP"].text(), b["spec"]["clusterIP"].text());
  auto none = make("{apiVersion: v1, kind: Service, metadata: {name: h}, spec: {clusterIP: None}}");
  EXPECT_EQ(none["spec"]["clusterIPs"][0].text(), "None");
}

TEST_P(Api, NamespacesEndThroughFinalize) {
  make("{apiVersion: v1, kind: Namespace, metadata: {name: tmp}}");
  make("{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: tmp}}");
  must(client->remove(ctx, name_space, {"", "tmp"}, {}));
  auto ns = get(name_space, "tmp", "");
  EXPECT_EQ(ns["status"]["phase"].text(), "Terminating");
  fails(client->create(ctx, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: y, namespace: tmp}}"), {}),
        Kind::denied, "because it is being terminated");
  auto done = ns.copy();
  done["spec"]["finalizers"] = doc::List{};
  must(client->update(ctx, done, {.subresource = "finalize"}));
  EXPECT_FALSE(get(name_space, "tmp", ""));
  fails(client->remove(ctx, name_space, {"", "default"}, {}), Kind::denied, "may not be deleted");
}

constexpr std::string_view widgets = R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              colour: {type: string, default: red}
              parts: {type: array, items: {type: object, properties: {name: {type: string}, n: {type: integer}}}, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name]}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
  - {name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
)";

TEST_P(Api, CustomKindsLiveAndGo) {
  auto crd = make(widgets);
  EXPECT_EQ(kube::condition_status(crd, "Established"), "True");
  EXPECT_EQ(crd["spec"]["names"]["listKind"].text(), "WidgetList");
  Type widget{"example.com/v1", "Widget"};
  EXPECT_EQ(must(client->resource(ctx, widget)).plural, "widgets");
  auto w = make(
      "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {size: 2, other: 1}, status: {x: 1}}");
  EXPECT_EQ(w["spec"]["colour"].text(), "red");
  EXPECT_FALSE(w["spec"]["other"].exists());
  EXPECT_FALSE(w["status"].exists());
  fails(client->create(ctx, yaml("{apiVersion: example.com/v1, kind: Widget, metadata: {name: v}, spec: {}}"), {}),
        Kind::invalid, "spec.size: Required value");
  fails(
      client->create(ctx, yaml("{apiVersion: example.com/v1, kind: Widget, metadata: {name: v}, spec: {size: 0}}"), {}),
      Kind::invalid, "greater than or equal to 1");
  auto v2 = must(client->get(ctx, {"example.com/v2", "Widget"}, {"default", "w"}));
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->api_version(), "example.com/v2");
  auto one = yaml(
      "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w, namespace: default}, spec: {parts: [{name: a, n: "
      "1}]}}");
  auto two = yaml(
      "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w, namespace: default}, spec: {parts: [{name: b, n: "
      "1}]}}");
  must(client->apply(ctx, one, {.field_manager = "one"}));
  EXPECT_EQ(must(client->apply(ctx, two, {.field_manager = "two"}))["spec"]["parts"].items().size(), 2u);
  auto status = must(client->patch(ctx, widget, {"default", "w"}, kube::PatchType::merge,
                                   yaml("{status: {phase: Good}, spec: {size: 8}}"), {.subresource = "status"}));
  EXPECT_EQ(status["status"]["phase"].text(), "Good");
  EXPECT_EQ(status["spec"]["size"].num_or(0), 2);
  must(client->remove(ctx, {"apiextensions.k8s.io/v1", "CustomResourceDefinition"}, {"", "widgets.example.com"}, {}));
  EXPECT_FALSE(
      must(client->get(ctx, {"apiextensions.k8s.io/v1", "CustomResourceDefinition"}, {"", "widgets.example.com"})));
}

// A new version of a definition knows less and wants more than the one that objects were written with.
TEST_P(Api, WhatAStricterDefinitionFindsWrongStaysUntilItIsTouched) {
  auto definition = [](const std::string& spec) {
    return yaml(fmt::format(
        "{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {{name: "
        "gears.example.com}}, spec: {{group: example.com, scope: Namespaced, names: {{plural: gears, kind: Gear}}, "
        "versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, properties: "
        "{{spec: {}, status: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}}}}}]}}}}",
        spec));
  };
  must(client->apply(ctx, definition("{type: object, x-kubernetes-preserve-unknown-fields: true}"),
                     {.field_manager = "test"}));
  make("{apiVersion: example.com/v1, kind: Gear, metadata: {name: g}, spec: {teeth: '9', color: red}}");
  must(client->apply(
      ctx,
      definition("{type: object, required: [axle], properties: {teeth: {type: integer}, axle: {type: string}, colour: "
                 "{type: string}}}"),
      {.field_manager = "test"}));
  Type gear{"example.com/v1", "Gear"};
  auto patch = [&](const char* text) {
    return client->patch(ctx, gear, {"default", "g"}, kube::PatchType::merge, yaml(text), {});
  };
  EXPECT_EQ(must(patch("{status: {phase: Good}}"))["status"]["phase"].text(), "Good");
  EXPECT_EQ(must(patch("{metadata: {labels: {a: b}}}"))["spec"]["teeth"].text(), "9");
  fails(patch("{spec: {colour: red}}"), Kind::invalid, "spec.teeth: Invalid value: want an integer, got a string");
  fails(patch("{spec: {teeth: 9}}"), Kind::invalid, "spec.axle: Required value");
  EXPECT_EQ(must(patch("{spec: {teeth: 9, axle: steel}}"))["spec"]["axle"].text(), "steel");
  fails(patch("{spec: {axle: null}}"), Kind::invalid, "spec.axle: Required value");
}

TEST_P(Api, ChangesFromManyThreadsAllCount) {
  map("counter");
  constexpr int threads = 4, each = 10;
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < threads; ++t)
      all.emplace_back([&] {
        for (int i = 0; i < each; ++i)
          must(kube::modify(ctx, *client, config_map, {"default", "counter"}, {}, [](doc::Value& o) -> Result<bool> {
            auto n = doc::View(o)["data"]["n"].text();
            o["data"]["n"] = std::to_string((n.empty() ? 0 : std::stoi(n)) + 1);
            return true;
          }));
      });
  }
  EXPECT_EQ(get(config_map, "counter")["data"]["n"].text(), std::to_string(threads * each));
}

// A controller goes on by itself when the server was away.
// Argo CD's or Flux's own definition of a kind that is built in: what controllers of ours put into a status stays.
TEST(Definitions, OfABuiltInKindLeaveItsStatusOpen) {
  auto definition = [](std::string_view status) {
    return fmt::format(R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: things.example.org}}
spec:
  group: example.org
  names: {{kind: Thing, plural: things}}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object}}, status: {}}}}}}}
)",
                       status);
  };
  auto api = make_test_api({.crds = {definition("{type: object, x-kubernetes-preserve-unknown-fields: true}")}});
  auto client = api.client();
  auto theirs = must(doc::parse_yaml(definition("{type: object, properties: {phase: {type: string}}}")));
  must(client->apply({}, theirs, {.field_manager = "kubectl", .force = true}));
  auto thing =
      must(doc::parse_yaml("{apiVersion: example.org/v1, kind: Thing, metadata: {name: t, namespace: default}, spec: "
                           "{x: 1}, status: {phase: a, "
                           "operationState: {b: c}}}"));
  auto made = must(client->create({}, thing, {}));
  EXPECT_EQ(made["status"]["operationState"]["b"].text(), "c");
  EXPECT_FALSE(made["spec"]["x"].exists()) << "the rest is as they say";
}

TEST(Controller, OutlivesTheServer) {
  auto api = make_test_api({.namespaces = {"home"}});
  auto server = must(net::Server::start({}, api->routes()));
  int port = server->port();
  kube::Kubeconfig config;
  config.server = "http://" + server->address();
  std::shared_ptr<kube::Client> client = must(kube::connect(config));
  Queue<Key> seen;
  std::atomic<int> failures{0};
  kube::ControllerOptions options{.name = "test", .sources = {{config_map, {}, {.ns = "home"}}}};
  std::jthread controller([&](std::stop_token stop) {
    (void)kube::run_controller(Ctx{}.with_stop(stop), *client, options,
                               [&](const Ctx&, const Key& key) -> Result<kube::Reconciled> {
                                 if (key.name == "twice" && failures++ == 0)
                                   return fail(Kind::unavailable, "try again");
                                 seen.push(key);
                                 return kube::Reconciled{};
                               });
  });
  auto local = api.client();
  auto make = [&](const std::string& name) {
    must(local->create(Ctx{}, kube::make_object(config_map, {"home", name}), {}));
  };
  auto next = [&] { return must(seen.pop(Ctx{}.within(Millis(20000))))->name; };
  make("one");
  EXPECT_EQ(next(), "one");
  make("twice");
  EXPECT_EQ(next(), "twice") << "an error is tried again";
  server.reset();
  make("meanwhile");
  server = must(net::Server::start({.port = port}, api->routes()));
  EXPECT_EQ(next(), "meanwhile");
  must(local->remove(Ctx{}, config_map, {"home", "one"}, {}));
  EXPECT_EQ(next(), "one") << "a deletion concerns its key";
}

// More happens than the server remembers while a controller stands still: a new list tells it what changed and what has
// gone, with the metadata that the gone one had.
TEST(Controller, HearsOfWhatWentUnseen) {
  auto api = make_test_api({.durable = false});
  auto local = api.client();
  auto make = [&](const std::string& name, kube::StringMap labels = {}) {
    auto object = kube::make_object(config_map, {"default", name}, std::move(labels));
    object["data"]["large"] = "not to be remembered";
    return must(local->create(Ctx{}, std::move(object), {}));
  };
  auto stays = make("stays"), goes = make("goes", {{"app", "web"}}), changes = make("changes");
  Queue<kube::Event> heard;
  std::latch still(1), on(1);
  std::atomic<bool> once = true;
  kube::ControllerOptions options{.name = "test"};
  options.sources.push_back({.type = config_map, .keys = [&](const kube::Event& event) -> std::vector<Key> {
                               if (event.object.name() == "gate" && once.exchange(false)) {
                                 still.count_down();
                                 on.wait();
                               }
                               heard.push(event);
                               return {};
                             }});
  std::jthread controller([&](std::stop_token stop) {
    (void)kube::run_controller(Ctx{}.with_stop(stop), *local, options,
                               [](const Ctx&, const Key&) -> Result<kube::Reconciled> { return kube::Reconciled{}; });
  });
  auto next = [&](const std::string& wanted) {
    for (;;) {
      auto event = must(heard.pop(Ctx{}.within(Millis(20000))));
      if (event->object.name() == wanted) return *event;
    }
  };
  using T = kube::Event::Type;
  EXPECT_EQ(next("goes").type, T::added);
  EXPECT_EQ(next("stays").type, T::added);
  auto gate = make("gate");
  still.wait();
  must(local->remove(Ctx{}, config_map, goes.key(), {}));
  auto changed = changes.copy();
  changed["data"]["new"] = "yes";
  must(local->update(Ctx{}, std::move(changed), {}));
  for (int n = 0; n < 8300; ++n) {
    auto value = gate.copy();
    value["data"]["n"] = std::to_string(n);
    gate = must(local->update(Ctx{}, std::move(value), {}));
  }
  on.count_down();
  auto modified = next("changes");
  EXPECT_EQ(modified.type, T::modified);
  EXPECT_EQ(modified.object["data"]["new"].text(), "yes");
  auto gone = next("goes");
  EXPECT_EQ(gone.type, T::deleted);
  EXPECT_EQ(gone.object.type(), config_map);
  EXPECT_EQ(gone.object.uid(), goes.uid());
  EXPECT_EQ(gone.object.label("app"), "web");
  EXPECT_FALSE(gone.object["data"].present());
  make("last");
  for (;;) {
    auto event = must(heard.pop(Ctx{}.within(Millis(20000))));
    EXPECT_NE(event->object.name(), "stays") << "nothing happened to it";
    if (event->object.name() == "last") break;
  }
}

TEST(ApiAudit, NamesWhoDidWhat) {
  auto api = make_test_api();
  std::vector<std::string> seen;
  api->on_write([&](const Audit& a) {
    seen.push_back(fmt::format("{} {} {} {} {}", a.user, a.verb, a.type.kind, a.key.str(), a.field_manager));
  });
  auto client = api.client("ada");
  must(client->create(Ctx{}, yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: m}}"), {.field_manager = "f"}));
  must(client->remove(Ctx{}, config_map, {"default", "m"}, {}));
  EXPECT_EQ(seen, (std::vector<std::string>{"ada create ConfigMap default/m f", "ada delete ConfigMap default/m "}));
}

TEST(ApiSpeed, OpensQuickly) {
  auto started = std::chrono::steady_clock::now();
  auto api = make_test_api();
  auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started);
  EXPECT_LT(took.count(), 200) << "a loaded machine; it wants under 20";
  printf("opened in %d ms\n", static_cast<int>(took.count()));
}

}  // namespace
}  // namespace slipway::cluster
