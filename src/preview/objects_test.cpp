#include "base/hash.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "preview/preview.h"

namespace slipway::preview {
namespace {

bool is_namespaced(const kube::Type& type) {
  return type.kind != "ClusterRole" && type.kind != "PersistentVolume" && type.kind != "Namespace";
}

struct Case {
  const char* name;
  const char* object;
  const char* want;  // JSON of what is left; "" for nothing
};
class Objects : public testing::TestWithParam<Case> {};
TEST_P(Objects, Table) {
  std::map<std::string, std::string> images{{"shop/api", "reg/shop/api@sha256:aa"}, {"web", "reg/web@sha256:bb"}};
  auto kept = preview_objects({must(doc::parse_yaml(GetParam().object))}, "preview-x", images, is_namespaced);
  EXPECT_EQ(kept.empty() ? "" : doc::print_json(kept[0]), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Preview, Objects,
    testing::ValuesIn(std::to_array<Case>({
        {"Plain", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: prod}}",
         R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"preview-x"}})"},
        {"ClusterScoped", "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: c}}", ""},
        {"Namespace", "{apiVersion: v1, kind: Namespace, metadata: {name: prod}}", ""},
        {"Ingress", "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: c}}", ""},
        {"Route", "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: c}}", ""},
        {"Application", "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: c}}", ""},
        {"AnalysisTemplate", "{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: c}}", ""},
        {"Images",
         "{kind: Deployment, metadata: {name: d}, spec: {template: {spec: {initContainers: [{image: 'x/shop/api:1'}], "
         "containers: [{image: 'shop/api'}, {image: 'other/web@sha256:cc'}, {image: 'notweb'}, {image: "
         "'shop/api-more:1'}, {image: 'h:5000/web'}, 7, {noimage: 1}]}}}}",
         R"({"kind":"Deployment","metadata":{"name":"d","namespace":"preview-x"},"spec":{"template":{"spec":{"initContainers":[{"image":"reg/shop/api@sha256:aa"}],"containers":[{"image":"reg/shop/api@sha256:aa"},{"image":"reg/web@sha256:bb"},{"image":"notweb"},{"image":"shop/api-more:1"},{"image":"reg/web@sha256:bb"},7,{"noimage":1}]}}}})"},
        {"CronJob",
         "{kind: CronJob, metadata: {name: d}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: "
         "web}]}}}}}}",
         R"({"kind":"CronJob","metadata":{"name":"d","namespace":"preview-x"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"image":"reg/web@sha256:bb"}]}}}}}})"},
        {"Pod", "{kind: Pod, metadata: {name: d}, spec: {containers: [{image: web}]}}",
         R"({"kind":"Pod","metadata":{"name":"d","namespace":"preview-x"},"spec":{"containers":[{"image":"reg/web@sha256:bb"}]}})"},
        {"Rollout",
         "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: r}, spec: {replicas: 2, strategy: "
         "{canary: {}}, template: {spec: {containers: [{image: web}]}}}}",
         R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"r","namespace":"preview-x"},"spec":{"replicas":2,"template":{"spec":{"containers":[{"image":"reg/web@sha256:bb"}]}}}})"},
        {"RolloutOfAWorkload",
         "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: r}, spec: {workloadRef: {name: d}}}", ""},
        {"ServiceKeepsNoAddress",
         "{kind: Service, metadata: {name: s}, spec: {type: NodePort, clusterIP: 10.0.0.5, externalIPs: [1.2.3.4], "
         "ports: [{port: 80, nodePort: 30080}]}}",
         R"({"kind":"Service","metadata":{"name":"s","namespace":"preview-x"},"spec":{"type":"ClusterIP","ports":[{"port":80}]}})"},
        {"HeadlessStays", "{kind: Service, metadata: {name: s}, spec: {clusterIP: None}}",
         R"({"kind":"Service","metadata":{"name":"s","namespace":"preview-x"},"spec":{"clusterIP":"None"}})"},
        {"ClaimOfItsOwn",
         "{kind: PersistentVolumeClaim, metadata: {name: c}, spec: {volumeName: prod-data, resources: {}}}",
         R"({"kind":"PersistentVolumeClaim","metadata":{"name":"c","namespace":"preview-x"},"spec":{"resources":{}}})"},
        {"BindsItsOwnAccounts",
         "{kind: RoleBinding, metadata: {name: b}, subjects: [{kind: ServiceAccount, name: a, namespace: prod}, {kind: "
         "User, name: u}]}",
         R"({"kind":"RoleBinding","metadata":{"name":"b","namespace":"preview-x"},"subjects":[{"kind":"ServiceAccount","name":"a","namespace":"preview-x"},{"kind":"User","name":"u"}]})"},
        {"OddShapes", "{kind: Service, metadata: {name: s}, spec: [1]}",
         R"({"kind":"Service","metadata":{"name":"s","namespace":"preview-x"},"spec":[1]})"},
        {"OddPods", "{kind: Deployment, metadata: {name: s}, spec: {template: {spec: {containers: {a: b}}}}}",
         R"({"kind":"Deployment","metadata":{"name":"s","namespace":"preview-x"},"spec":{"template":{"spec":{"containers":{"a":"b"}}}}})"},
    })),
    [](const auto& i) { return i.param.name; });

struct Name {
  const char* name;
  std::string asked, want;
};
class Names : public testing::TestWithParam<Name> {};
TEST_P(Names, Table) { EXPECT_EQ(namespace_name(GetParam().asked), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(Preview, Names,
                         testing::ValuesIn(std::vector<Name>{
                             {"PullRequest", "pr-12", "preview-pr-12"},
                             {"LongestPlain", std::string(55, 'a'), "preview-" + std::string(55, 'a')},
                             {"Upper", "PR-12", "preview-pr-12-" + sha256_hex("PR-12").substr(0, 8)},
                             {"Path", "../../kube-system",
                              "preview-------kube-system-" + sha256_hex("../../kube-system").substr(0, 8)},
                             {"Empty", "", "preview-" + sha256_hex("").substr(0, 8)},
                             {"Dashes", "---", "preview-" + sha256_hex("---").substr(0, 8)},
                             {"Unicode", "größe", "preview-gr----e-" + sha256_hex("größe").substr(0, 8)},
                             {"TooLong", std::string(200, 'b'),
                              "preview-" + std::string(46, 'b') + "-" + sha256_hex(std::string(200, 'b')).substr(0, 8)},
                         }),
                         [](const auto& i) { return i.param.name; });

TEST(Names, ThatLookAlikeNeverMeet) {
  std::set<std::string> seen;
  for (auto name : {"feature-a", "feature_a", "Feature-A", "feature/a", "feature-a-", "feature a"})
    EXPECT_TRUE(seen.insert(namespace_name(name)).second) << name;
  for (int n = 0; n < 300; ++n) {
    auto ns = namespace_name(std::string(static_cast<std::size_t>(n), n % 2 == 0 ? '-' : 'x'));
    EXPECT_LE(ns.size(), 63U);
    EXPECT_FALSE(ns.ends_with('-'));
    EXPECT_TRUE(seen.insert(ns).second || n == 0) << n;
  }
}

struct Ready {
  const char* name;
  const char* object;
  const char* want;
};
class NotReady : public testing::TestWithParam<Ready> {};
TEST_P(NotReady, Table) {
  EXPECT_EQ(not_ready(kube::Object(must(doc::parse_yaml(GetParam().object)))), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Preview, NotReady,
    testing::ValuesIn(std::to_array<Ready>({
        {"Config", "{kind: ConfigMap, metadata: {name: c}}", ""},
        {"Deployment",
         "{kind: Deployment, metadata: {name: d, generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2, "
         "readyReplicas: 2, updatedReplicas: 1}}",
         "Deployment d: 1 of 2 ready"},
        {"DeploymentStale",
         "{kind: Deployment, metadata: {name: d, generation: 2}, status: {observedGeneration: 1, readyReplicas: 1, "
         "updatedReplicas: 1}}",
         "Deployment d: 1 of 1 ready"},
        {"DeploymentReady",
         "{kind: Deployment, metadata: {name: d, generation: 2}, status: {observedGeneration: 2, readyReplicas: 1, "
         "updatedReplicas: 1}}",
         ""},
        {"DeploymentOfNone",
         "{kind: Deployment, metadata: {name: d, generation: 1}, spec: {replicas: 0}, status: {observedGeneration: 1}}",
         ""},
        {"DaemonSet", "{kind: DaemonSet, metadata: {name: d}, status: {desiredNumberScheduled: 1, numberReady: 0}}",
         "DaemonSet d: 0 ready"},
        {"DaemonSetNew", "{kind: DaemonSet, metadata: {name: d}}", "DaemonSet d: 0 ready"},
        {"Pod", "{kind: Pod, metadata: {name: p}, status: {phase: Pending}}", "Pod p: Pending"},
        {"PodReady",
         "{kind: Pod, metadata: {name: p}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}", ""},
    })),
    [](const auto& i) { return i.param.name; });

TEST(AnsweringServices, AreThoseWithPodsToCome) {
  auto objects = must(doc::parse_yaml_all(R"(
{kind: Deployment, metadata: {name: d}, spec: {template: {metadata: {labels: {app: web, v: x}}}}}
---
{kind: Deployment, metadata: {name: off}, spec: {replicas: 0, template: {metadata: {labels: {app: off}}}}}
---
{kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{kind: Service, metadata: {name: off}, spec: {selector: {app: off}, ports: [{port: 80}]}}
---
{kind: Service, metadata: {name: other}, spec: {selector: {app: web, v: y}, ports: [{port: 80}]}}
---
{kind: Service, metadata: {name: no-ports}, spec: {clusterIP: None, selector: {app: web}}}
---
{kind: Service, metadata: {name: by-hand}, spec: {ports: []}}
)"));
  EXPECT_EQ(join(answering_services(objects), " "), "web");
}

}  // namespace
}  // namespace slipway::preview
