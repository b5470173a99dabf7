// The controllers against the embedded API, with a node that runs nothing but says it does.
#include "cluster/controllers.h"

#include "base/text.h"
#include "base/time.h"
#include "cluster/controllers/common.h"
#include "cluster/testing.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

using kube::Object;

// Marks bound pods as running by the image of their first container: "broken" never gets ready, "done" succeeds,
// "fails" fails. Deleted pods go at once.
Result<kube::Reconciled> play_node(const Ctx& ctx, kube::Client& client, const kube::Key& key) {
  TRY(auto pod, client.get(ctx, pod_type, key));
  if (!pod || !(*pod)["spec"]["nodeName"].present()) return kube::Reconciled{};
  if (pod->deleting()) {
    if ((*pod)["metadata"]["deletionGracePeriodSeconds"].num_or(0) == 0 && !is_finished(*pod))
      return kube::Reconciled{};
    auto removed = client.remove(ctx, pod_type, key, {.grace_seconds = 0, .uid = pod->uid()});
    if (!removed && !removed.error().is(Kind::not_found)) return Fail(std::move(removed).error());
    return kube::Reconciled{};
  }
  if (phase_of(*pod) != "Pending") return kube::Reconciled{};
  auto image = (*pod)["spec"]["containers"][0]["image"].str_or("");
  doc::Value status;
  status["phase"] = image == "done" ? "Succeeded" : image == "fails" ? "Failed" : "Running";
  status["podIP"] = fmt::format("10.0.{}.{}", std::hash<std::string>()(pod->uid()) % 250,
                                std::hash<std::string>()(pod->uid()) / 250 % 250);
  auto now = rfc3339(ctx.clock->wall());
  for (auto type : {"Ready", "ContainersReady"})
    put_condition(status, {type, image == "web:1" || image == "web:2" ? "True" : "False", "", ""}, ctx.clock->wall());
  auto written = kube::write_status(ctx, client, *pod, std::move(status), "node");
  if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
  return kube::Reconciled{};
}

class Cluster {
 public:
  Cluster() {
    auto node = kube::make_object(node_type, {"", "slipway"});
    auto made = must(client->create({}, node, {}));
    doc::Value status;
    for (auto [resource, amount] : {std::pair{"cpu", "64"}, {"memory", "64Gi"}, {"pods", "500"}})
      status["allocatable"][resource] = amount;
    must(kube::write_status({}, *client, made, status));
    start();
  }
  ~Cluster() { stop(); }
  void start() {
    stop_ = std::stop_source();
    Ctx ctx;
    ctx.stop = stop_.get_token();
    threads_.emplace_back([this, ctx] { (void)run_workload_controllers(ctx, *client, settings); });
    threads_.emplace_back([this, ctx] {
      kube::ControllerOptions options{.name = "node", .sources = {{.type = pod_type}}, .workers = 2};
      (void)kube::run_controller(ctx, *client, options,
                                 [this](const Ctx& c, const kube::Key& key) { return play_node(c, *client, key); });
    });
  }
  void stop() {
    stop_.request_stop();
    threads_.clear();
  }
  Object apply(std::string_view text) { return must(client->apply({}, must(doc::parse_yaml(text)), {.force = true})); }
  Object get(const kube::Type& type, std::string name, std::string ns = "default") {
    return must(client->get({}, type, {ns, name})).value_or(Object());
  }
  std::vector<Object> list(const kube::Type& type, std::string selector = "", std::string ns = "default") {
    return must(client->list({}, type, {.ns = ns, .label_selector = selector})).items;
  }
  // Fails the test after ten seconds.
  void until(const kube::Type& type, std::string name, const std::function<bool(const Object&)>& done,
             std::string ns = "default") {
    auto r = kube::await(Ctx().within(Millis(10000)), *client, type, {ns, name}, done);
    if (!r)
      ADD_FAILURE() << type.kind << " " << name << ": " << r.error().what() << "\n"
                    << doc::print_yaml(get(type, name, ns).value());
  }
  void until(const std::function<bool()>& done) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << "did not come true";
        return;
      }
      std::this_thread::sleep_for(Millis(5));
    }
  }
  std::string reasons(const std::string& object) {
    std::set<std::string> seen;
    for (const auto& event : list({"v1", "Event"}))
      if (event["involvedObject"]["name"].str_or("") == object) seen.insert(event["reason"].str_or(""));
    std::string text;
    for (const auto& reason : seen) text += reason + " ";
    return text;
  }

  TestApi api = make_test_api();
  std::shared_ptr<kube::Client> client = api.client();
  ControllerSettings settings{.ca_pem = "the ca"};

 private:
  std::stop_source stop_;
  std::vector<std::jthread> threads_;
};

std::string deployment(std::string_view image, int replicas, std::string_view more = "") {
  return fmt::format(
      "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: default}}, spec: {{replicas: {}, {}"
      "selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: "
      "[{{name: c, image: '{}', "
      "ports: [{{name: http, containerPort: 8080}}]}}]}}}}}}}}",
      replicas, more, image);
}
// What kubectl rollout status waits for.
bool rolled_out(const Object& d) {
  auto status = d["status"];
  auto want = d["spec"]["replicas"].num_or(1);
  return status["observedGeneration"].num_or(0) >= d.generation() && status["updatedReplicas"].num_or(0) == want &&
         status["replicas"].num_or(0) == want && status["availableReplicas"].num_or(0) == want;
}
std::string progressing(const Object& d) {
  for (auto c : d["status"]["conditions"].items())
    if (c["type"].str_or("") == "Progressing") return c["reason"].str_or("");
  return "";
}

TEST(Controllers, ADeploymentRollsOutAndBackWithHistory) {
  Cluster cluster;
  cluster.apply(deployment("web:1", 2));
  cluster.until(deployment_type, "web",
                [](const Object& d) { return rolled_out(d) && progressing(d) == "NewReplicaSetAvailable"; });
  EXPECT_EQ(cluster.get(deployment_type, "web").annotation("deployment.kubernetes.io/revision"), "1");
  auto start = std::chrono::steady_clock::now();
  cluster.apply(deployment("web:2", 2));
  cluster.until(deployment_type, "web", [](const Object& d) {
    return rolled_out(d) && d.annotation("deployment.kubernetes.io/revision") == "2";
  });
  auto took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took, std::chrono::milliseconds(1500)) << "a rolling update of two pods that are ready at once";
  RecordProperty("rollout_ms", static_cast<int>(std::chrono::duration_cast<Millis>(took).count()));
  EXPECT_EQ(cluster.list(replicaset_type).size(), 2u);
  // kubectl rollout undo: the template of the first set, without its hash label.
  cluster.apply(deployment("web:1", 2));
  cluster.until(deployment_type, "web", [](const Object& d) {
    return rolled_out(d) && d.annotation("deployment.kubernetes.io/revision") == "3";
  });
  EXPECT_EQ(cluster.list(replicaset_type).size(), 2u);
  std::set<std::string> revisions;
  for (const auto& set : cluster.list(replicaset_type))
    revisions.insert(set.annotation("deployment.kubernetes.io/revision") + "/" +
                     set.annotation("deployment.kubernetes.io/revision-history"));
  EXPECT_EQ(revisions, (std::set<std::string>{"2/", "3/1"}));
  EXPECT_EQ(cluster.reasons("web"), "ScalingReplicaSet ");
  for (const auto& pod : cluster.list(pod_type)) EXPECT_EQ(pod["spec"]["containers"][0]["image"].str_or(""), "web:1");
}

TEST(Controllers, ABrokenUpdateStopsAndTimesOut) {
  Cluster cluster;
  cluster.apply(deployment("web:1", 3));
  cluster.until(deployment_type, "web", rolled_out);
  cluster.apply(deployment("broken", 3, "progressDeadlineSeconds: 1, minReadySeconds: 0, "));
  cluster.until(deployment_type, "web", [](const Object& d) { return progressing(d) == "ProgressDeadlineExceeded"; });
  auto web = cluster.get(deployment_type, "web");
  EXPECT_EQ(web["status"]["availableReplicas"].num_or(0), 3);
  EXPECT_EQ(kube::condition_status(web, "Available"), "True");
  cluster.apply(deployment("web:2", 3));
  cluster.until(deployment_type, "web", rolled_out);
}

TEST(Controllers, ScalingPausingAndRecreate) {
  Cluster cluster;
  cluster.apply(deployment("web:1", 1));
  cluster.until(deployment_type, "web", rolled_out);
  cluster.apply(deployment("web:1", 4));
  cluster.until(deployment_type, "web", rolled_out);
  EXPECT_EQ(cluster.get(deployment_type, "web").annotation("deployment.kubernetes.io/revision"), "1");
  cluster.apply(deployment("web:2", 4, "paused: true, "));
  cluster.until(deployment_type, "web", [](const Object& d) { return progressing(d) == "DeploymentPaused"; });
  EXPECT_EQ(cluster.list(replicaset_type).size(), 1u);
  auto patch =
      must(doc::parse_yaml("{spec: {paused: null, replicas: 2, strategy: {type: Recreate, rollingUpdate: null}}}"));
  must(cluster.client->patch({}, deployment_type, {"default", "web"}, kube::PatchType::merge, patch, {}));
  cluster.until(deployment_type, "web", [](const Object& d) {
    return rolled_out(d) && d.annotation("deployment.kubernetes.io/revision") == "2";
  });
}

TEST(Controllers, AnAutoscalerKeepsItsBounds) {
  Cluster cluster;
  auto scaler = [](int least) {
    return fmt::format(
        "{{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {{name: web, namespace: default}}, "
        "spec: "
        "{{minReplicas: {}, maxReplicas: 5, targetCPUUtilizationPercentage: 50, scaleTargetRef: {{apiVersion: apps/v1, "
        "kind: Deployment, name: web}}}}}}",
        least);
  };
  cluster.apply(scaler(2));  // its target may come later
  cluster.apply(deployment("web:1", 1));
  auto has = [](int replicas) {
    return [replicas](const Object& d) { return rolled_out(d) && d["spec"]["replicas"].num_or(0) == replicas; };
  };
  cluster.until(deployment_type, "web", has(2));
  cluster.apply(scaler(3));
  cluster.until(deployment_type, "web", has(3));
  kube::Type old{"autoscaling/v1", "HorizontalPodAutoscaler"};
  cluster.until(old, "web", [](const Object& h) { return h["status"]["desiredReplicas"].num_or(0) == 3; });
  EXPECT_TRUE(cluster.get(old, "web")
                  .annotation("autoscaling.alpha.kubernetes.io/conditions")
                  .contains(R"("reason":"SucceededRescale")"));
}

TEST(Controllers, DeletingADeploymentTakesEverythingAlong) {
  Cluster cluster;
  cluster.apply(deployment("web:1", 2));
  cluster.until(deployment_type, "web", rolled_out);
  must(cluster.client->remove({}, deployment_type, {"default", "web"}, {}));
  cluster.until([&] { return cluster.list(replicaset_type).empty() && cluster.list(pod_type).empty(); });
  cluster.apply(deployment("web:1", 2));
  cluster.until(deployment_type, "web", rolled_out);
  must(cluster.client->remove({}, deployment_type, {"default", "web"},
                              {.propagation = kube::RemoveOptions::Propagation::orphan}));
  cluster.until(deployment_type, "web", [](const Object& d) { return !d; });
  EXPECT_EQ(cluster.list(replicaset_type).size(), 1u);
  EXPECT_TRUE(cluster.list(replicaset_type)[0].owners().empty());
  cluster.apply(deployment("web:1", 2));  // adopts what was left
  cluster.until(deployment_type, "web", rolled_out);
  EXPECT_EQ(cluster.list(replicaset_type).size(), 1u);
  must(cluster.client->remove({}, deployment_type, {"default", "web"},
                              {.propagation = kube::RemoveOptions::Propagation::foreground}));
  cluster.until(deployment_type, "web", [](const Object& d) { return !d; });
  EXPECT_TRUE(cluster.list(replicaset_type).empty());
  EXPECT_TRUE(cluster.list(pod_type).empty());
}

TEST(Controllers, RestartedAnywhereTheyGoOn) {
  Cluster cluster;
  cluster.apply(deployment("web:1", 3));
  for (int round = 0; round < 6; ++round) {
    cluster.stop();
    cluster.apply(deployment(round % 2 == 0 ? "web:2" : "web:1", 3));
    cluster.start();
    std::this_thread::sleep_for(Millis(7 * round));  // at a different point each time
  }
  cluster.until(deployment_type, "web", rolled_out);
  cluster.apply(deployment("web:2", 3));  // nobody may have been quick enough to see it before
  cluster.until(deployment_type, "web", rolled_out);
  cluster.until([&] { return cluster.list(pod_type).size() == 3; });  // one of the old may be on its way out
  EXPECT_EQ(cluster.list(replicaset_type).size(), 2u);
}

TEST(Controllers, ADeletedPodComesBackAndEndpointsFollow) {
  Cluster cluster;
  cluster.apply(
      "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, spec: {selector: {app: web}, ports: "
      "[{name: http, port: 80, targetPort: http}]}}");
  cluster.apply(deployment("web:1", 2));
  auto ready = [&] {
    int n = 0;
    for (const auto& slice : cluster.list(slice_type, "kubernetes.io/service-name=web"))
      for (auto e : slice["endpoints"].items())
        n += e["conditions"]["ready"].bool_or(false) && slice["ports"][0]["port"].num_or(0) == 8080;
    return n;
  };
  cluster.until([&] { return ready() == 2; });
  auto victim = cluster.list(pod_type)[0];
  must(cluster.client->remove({}, pod_type, victim.key(), {}));
  cluster.until([&] { return ready() == 2 && cluster.get(pod_type, victim.name()).uid().empty(); });
  cluster.until(endpoints_type, "web",
                [](const Object& o) { return o["subsets"][0]["addresses"].items().size() == 2; });
  must(cluster.client->remove({}, service_type, {"default", "web"}, {}));
  cluster.until([&] {
    return cluster.list(slice_type, "kubernetes.io/service-name=web").empty() && !cluster.get(endpoints_type, "web");
  });
}

TEST(Controllers, NamespacesAreFurnishedAndEmptied) {
  Cluster cluster;
  cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
  cluster.until({"v1", "ServiceAccount"}, "default", [](const Object& o) { return bool(o); }, "shop");
  cluster.until(
      {"v1", "ConfigMap"}, "kube-root-ca.crt",
      [](const Object& o) { return o["data"]["ca.crt"].str_or("") == "the ca"; }, "shop");
  auto text = replace_all(deployment("web:1", 2), "namespace: default", "namespace: shop");
  cluster.apply(text);
  cluster.until(deployment_type, "web", rolled_out, "shop");
  must(cluster.client->remove({}, namespace_type, {"", "shop"}, {}));
  cluster.until(namespace_type, "shop", [](const Object& o) { return !o; }, "");
  EXPECT_TRUE(cluster.list(pod_type, "", "shop").empty());
}

std::string job(std::string_view image, std::string_view more) {
  return fmt::format(
      "{{apiVersion: batch/v1, kind: Job, metadata: {{name: j, namespace: default}}, spec: {{{}template: {{spec: "
      "{{restartPolicy: Never, containers: [{{name: c, image: {}}}]}}}}}}}}",
      more, image);
}

TEST(Controllers, JobsCompleteAndFail) {
  Cluster cluster;
  cluster.apply(job("done", "completions: 5, parallelism: 2, completionMode: Indexed, "));
  cluster.until(job_type, "j", [](const Object& o) { return kube::condition_status(o, "Complete") == "True"; });
  auto done = cluster.get(job_type, "j");
  EXPECT_EQ(done["status"]["succeeded"].num_or(0), 5);
  EXPECT_EQ(done["status"]["completedIndexes"].str_or(""), "0-4");
  EXPECT_EQ(cluster.list(pod_type).size(), 5u);
  must(cluster.client->remove({}, job_type, {"default", "j"}, {}));
  cluster.until([&] { return cluster.list(pod_type).empty(); });
  cluster.apply(job("fails", "backoffLimit: 0, "));
  cluster.until(job_type, "j", [](const Object& o) { return kube::condition_status(o, "Failed") == "True"; });
  EXPECT_EQ(cluster.get(job_type, "j")["status"]["failed"].num_or(0), 1);
}

TEST(Controllers, AJobWithATtlCleansUpAfterItself) {
  Cluster cluster;
  cluster.apply(job("done", "ttlSecondsAfterFinished: 0, "));
  cluster.until(job_type, "j", [](const Object& o) { return !o; });
  EXPECT_TRUE(cluster.list(pod_type).empty());
}

TEST(Controllers, CronJobsStartWhatIsDueOnce) {
  Cluster cluster;
  cluster.stop();
  auto cron = cluster.apply(
      "{apiVersion: batch/v1, kind: CronJob, metadata: {name: tick, namespace: default}, spec: {schedule: '* * * * *', "
      "jobTemplate: {spec: {template: {spec: "
      "{restartPolicy: Never, containers: [{name: c, image: done}]}}}}}}");
  doc::Value status;
  status["lastScheduleTime"] = rfc3339(std::chrono::system_clock::now() - std::chrono::minutes(3));
  must(kube::write_status({}, *cluster.client, cron, status));
  cluster.start();
  cluster.until(cronjob_type, "tick", [](const Object& o) { return o["status"]["lastSuccessfulTime"].present(); });
  EXPECT_EQ(cluster.list(job_type).size(), 1u);
}

TEST(Controllers, StatefulSetsKeepTheirOrderAndNames) {
  Cluster cluster;
  auto set = [](std::string_view image) {
    return fmt::format(
        "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db, namespace: default}}, spec: {{replicas: 3, "
        "serviceName: db, selector: {{matchLabels: {{app: db}}}}, "
        "template: {{metadata: {{labels: {{app: db}}}}, spec: {{containers: [{{name: c, image: '{}'}}]}}}}}}}}",
        image);
  };
  auto complete = [](const Object& o) {
    auto s = o["status"];
    return s["observedGeneration"].num_or(0) >= o.generation() && s["updatedReplicas"].num_or(0) == 3 &&
           s["readyReplicas"].num_or(0) == 3 && s["currentRevision"].str_or("x") == s["updateRevision"].str_or("y");
  };
  cluster.apply(set("web:1"));
  cluster.until(statefulset_type, "db", complete);
  std::string names;
  for (const auto& pod : cluster.list(pod_type)) names += pod.name() + " ";
  EXPECT_EQ(names, "db-0 db-1 db-2 ");
  auto first = cluster.get(statefulset_type, "db")["status"]["currentRevision"].str_or("");
  cluster.apply(set("web:2"));
  cluster.until(statefulset_type, "db",
                [&](const Object& o) { return complete(o) && o["status"]["currentRevision"].str_or("") != first; });
  for (const auto& pod : cluster.list(pod_type)) EXPECT_EQ(pod["spec"]["containers"][0]["image"].str_or(""), "web:2");
  EXPECT_EQ(cluster.list(revision_type).size(), 2u);
  // A broken update does not block its repair.
  cluster.apply(set("broken"));
  cluster.until(pod_type, "db-2",
                [](const Object& o) { return o["spec"]["containers"][0]["image"].str_or("") == "broken"; });
  cluster.apply(set("web:1"));
  cluster.until(statefulset_type, "db", complete);
  EXPECT_EQ(cluster.get(statefulset_type, "db")["status"]["currentRevision"].str_or(""), first);
}

TEST(Controllers, DaemonSetsRunOneOnTheNode) {
  Cluster cluster;
  auto set = [](std::string_view image) {
    return fmt::format(
        "{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: d, namespace: default}}, spec: {{selector: "
        "{{matchLabels: {{app: d}}}}, "
        "template: {{metadata: {{labels: {{app: d}}}}, spec: {{containers: [{{name: c, image: '{}'}}]}}}}}}}}",
        image);
  };
  auto complete = [](const Object& o) {
    auto s = o["status"];
    return s["observedGeneration"].num_or(0) >= o.generation() && s["updatedNumberScheduled"].num_or(0) == 1 &&
           s["numberAvailable"].num_or(0) == 1;
  };
  cluster.apply(set("web:1"));
  cluster.until(daemonset_type, "d", complete);
  cluster.apply(set("web:2"));
  cluster.until(daemonset_type, "d", complete);
  ASSERT_EQ(cluster.list(pod_type).size(), 1u);
  EXPECT_EQ(cluster.list(pod_type)[0]["spec"]["containers"][0]["image"].str_or(""), "web:2");
}

TEST(Controllers, APodThatDoesNotFitSaysSo) {
  Cluster cluster;
  cluster.apply(
      "{apiVersion: v1, kind: Pod, metadata: {name: big, namespace: default}, spec: {containers: [{name: c, image: "
      "'web:1', resources: {requests: {cpu: '100'}}}]}}");
  cluster.until(pod_type, "big", [](const Object& o) { return kube::condition_status(o, "PodScheduled") == "False"; });
  cluster.until([&] { return cluster.reasons("big") == "FailedScheduling "; });
  EXPECT_FALSE(cluster.get(pod_type, "big")["spec"]["nodeName"].present());
}

TEST(Controllers, EventsOfTheSameBumpACount) {
  Cluster cluster;
  cluster.apply(deployment("web:1", 1));
  auto web = cluster.get(deployment_type, "web");
  for (int i = 0; i < 3; ++i) kube::record_event({}, *cluster.client, web, {"Warning", "Tested", "the same", "test"});
  std::int64_t count = 0;
  for (const auto& event : cluster.list({"v1", "Event"}))
    if (event["reason"].str_or("") == "Tested") count += 10 + event["count"].num_or(0);
  EXPECT_EQ(count, 13);
}

}  // namespace
}  // namespace slipway::cluster
