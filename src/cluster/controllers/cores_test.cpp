// The decisions of the controllers, from values alone.
#include "base/testing/golden.h"
#include "cluster/controllers/cron.h"
#include "cluster/controllers/deployment.h"
#include "cluster/controllers/endpoints.h"
#include "cluster/controllers/job.h"
#include "cluster/controllers/replicaset.h"
#include "cluster/controllers/scheduler.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

using kube::Object;

Object yaml(std::string_view text) { return Object(must(doc::parse_yaml(text))); }
WallTime at(std::string_view text) { return must(parse_rfc3339(text)); }
const WallTime noon = at("2026-03-01T12:00:00Z");

SetState set_of(std::string name, int age, std::int64_t spec, std::int64_t available) {
  SetState set;
  set.name = std::move(name), set.created = noon + std::chrono::seconds(age);
  set.spec = set.replicas = spec, set.ready = set.available = available;
  return set;
}
std::string print(const Sizes& sizes) {
  std::string text;
  for (const auto& [name, size] : sizes) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, size);
  return text;
}

TEST(DeploymentCore, OneStepOfARollingUpdate) {
  struct Case {
    const char* name;
    Bounds bounds;
    SetState fresh;
    std::vector<SetState> old;
    const char* want;
  };
  for (const auto& c : std::vector<Case>{
           {"first", {2, 1, 0}, set_of("new", 1, 0, 0), {set_of("old", 0, 2, 2)}, "new=1"},
           {"waits", {2, 1, 0}, set_of("new", 1, 1, 0), {set_of("old", 0, 2, 2)}, ""},
           {"serves", {2, 1, 0}, set_of("new", 1, 1, 1), {set_of("old", 0, 2, 2)}, "old=1"},
           {"next", {2, 1, 0}, set_of("new", 1, 1, 1), {set_of("old", 0, 1, 1)}, "new=2"},
           {"last", {2, 1, 0}, set_of("new", 1, 2, 2), {set_of("old", 0, 1, 1)}, "old=0"},
           {"unavailable at once", {4, 1, 1}, set_of("new", 1, 0, 0), {set_of("old", 0, 4, 4)}, "new=1 old=3"},
           {"broken old ones first",
            {3, 1, 0},
            set_of("new", 2, 1, 1),
            {set_of("bad", 1, 1, 0), set_of("old", 0, 2, 2)},
            "bad=0"},
           {"shrinks", {1, 1, 0}, set_of("new", 1, 3, 3), {}, "new=1"},
           {"no room", {2, 0, 1}, set_of("new", 1, 0, 0), {set_of("old", 0, 2, 2)}, "old=1"},
           {"fresh", {3, 1, 1}, set_of("new", 1, 0, 0), {}, "new=3"},
       })
    EXPECT_EQ(print(roll(c.bounds, c.fresh, c.old)), c.want) << c.name;
}

// Played to its end with pods that become available one at a time, in any order: never too few, never too many.
TEST(DeploymentCore, ARolloutKeepsItsBoundsAndEnds) {
  std::srand(7);
  for (int round = 0; round < 300; ++round) {
    Bounds bounds{1 + std::rand() % 8, std::rand() % 4, std::rand() % 4};
    bounds.unavailable = std::min(bounds.unavailable, bounds.replicas);
    if (bounds.surge == 0 && bounds.unavailable == 0) bounds.surge = 1;
    SetState fresh = set_of("new", 9, 0, 0);
    std::vector<SetState> old = {set_of("a", 0, bounds.replicas, bounds.replicas)};
    if (std::rand() % 2 == 0) old.push_back(set_of("b", 1, std::min<std::int64_t>(bounds.surge, 2), 0));
    for (int step = 0;; ++step) {
      ASSERT_LT(step, 200);
      for (const auto& [name, size] : roll(bounds, fresh, old))
        for (auto* set : {&fresh, &old[0], old.size() > 1 ? &old[1] : &old[0]})
          if (set->name == name) set->spec = size, set->available = std::min(set->available, size);
      std::int64_t total = fresh.spec, available = fresh.available;
      for (const auto& set : old) total += set.spec, available += set.available;
      ASSERT_LE(total, bounds.max_total());
      ASSERT_GE(available, bounds.min_available());
      if (fresh.available == bounds.replicas && total == bounds.replicas) break;
      if (fresh.available < fresh.spec) ++fresh.available;
    }
  }
}

TEST(DeploymentCore, ResizesInProportion) {
  auto sized = [](SetState set, std::int64_t max) {
    set.max = max;
    return set;
  };
  auto fresh = sized(set_of("new", 1, 5, 5), 13);
  std::vector<SetState> old = {sized(set_of("old", 0, 8, 8), 13)};
  // 10 + 3 becomes 15 + 3: five more in the ratio 8 to 5. The example of Kubernetes' documentation.
  EXPECT_EQ(print(resize({15, 3, 2}, true, fresh, old)), "new=7 old=11");
  EXPECT_EQ(print(resize({7, 0, 0}, true, fresh, {})), "new=7");
  EXPECT_EQ(print(resize({0, 3, 0}, true, fresh, old)), "new=0 old=0");
  EXPECT_EQ(print(resize({5, 1, 0}, true, fresh, old)), "old=0");
}

TEST(DeploymentCore, BoundsRoundAsKubernetes) {
  auto bounds = [](const char* text) {
    auto b = bounds_of(yaml(text));
    return fmt::format("{}+{}-{}", b.replicas, b.surge, b.unavailable);
  };
  EXPECT_EQ(bounds("{spec: {replicas: 2}}"), "2+1-0");
  EXPECT_EQ(bounds("{spec: {replicas: 10}}"), "10+3-2");
  EXPECT_EQ(bounds("{spec: {replicas: 4, strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}}}"), "4+0-1");
  EXPECT_EQ(bounds("{spec: {replicas: 3, strategy: {rollingUpdate: {maxSurge: 50%, maxUnavailable: 50%}}}}"), "3+2-1");
  EXPECT_EQ(bounds("{spec: {replicas: 3, strategy: {type: Recreate}}}"), "3+0-3");
}

TEST(DeploymentCore, ProgressIsJudgedByTheClock) {
  auto deployment = yaml(R"(
metadata: {name: web, generation: 2}
spec: {replicas: 2, progressDeadlineSeconds: 60}
status: {replicas: 2, updatedReplicas: 1, availableReplicas: 2, readyReplicas: 2, conditions: [{type: Progressing, status: "True", reason: ReplicaSetUpdated, lastUpdateTime: "2026-03-01T11:59:30Z", lastTransitionTime: "2026-03-01T11:00:00Z"}]}
)");
  auto fresh = yaml("{metadata: {name: web-b}, spec: {replicas: 1}, status: {replicas: 1}}");
  auto old = yaml(
      "{metadata: {name: web-a}, spec: {replicas: 2}, status: {replicas: 2, readyReplicas: 2, availableReplicas: 2}}");
  auto waiting = deployment_status(deployment, fresh, {fresh, old}, "", noon);
  EXPECT_EQ(waiting.again, Millis(30000));
  auto late = deployment_status(deployment, fresh, {fresh, old}, "", noon + std::chrono::seconds(31));
  EXPECT_EQ(find_condition(late.status, "Progressing")->str_at({"reason"}), "ProgressDeadlineExceeded");
  auto served = yaml(
      "{metadata: {name: web-b}, spec: {replicas: 2}, status: {replicas: 2, readyReplicas: 2, availableReplicas: 2}}");
  auto done = deployment_status(deployment, served, {served}, "", noon);
  EXPECT_TRUE(done.complete);
  EXPECT_EQ(find_condition(done.status, "Progressing")->str_at({"reason"}), "NewReplicaSetAvailable");
  EXPECT_EQ(find_condition(done.status, "Available")->str_at({"status"}), "True");
}

TEST(Hash, IgnoresOrderAndOwnLabels) {
  auto a = yaml("{metadata: {labels: {app: web, pod-template-hash: x}}, spec: {a: 1, b: [1, 2]}}").value();
  auto b = yaml("{spec: {b: [1, 2], a: 1}, metadata: {creationTimestamp: null, labels: {app: web}}}").value();
  auto c = yaml("{spec: {b: [2, 1], a: 1}, metadata: {labels: {app: web}}}").value();
  EXPECT_EQ(hash_text(a, 0), hash_text(b, 0));
  EXPECT_TRUE(same_template(a, b));
  EXPECT_NE(hash_text(a, 0), hash_text(c, 0));
  EXPECT_NE(hash_text(a, 0), hash_text(a, 1));
}

TEST(ReplicaSetCore, GivesUpTheLeastWorthy) {
  auto pod = [](std::string name, std::string more) {
    return yaml(fmt::format("{{metadata: {{name: {}, creationTimestamp: \"2026-03-01T11:00:00Z\"}}, {}}}", name, more));
  };
  auto ready =
      "spec: {nodeName: n}, status: {phase: Running, conditions: [{type: Ready, status: 'True', lastTransitionTime: "
      "'2026-03-01T11:00:00Z'}]}";
  std::vector<Object> pods = {pod("ready", ready), pod("unready", "spec: {nodeName: n}, status: {phase: Running}"),
                              pod("pending", "spec: {nodeName: n}, status: {phase: Pending}"),
                              pod("unassigned", "status: {phase: Pending}")};
  std::string order;
  for (auto& p : plan_replicas(0, pods).remove) order += p.name() + " ";
  EXPECT_EQ(order, "unassigned pending unready ready ");
  EXPECT_EQ(plan_replicas(6, pods).create, 2);
  EXPECT_TRUE(plan_replicas(4, pods).remove.empty());
}

Object job_pod(std::string name, std::string phase, bool tracked = true) {
  return yaml(
      fmt::format("{{metadata: {{name: {0}, uid: u-{0}, creationTimestamp: '2026-03-01T11:00:00Z', finalizers: "
                  "[{1}]}}, status: {{phase: {2}}}}}",
                  name, tracked ? "batch.kubernetes.io/job-tracking" : "", phase));
}

TEST(JobCore, CountsEachPodOnceWhereverItIsKilled) {
  auto job = yaml(
      "{metadata: {name: j, uid: j}, spec: {completions: 1, parallelism: 1}, status: {startTime: "
      "'2026-03-01T11:00:00Z'}}");
  EXPECT_EQ(plan_job(job, {}, noon).create.size(), 1u);
  auto named = plan_job(job, {job_pod("a", "Succeeded")}, noon);
  EXPECT_EQ(doc::print_json(*named.status.find("uncountedTerminatedPods")), R"({"succeeded":["u-a"]})");
  EXPECT_EQ(named.untrack.size(), 1u);
  EXPECT_TRUE(named.create.empty());
  EXPECT_FALSE(named.finished);
  auto with = [&](const doc::Value& status) {
    auto value = job.copy();
    value["status"] = status;
    return Object(value);
  };
  // Killed before the finalizer went: the same again. After: it moves into the counter.
  EXPECT_EQ(plan_job(with(named.status), {job_pod("a", "Succeeded")}, noon).status, named.status);
  for (auto pods : {std::vector<Object>{job_pod("a", "Succeeded", false)}, std::vector<Object>{}}) {
    auto counted = plan_job(with(named.status), pods, noon);
    EXPECT_TRUE(counted.finished);
    EXPECT_EQ(counted.status.str_at({"completionTime"}), "2026-03-01T12:00:00Z");
    EXPECT_EQ(*counted.status.find("succeeded"), doc::Value(1));
  }
}

TEST(JobCore, BacksOffAndGivesUp) {
  auto job = yaml(
      "{metadata: {name: j, uid: j}, spec: {completions: 1, backoffLimit: 1}, status: {failed: 1, startTime: "
      "'2026-03-01T11:00:00Z'}}");
  auto failed = yaml(
      "{metadata: {name: a, uid: a, creationTimestamp: '2026-03-01T11:00:00Z'}, status: {phase: Failed, "
      "containerStatuses: [{state: {terminated: {finishedAt: '2026-03-01T11:59:55Z'}}}]}}");
  auto waits = plan_job(job, {failed}, noon);
  EXPECT_TRUE(waits.create.empty());
  EXPECT_EQ(waits.again, Millis(5000));
  EXPECT_EQ(plan_job(job, {failed}, noon + std::chrono::seconds(5)).create.size(), 1u);
  auto over = job.copy();
  over["status"]["failed"] = 2;
  auto given_up = plan_job(Object(over), {}, noon);
  EXPECT_TRUE(given_up.finished);
  EXPECT_EQ(find_condition(given_up.status, "Failed")->str_at({"reason"}), "BackoffLimitExceeded");
}

TEST(JobCore, IndexedJobsFillTheirGaps) {
  auto job = yaml(
      "{metadata: {name: j, uid: j}, spec: {completions: 6, parallelism: 3, completionMode: Indexed}, status: "
      "{completedIndexes: '0,2-3', succeeded: 3, startTime: '2026-03-01T11:00:00Z'}}");
  EXPECT_EQ(plan_job(job, {}, noon).create, (std::vector<std::int64_t>{1, 4, 5}));
  EXPECT_EQ(print_indexes(parse_indexes("0,1,2,4,6,7")), "0-2,4,6,7");
}

TEST(JobCore, DeadlineEndsIt) {
  auto job = yaml(
      "{metadata: {name: j, uid: j}, spec: {completions: 1, activeDeadlineSeconds: 60}, status: {startTime: "
      "'2026-03-01T11:59:30Z'}}");
  auto running = job_pod("a", "Running");
  EXPECT_EQ(plan_job(job, {running}, noon).again, Millis(30000));
  auto ended = plan_job(job, {running}, noon + std::chrono::seconds(30));
  EXPECT_EQ(ended.remove.size(), 1u);
  EXPECT_FALSE(ended.finished);  // the pod must go first
  EXPECT_NE(find_condition(ended.status, "FailureTarget"), nullptr);
}

TEST(Cron, FindsTheNextTime) {
  struct Case {
    const char *schedule, *zone, *after, *want;
  };
  for (auto [schedule, zone, after, want] : std::vector<Case>{
           {"* * * * *", "", "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z"},
           {"*/15 * * * *", "", "2026-03-01T12:14:59Z", "2026-03-01T12:15:00Z"},
           {"0 0 31 * *", "", "2026-04-01T00:00:00Z", "2026-05-31T00:00:00Z"},
           {"0 0 29 2 *", "", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"},
           {"30 6 * * mon-fri", "", "2026-03-06T07:00:00Z", "2026-03-09T06:30:00Z"},
           {"0 0 13 * 5", "", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"},
           {"0 12 * JAN,jul 7", "", "2026-03-01T00:00:00Z", "2026-07-05T12:00:00Z"},
           {"@hourly", "", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"},
           {"@every 90s", "", "2026-03-01T12:00:00Z", "2026-03-01T12:01:30Z"},
           {"0 9 * * *", "Europe/Berlin", "2026-03-01T12:00:00Z", "2026-03-02T08:00:00Z"},
           {"0 9 * * *", "Europe/Berlin", "2026-06-01T12:00:00Z", "2026-06-02T07:00:00Z"},
           {"30 2 29 3 *", "Europe/Berlin", "2026-03-01T12:00:00Z",
            "2027-03-29T00:30:00Z"},  // 2026: that half hour is skipped
           {"0 0 30 2 *", "", "2026-03-01T12:00:00Z", "never"},
       }) {
    auto loaded = Zone::load(zone);
    if (!loaded) continue;  // a machine without the zone database
    auto next = must(Schedule::parse(schedule)).next(at(after), *loaded);
    EXPECT_EQ(next ? rfc3339(*next) : "never", want) << schedule;
  }
}

TEST(Cron, RefusesWhatIsNone) {
  for (auto text : {"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *",
                    "5-1 * * * *", "*/0 * * * *", "TZ=UTC * * * * *"})
    EXPECT_FALSE(Schedule::parse(text)) << text;
  EXPECT_FALSE(Zone::load("../../etc/passwd"));
  EXPECT_FALSE(Zone::parse("TZif2 and then nothing"));
}

TEST(Endpoints, FollowReadinessAndNamedPorts) {
  auto service = yaml(
      "{metadata: {name: web, namespace: a, uid: s, labels: {x: y}}, spec: {ports: [{name: http, port: 80, targetPort: "
      "web}]}}");
  auto pod = [](std::string name, std::string ip, std::string more) {
    return yaml(
        fmt::format("{{metadata: {{name: {0}, namespace: a, uid: u-{0}{2}}}, spec: {{nodeName: n, containers: "
                    "[{{ports: [{{name: web, containerPort: 8080}}]}}]}}, status: {{phase: Running, podIP: {1}, "
                    "conditions: [{{type: Ready, status: 'True'}}]}}}}",
                    name, ip, more));
  };
  auto unready = pod("c", "10.0.0.3", "").copy();
  unready["status"]["conditions"] = doc::List{};
  std::vector<Object> pods = {pod("b", "10.0.0.2", ", deletionTimestamp: '2026-03-01T12:00:00Z'"),
                              pod("a", "10.0.0.1", ""), Object(unready),
                              yaml("{metadata: {name: d}, status: {phase: Succeeded, podIP: 10.0.0.4}}"),
                              yaml("{metadata: {name: e}, status: {phase: Pending}}")};
  auto slices = make_slices(service, pods);
  ASSERT_EQ(slices.size(), 1u);
  Object slice(slices.begin()->second);
  std::string text;
  for (auto endpoint : slice["endpoints"].items())
    text += fmt::format("{} {}{}{};", endpoint["addresses"][0].text(),
                        endpoint["conditions"]["ready"].bool_or(false) ? "r" : "-",
                        endpoint["conditions"]["serving"].bool_or(false) ? "s" : "-",
                        endpoint["conditions"]["terminating"].bool_or(false) ? "t" : "-");
  EXPECT_EQ(text, "10.0.0.1 rs-;10.0.0.2 -st;10.0.0.3 ---;");
  EXPECT_EQ(slice["ports"][0]["port"].num_or(0), 8080);
  EXPECT_EQ(slice.label("kubernetes.io/service-name"), "web");
  Object endpoints(make_endpoints(service, pods));
  EXPECT_EQ(endpoints["subsets"][0]["addresses"].items().size(), 1u);
  EXPECT_EQ(endpoints["subsets"][0]["notReadyAddresses"].items().size(), 1u);
  EXPECT_EQ(make_slices(service, {}).size(), 1u);
  std::vector<Object> many;
  for (int i = 0; i < 250; ++i) many.push_back(pod(fmt::format("p{:03}", i), fmt::format("10.0.1.{}", i), ""));
  EXPECT_EQ(make_slices(service, many).size(), 3u);
}

TEST(Scheduler, SaysWhyNot) {
  auto node = yaml(
      "{metadata: {name: n, labels: {disk: ssd}}, spec: {taints: [{key: gpu, value: 'yes', effect: NoSchedule}]}, "
      "status: {allocatable: {cpu: '2', memory: 1Gi, pods: '3'}}}");
  auto tolerant = "tolerations: [{key: gpu, operator: Exists}]";
  auto pod = [&](std::string spec) { return yaml("{spec: {" + spec + "}}"); };
  EXPECT_EQ(why_not(pod(tolerant), node, {}), "");
  EXPECT_EQ(why_not(pod("a: b"), node, {}), "node(s) had untolerated taint {gpu: yes}");
  EXPECT_EQ(why_not(pod(tolerant + std::string(", nodeSelector: {disk: hdd}")), node, {}),
            "node(s) didn't match Pod's node affinity/selector");
  auto big = pod(tolerant + std::string(", containers: [{resources: {requests: {cpu: 1500m}}}]"));
  EXPECT_EQ(why_not(big, node, {}), "");
  EXPECT_EQ(why_not(big, node, {big}), "Insufficient cpu");
  EXPECT_EQ(why_not(pod(tolerant), node, {pod(""), pod(""), pod("")}), "Too many pods");
}

}  // namespace
}  // namespace slipway::cluster
