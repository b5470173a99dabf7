#include "gitops/detail/health.h"

#include <algorithm>
#include <iostream>

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

struct Case {
  const char* name;
  const char* object;  // YAML flow
  const char* want;    // "Health: message"
};
std::string show(const kube::Object& object) {
  auto health = health_of(object);
  return health ? fmt::format("{}: {}", to_string(health->health), health->message) : "none";
}
class Rules : public testing::TestWithParam<Case> {};
TEST_P(Rules, Table) { EXPECT_EQ(show(kube::Object(must(doc::parse_yaml(GetParam().object)))), GetParam().want); }

#define DEPLOY "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, generation: 2}, "
#define SET "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s, generation: 1}, "
#define DAEMON "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: n, generation: 1}, "
#define REPLICAS "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r, generation: 1}, "
#define POD "{apiVersion: v1, kind: Pod, metadata: {name: p}, "
#define JOB "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, "
#define HPA "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, "
INSTANTIATE_TEST_SUITE_P(
    Health, Rules,
    testing::ValuesIn(std::to_array<Case>({
        {"NoCheck", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}", "none"},
        {"ApplicationNotLookedAt", "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: c}}",
         "Progressing: Waiting for the Application to be looked at"},
        {"Terminating",
         "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, deletionTimestamp: '2026-01-01T00:00:00Z'}}",
         "Progressing: Pending deletion"},
        {"DeploymentHealthy",
         DEPLOY
         "spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2}}",
         "Healthy: "},
        {"DeploymentPaused", DEPLOY "spec: {paused: true}}", "Suspended: Deployment is paused"},
        {"DeploymentStale",
         DEPLOY
         "spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2}}",
         "Progressing: Waiting for rollout to finish: observed deployment generation less than desired generation"},
        {"DeploymentDeadline",
         DEPLOY "status: {observedGeneration: 2, conditions: [{type: Progressing, reason: ProgressDeadlineExceeded}]}}",
         "Degraded: Deployment \"d\" exceeded its progress deadline"},
        {"DeploymentUpdating",
         DEPLOY
         "spec: {replicas: 3}, status: {observedGeneration: 2, replicas: 3, updatedReplicas: 1, availableReplicas: 3}}",
         "Progressing: Waiting for rollout to finish: 1 out of 3 new replicas have been updated..."},
        {"DeploymentOld",
         DEPLOY
         "spec: {replicas: 1}, status: {observedGeneration: 2, replicas: 2, updatedReplicas: 1, availableReplicas: 1}}",
         "Progressing: Waiting for rollout to finish: 1 old replicas are pending termination..."},
        {"DeploymentUnavailable",
         DEPLOY
         "spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 1}}",
         "Progressing: Waiting for rollout to finish: 1 of 2 updated replicas are available..."},
        {"DeploymentZero", DEPLOY "spec: {replicas: 0}, status: {observedGeneration: 2}}", "Healthy: "},
        {"ReplicaSetFailure",
         REPLICAS
         "status: {observedGeneration: 1, conditions: [{type: ReplicaFailure, status: 'True', message: quota}]}}",
         "Degraded: quota"},
        {"ReplicaSetWaiting", REPLICAS "spec: {replicas: 2}, status: {observedGeneration: 1, availableReplicas: 1}}",
         "Progressing: Waiting for rollout to finish: 1 out of 2 new replicas are available..."},
        {"StatefulSetNew", SET "spec: {replicas: 1}}",
         "Progressing: Waiting for statefulset spec update to be observed..."},
        {"StatefulSetWaiting", SET "spec: {replicas: 3}, status: {observedGeneration: 1, readyReplicas: 1}}",
         "Progressing: Waiting for 2 pods to be ready..."},
        {"StatefulSetPartition",
         SET "spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}}, status: "
             "{observedGeneration: 1, readyReplicas: 3, updatedReplicas: 1}}",
         "Progressing: Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated..."},
        {"StatefulSetPartitionDone",
         SET "spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}}, status: "
             "{observedGeneration: 1, readyReplicas: 3, updatedReplicas: 2, updateRevision: b, currentRevision: a}}",
         "Healthy: "},
        {"StatefulSetOnDelete",
         SET "spec: {replicas: 1, updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, readyReplicas: 1, "
             "updateRevision: b, currentRevision: a}}",
         "Healthy: "},
        {"StatefulSetRolling",
         SET "spec: {replicas: 1}, status: {observedGeneration: 1, readyReplicas: 1, updatedReplicas: 0, "
             "updateRevision: b, currentRevision: a}}",
         "Progressing: waiting for statefulset rolling update to complete 0 pods at revision b..."},
        {"DaemonSetUpdating",
         DAEMON
         "status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 1, numberAvailable: 3}}",
         "Progressing: Waiting for daemon set \"n\" rollout to finish: 1 out of 3 new pods have been updated..."},
        {"DaemonSetOnDelete",
         DAEMON "spec: {updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, desiredNumberScheduled: 3}}",
         "Healthy: "},
        {"DaemonSetHealthy",
         DAEMON
         "status: {observedGeneration: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1}}",
         "Healthy: "},
        {"PodPending", POD "status: {phase: Pending}}", "Progressing: "},
        {"PodImage",
         POD "status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ErrImagePull, message: no such "
             "image}}}]}}",
         "Degraded: no such image"},
        {"PodBackOff",
         POD "status: {phase: Running, containerStatuses: [{state: {waiting: {reason: CrashLoopBackOff}}}]}}",
         "Degraded: CrashLoopBackOff"},
        {"PodReady", POD "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}", "Healthy: "},
        {"PodNotReady", POD "status: {phase: Running}}", "Progressing: "},
        {"PodRestarted", POD "status: {phase: Running, containerStatuses: [{lastState: {terminated: {exitCode: 1}}}]}}",
         "Degraded: "},
        {"PodNever",
         POD "spec: {restartPolicy: Never}, status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}",
         "Progressing: "},
        {"PodSucceeded", POD "spec: {restartPolicy: Never}, status: {phase: Succeeded}}", "Healthy: "},
        {"PodFailed",
         POD "spec: {restartPolicy: Never}, status: {phase: Failed, containerStatuses: [{name: c, state: {terminated: "
             "{exitCode: 3}}}]}}",
         "Degraded: container \"c\" failed with exit code 3"},
        {"PodNoPhase", POD "}", "Unknown: "},
        {"JobRunning", JOB "status: {active: 1}}", "Progressing: "},
        {"JobComplete", JOB "status: {conditions: [{type: Complete, status: 'True', message: m}]}}", "Healthy: m"},
        {"JobFailed", JOB "status: {conditions: [{type: Failed, status: 'True', message: backoff}]}}",
         "Degraded: backoff"},
        {"JobSuspended", JOB "status: {conditions: [{type: Suspended, status: 'True'}]}}", "Suspended: "},
        {"JobResumed", JOB "status: {conditions: [{type: Suspended, status: 'False'}]}}", "Progressing: "},
        {"ServicePlain", "{apiVersion: v1, kind: Service, metadata: {name: s}}", "Healthy: "},
        {"ServiceBalancer", "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer}}",
         "Progressing: "},
        {"ServiceBalanced",
         "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer}, status: {loadBalancer: "
         "{ingress: [{ip: 1.2.3.4}]}}}",
         "Healthy: "},
        {"Ingress", "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}}", "Progressing: "},
        {"IngressOld",
         "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: i}, status: {loadBalancer: {ingress: "
         "[{hostname: h}]}}}",
         "Healthy: "},
        {"ClaimBound", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, status: {phase: Bound}}",
         "Healthy: "},
        {"ClaimPending", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, status: {phase: Pending}}",
         "Progressing: "},
        {"ClaimLost", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, status: {phase: Lost}}",
         "Degraded: "},
        {"ClaimNew", "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}}", "Unknown: "},
        {"ScalerNew", HPA "}", "Progressing: Waiting to Autoscale"},
        {"ScalerFails",
         HPA "status: {conditions: [{type: AbleToScale, status: 'True'}, {type: ScalingActive, status: 'False', "
             "reason: FailedGetResourceMetric, message: no metrics}]}}",
         "Degraded: no metrics"},
        {"ScalerAble", HPA "status: {conditions: [{type: AbleToScale, status: 'True'}]}}", "Healthy: "},
        {"ScalerV1",
         "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: h, annotations: "
         "{autoscaling.alpha.kubernetes.io/conditions: '[{\"type\":\"AbleToScale\",\"status\":\"True\"}]'}}}",
         "Healthy: "},
        {"ScalerV1Broken",
         "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: h, annotations: "
         "{autoscaling.alpha.kubernetes.io/conditions: '[{'}}}",
         "Unknown: the annotation autoscaling.alpha.kubernetes.io/conditions is no JSON"},
        {"ApiService",
         "{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: a}, status: {conditions: [{type: "
         "Available, status: 'False', reason: R, message: m}]}}",
         "Progressing: R: m"},
        {"Workflow",
         "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: w}, status: {phase: Error, message: m}}",
         "Degraded: m"},
        {"Definition",
         "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: c}, status: "
         "{conditions: [{type: Established, status: 'True'}]}}",
         "Healthy: CRD is healthy"},
        {"DefinitionRefused",
         "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: c}, status: "
         "{conditions: [{type: NamesAccepted, status: 'False', message: taken}]}}",
         "Degraded: taken"},
        {"SealedSecret",
         "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: s}, status: {conditions: [{type: "
         "Synced, status: 'False', message: no key}]}}",
         "Degraded: no key"},
        {"OddTypesAreNoCrash",
         "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, generation: x}, spec: 7, status: [1]}",
         "Progressing: Waiting for rollout to finish: 0 out of 1 new replicas have been updated..."},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Health, WordsGoBothWays) {
  for (auto health :
       {Health::healthy, Health::suspended, Health::progressing, Health::missing, Health::degraded, Health::unknown})
    EXPECT_EQ(parse_health(to_string(health)), health);
  EXPECT_EQ(parse_health("Fine"), std::nullopt);
}

// The rules of kinds of which no case is at hand, by what their API says.
#define CONDITION(type, status, message) "{conditions: [{type: " type ", status: '" status "', message: " message "}]}"
INSTANTIATE_TEST_SUITE_P(
    HealthOfKinds, Rules,
    testing::ValuesIn(std::to_array<Case>({
        {"HttpRouteNew", "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}}",
         "Progressing: Waiting for HTTPRoute status"},
        {"HttpRouteRefused",
         "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, status: {parents: "
         "[{parentRef: {name: web}, conditions: [{type: Accepted, status: 'False', message: no host}]}]}}",
         "Degraded: Parent web: no host"},
        {"ExternalSecret",
         "{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: e}, status: " CONDITION(
             "Ready", "False", "no such key") "}",
         "Degraded: no such key"},
        {"ElasticsearchWorks",
         "{apiVersion: elasticsearch.k8s.elastic.co/v1, kind: Elasticsearch, metadata: {name: e}, status: {health: "
         "yellow, phase: ApplyingChanges}}",
         "Progressing: Elasticsearch phase is ApplyingChanges"},
        {"CrossplaneComposite",
         "{apiVersion: s3.aws.upbound.io/v1beta1, kind: Bucket, metadata: {name: b}, status: {conditions: [{type: "
         "Synced, status: 'True'}, {type: Ready, status: 'False', reason: Creating}]}}",
         "Progressing: Provisioning ..."},
        {"PostgresClusterWaits",
         "{apiVersion: postgres-operator.crunchydata.com/v1beta1, kind: PostgresCluster, metadata: {name: p, "
         "generation: 1}, status: {observedGeneration: 1, instances: [{replicas: 2, readyReplicas: 2}, {replicas: 2, "
         "readyReplicas: 1}]}}",
         "Progressing: Waiting for instances"},
        {"RayJobFailed",
         "{apiVersion: ray.io/v1, kind: RayJob, metadata: {name: j}, status: {jobStatus: FAILED, message: oom}}",
         "Degraded: oom"},
        {"VeleroSchedulePaused",
         "{apiVersion: velero.io/v1, kind: Schedule, metadata: {name: s}, spec: {paused: true}}",
         "Suspended: Schedule is paused"},
        {"WaitsForItsPullRequests",
         "{apiVersion: promoter.argoproj.io/v1alpha1, kind: CommitStatus, metadata: {name: c, deletionTimestamp: "
         "'2026-01-01T00:00:00Z'}}",
         "Progressing: Commit status is being deleted"},
        {"OtherKindsOfAKnownGroup",
         "{apiVersion: kafka.strimzi.io/v1, kind: KafkaMirrorMaker2, metadata: {name: m}, status: " CONDITION(
             "NotReady", "True", "no source") "}",
         "Degraded: no source"},
    })),
    [](const auto& i) { return i.param.name; });

// Path of the input below argo-health/ -> why we differ. A line that no case needs fails as well.
std::map<std::string, std::string> known_differences() {
  std::map<std::string, std::string> known;
  auto text = must(read_file(fs::path(SLIPWAY_TESTDATA) / "argo-health-differences.txt"));
  for (auto line : lines(text))
    if (auto parts = cut(line, ": "); parts && !line.starts_with('#')) known.emplace(parts->first, parts->second);
  return known;
}

// "Degraded: no key" of one case, or why there is no answer.
std::string answer_to(const fs::path& input) {
  auto parsed = doc::parse_yaml_all(must(read_file(input)));
  if (!parsed) return "unread: " + parsed.error().what();
  // As the cases do: the kind's own check, which deletion does not keep from being asked.
  auto health = detail::own_health(kube::Object(parsed->front()));
  return health ? fmt::format("{}: {}", to_string(health->health), health->message) : "none";
}

// The cases of Argo CD's own checks: status and message; shares are printed, and what is reached is kept in testdata.
TEST(Health, ArgosCasesAgree) {
  auto folder = corpora();
  if (!folder || !path_exists(*folder / "argo-health")) GTEST_SKIP() << "no corpora/argo-health beside the project";
  int all = 0, same = 0, words = 0;
  auto known = known_differences();
  std::string wrong;
  for (const auto& entry : fs::recursive_directory_iterator(*folder / "argo-health")) {
    if (entry.path().filename() != "health_test.yaml") continue;
    auto tests = must(doc::parse_yaml(must(read_file(entry.path()))));
    for (const auto& one : doc::View(tests)["tests"].items()) {
      ++all;
      auto input = entry.path().parent_path() / (one["inputPath"].text() + one["inputpath"].text());
      auto status = one["healthStatus"]["status"].text(), message = one["healthStatus"]["message"].text();
      auto want = fmt::format("{}: {}", status, message), got = answer_to(input);
      same += got.starts_with(status + ": "), words += got == want;
      auto name = fs::relative(input, *folder / "argo-health").native();
      if (got != want && known.erase(name) == 0) wrong += fmt::format("{}\n  want {}\n  got  {}\n", name, want, got);
    }
  }
  std::cout << fmt::format("argo-health: {} of {} cases agree in status, {} in message too\n", same, all, words);
  auto floor = must(read_file(fs::path(SLIPWAY_TESTDATA) / "argo-health-floor.txt"));
  auto parts = cut(std::string_view(floor), " ");
  EXPECT_GE(same, to_int(parts->first).value_or(0));
  EXPECT_GE(words, to_int(trim(parts->second)).value_or(0));
  EXPECT_EQ(wrong, "");
  for (const auto& [name, reason] : known) ADD_FAILURE() << name << " agrees by now: argo-health-differences.txt";
}

}  // namespace
}  // namespace slipway::gitops
