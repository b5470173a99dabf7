// Jobs as Pods: what is sent, what a Pod is, what its status means; the house's desk, and how far away it may be.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "ci/pod/agent_log.h"
#include "ci/pod/pod_state.h"
#include "ci/pod/rep.h"
#include "doc/yaml.h"
#include "net/server.h"

namespace slipway::ci {
namespace {

TEST(PodSettings, LaterProfilesWinKeyByKey) {
  auto settings = must(parse_pod_settings(R"(
image: base:1
nodeSelector: {disk: ssd}
resources: {requests: {cpu: 500m}}
pullTimeout: 30s
runsOn:
  gpu: {image: "cuda:12", nodeSelector: {gpu: "yes"}, patch: {spec: {hostname: x}}}
  Small: alpine:3
)",
                                          "s"));
  EXPECT_EQ(settings.profile({"ubuntu-latest"}).image, "base:1");
  EXPECT_EQ(settings.profile({"small"}).image, "alpine:3");
  auto gpu = settings.profile({"self-hosted", "GPU"});
  EXPECT_EQ(gpu.image, "cuda:12");
  EXPECT_EQ(gpu.spec.find("nodeSelector")->str_at({"gpu"}), "yes");
  EXPECT_FALSE(gpu.resources.empty());
  EXPECT_EQ(settings.pull, Millis(30'000));
}

TEST(PodSettings, WrongOnesTeach) {
  auto typo = parse_pod_settings("imgae: x\n", "s");
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().hint(), "did you mean 'image'?");
  EXPECT_TRUE(typo.error().what().contains("s:1:")) << typo.error().what();
  EXPECT_FALSE(parse_pod_settings("patch: [a]\n", "s"));
  EXPECT_FALSE(parse_pod_settings("resources: x\n", "s"));
  EXPECT_FALSE(parse_pod_settings("pullTimeout: soon\n", "s"));
  EXPECT_FALSE(parse_pod_settings("runsOn: {gpu: {namespace: x}}\n", "s"));
  EXPECT_TRUE(parse_pod_settings("", "s"));
}

PodWish wish() {
  PodWish out;
  out.name = "job-a-1", out.ns = "jobs", out.house = "h", out.run = "shop-push-1", out.key = "test (1)";
  out.url = "http://10.0.0.1:7080", out.agent_image = "r/slipway/agent@sha256:x", out.image = "base:1";
  out.timeout = std::chrono::minutes(5), out.grace = std::chrono::minutes(1);
  return out;
}

TEST(PodSpec, HasNoRightsBeyondItsContainer) {
  auto pod = kube::Object(pod_of(wish()));
  auto spec = pod["spec"];
  EXPECT_FALSE(spec["automountServiceAccountToken"].bool_or(true));
  EXPECT_FALSE(spec["enableServiceLinks"].bool_or(true));
  EXPECT_EQ(spec["restartPolicy"].text(), "Never");
  EXPECT_EQ(spec["activeDeadlineSeconds"].num_or(0), 300 + 60 + 600);
  EXPECT_EQ(spec["terminationGracePeriodSeconds"].num_or(0), 90);
  for (const auto* list : {"containers", "initContainers"})
    for (const auto& container : spec[list].items()) {
      EXPECT_FALSE(container["securityContext"]["allowPrivilegeEscalation"].bool_or(true));
      EXPECT_EQ(container["securityContext"]["capabilities"]["drop"][0].text(), "ALL");
    }
  // The agent's word is a Secret's: it is in no object that more people may read.
  EXPECT_FALSE(doc::print_yaml(pod.value()).contains("word: "));
  EXPECT_EQ(pod.annotation("slipway.dev/job"), "test (1)");
}

TEST(PodSpec, ServicesAreBesideTheJobUnderTheirNames) {
  auto w = wish();
  PodService redis{"redis", "redis:7"};
  redis.health_command = "redis-cli ping", redis.interval = Millis(250), redis.env = {{"A", "$(B)"}};
  w.services = {redis}, w.host_names = {"redis"};
  auto pod = kube::Object(pod_of(w));
  auto service = pod["spec"]["containers"][1];
  EXPECT_EQ(service["name"].text(), "svc-redis");
  EXPECT_EQ(service["readinessProbe"]["periodSeconds"].num_or(0), 1);
  EXPECT_EQ(service["env"][0]["value"].text(), "$$(B)");
  EXPECT_EQ(pod["spec"]["hostAliases"][0]["hostnames"][0].text(), "redis");
}

TEST(PodSpec, WhatTheOperatorPatchesWins) {
  auto w = wish();
  w.profile.patch = must(doc::parse_yaml("spec: {hostNetwork: true, activeDeadlineSeconds: 7}\n"));
  auto pod = kube::Object(pod_of(w));
  EXPECT_TRUE(pod["spec"]["hostNetwork"].bool_or(false));
  EXPECT_EQ(pod["spec"]["activeDeadlineSeconds"].num_or(0), 7);
}

TEST(PodSpec, NamesFit) {
  EXPECT_EQ(safe_name("web"), "web");
  EXPECT_TRUE(safe_name("Test (20, Debian)").starts_with("test-20-debian-"));
  EXPECT_NE(safe_name("a b"), safe_name("a-b"));
  EXPECT_LE(safe_name(std::string(300, 'x'), 45).size(), 45U);
  EXPECT_EQ(safe_name("---", 20).size(), 8U);
  EXPECT_TRUE(is_host_name("my-db.local") && !is_host_name("my_db") && !is_host_name("-a") && !is_host_name(""));
}

PodLook look(const std::string& yaml) { return look_at(kube::Object(must(doc::parse_yaml(yaml)))); }

TEST(PodState, SaysWhyAPodDoesNotStart) {
  auto none = look(
      "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, "
      "message: 0/3 nodes are available}]}\n");
  EXPECT_EQ(none.what, PodLook::What::unscheduled);
  EXPECT_EQ(none.why, "no node takes it: Unschedulable: 0/3 nodes are available");
  auto pulling = look(
      "spec: {nodeName: n}\nstatus: {phase: Pending, containerStatuses: [{name: job, state: {waiting: "
      "{reason: ImagePullBackOff, message: no such image}}}]}\n");
  EXPECT_TRUE(pulling.stuck && !pulling.hopeless);
  EXPECT_EQ(pulling.why, "the job's container: ImagePullBackOff: no such image");
  EXPECT_TRUE(look("spec: {nodeName: n}\nstatus: {containerStatuses: [{name: job, state: {waiting: {reason: "
                   "InvalidImageName}}}]}\n")
                  .hopeless);
  // The Secret comes a moment later.
  EXPECT_FALSE(look("spec: {nodeName: n}\nstatus: {containerStatuses: [{name: job, state: {waiting: {reason: "
                    "CreateContainerConfigError, message: 'secret \"x\" not found'}}}]}\n")
                   .hopeless);
  EXPECT_TRUE(look("spec: {nodeName: n}\nstatus: {initContainerStatuses: [{name: agent, state: {terminated: {exitCode: "
                   "1, message: no space}}}]}\n")
                  .hopeless);
}

TEST(PodState, SaysHowAPodEnded) {
  auto memory = look(
      "spec: {nodeName: n, containers: [{name: job, resources: {limits: {memory: 64Mi}}}]}\nstatus: "
      "{phase: Failed, containerStatuses: [{name: job, state: {terminated: {exitCode: 137, reason: "
      "OOMKilled}}}]}\n");
  EXPECT_EQ(memory.what, PodLook::What::ended);
  EXPECT_EQ(memory.why, "the job ran out of memory (its limit is 64Mi)");
  EXPECT_TRUE(memory.user_fault);
  auto evicted = look("spec: {nodeName: n1}\nstatus: {phase: Failed, reason: Evicted, message: low on disk}\n");
  EXPECT_EQ(evicted.why, "the Pod was evicted from node n1: low on disk");
  auto leaving = look(
      "metadata: {deletionTimestamp: '2026-01-01T00:00:00Z'}\nspec: {nodeName: n1}\nstatus: {phase: "
      "Running}\n");
  EXPECT_EQ(leaving.what, PodLook::What::leaving);
  auto services = look(
      "spec: {nodeName: n}\nstatus: {phase: Running, containerStatuses: [{name: job, state: {running: "
      "{}}}, {name: svc-a, ready: false, state: {running: {}}}, {name: svc-b, state: {terminated: "
      "{exitCode: 3}}}]}\n");
  EXPECT_EQ(services.not_ready, std::vector<std::string>{"a"});
  EXPECT_EQ(services.dead, std::vector<std::string>{"b (exit code 3)"});
}

TEST(PodWire, ADescriptionComesAsItWent) {
  JobDescription job;
  job.event.repository = "local/shop", job.event.sha = std::string(40, 'a'), job.event.trusted = true;
  job.event.payload = doc::Map{{"a", 1}};
  job.file = "w.yml", job.files = {{"w.yml", "on: push\n"}}, job.job = {"deploy", "apply"}, job.key = "deploy / apply";
  job.secrets = {{"KEY", "line\nline"}}, job.leg.matrix = Data::from(doc::Map{{"n", 2}});
  job.timeout = Millis(5000), job.caches = true;
  auto same = must(parse_description(print(job)));
  EXPECT_EQ(print(same), print(job));
  EXPECT_EQ(same.secrets.at("KEY"), "line\nline");
  EXPECT_TRUE(same.caches && !same.builder && same.event.trusted);
  EXPECT_FALSE(parse_description("{}"));
  EXPECT_FALSE(parse_description(R"({"version":2})"));
  EXPECT_FALSE(parse_description(R"({"version":1,"key":"k","job":["j"],"file":"w.yml"})"));
}

TEST(PodWire, EventsComeAsTheyWent) {
  JobEvent event{.what = JobEvent::What::log, .number = 3, .step = "s", .text = "a \"line\"", .stream = 2};
  event.time = std::chrono::system_clock::time_point(Millis(1'700'000'000'123));
  auto same = must(parse_event(print(event)));
  EXPECT_EQ(print(same), print(event));
  EXPECT_EQ(same.text, "a \"line\"");
  for (const auto* wrong : {"", "{}", R"({"n":1,"k":"x"})", R"({"n":1,"k":"step"})", R"({"n":1,"k":"end"})", "[1]"})
    EXPECT_FALSE(parse_event(wrong)) << wrong;
}

// A desk on a port, with two jobs of different runs.
class Desk : public testing::Test {
 protected:
  Desk() : dir(must(TempDir::make("desk"))), blobs(must(store::BlobStore::open(dir.path() / "blobs"))) {
    must(make_dirs(dir.path() / "state"));
    rep->options.state = dir.path() / "state";
    options.blobs = blobs.get();
    options.root = dir.path() / "work";
    cache = must(open_file_job_cache(dir.path() / "cache"));
    options.cache = cache.get();
    server = must(net::Server::start({}, [this](const Ctx& ctx, net::Request& r) { return rep->answer(ctx, r); }));
    url = "http://" + server->address();
  }
  ~Desk() override {
    for (auto& [name, job] : *rep->jobs.lock()) job->close();
    server->stop();
  }
  struct One {
    std::shared_ptr<PodJob> job;
    Guarded<std::map<std::string, RunArtifact>> artifacts;
    Event event;
    std::vector<std::string> told;
    std::string word = random_hex(32), token = random_hex(32);
  };
  One& add(const std::string& name) {
    auto& one = *made.emplace_back(std::make_unique<One>());
    one.event.repository = "local/" + name;
    PodJobSide side;
    side.options = &options, side.event = &one.event, side.artifacts = &one.artifacts;
    side.description = "{\"job\":\"" + name + "\"}";
    side.take = [&one](JobEvent& event) { one.told.push_back(event.text); };
    one.job = std::make_shared<PodJob>(name, std::move(side));
    one.job->state().lock()->ready = true;
    (*rep->jobs.lock())[name] = one.job;
    auto guests = rep->guests.lock();
    (*guests)[sha256_hex(one.word)] = {one.job, "ns", true};
    (*guests)[sha256_hex(one.token)] = {one.job, "ns", false};
    return one;
  }
  FarHouse house(const std::string& token) const { return {url, token, Millis(0)}; }

  TempDir dir;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<JobCache> cache;
  RunnerOptions options;
  std::shared_ptr<JobPods::Rep> rep = std::make_shared<JobPods::Rep>();
  std::vector<std::unique_ptr<One>> made;
  std::unique_ptr<net::Server> server;
  std::string url;
};

TEST_F(Desk, AStrangerGetsNothing) {
  auto& one = add("a");
  for (const auto& token : {std::string("x"), random_hex(32), one.token + "0"}) {
    auto far = house(token);
    auto answer = far.once({}, far.request("GET", "artifacts"));
    ASSERT_FALSE(answer);
    EXPECT_TRUE(is_away(answer.error()));  // it may be a house that has just started
  }
  // A word greets, and no more.
  auto far = house(one.word);
  auto answer = far.once({}, far.request("GET", "artifacts"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(Kind::denied)) << answer.error().what();
}

TEST_F(Desk, BlobsAndArtifactsAreOfTheirJobAlone) {
  auto &one = add("a"), &two = add("b");
  auto mine = house(one.token), other = house(two.token);
  auto secret = must(blobs->put("of nobody here"));
  FarBlobs origin(mine, "blobs"), others(other, "blobs");
  EXPECT_EQ(must(origin.size(secret)), std::nullopt);
  auto local = must(store::BlobStore::open(dir.path() / "local"));
  local->set_origin(&origin);
  auto digest = must(local->put("my own bytes"));
  EXPECT_TRUE(blobs->contains(digest));
  EXPECT_EQ(must(origin.size(digest)), 12U);
  EXPECT_EQ(must(others.size(digest)), std::nullopt);
  // An artifact is of bytes that this job has put.
  auto give = [](const FarHouse& far, const std::string& name, const Digest& what) {
    return far.ask({}, "artifacts", {{"name", name}, {"digest", what.str()}});
  };
  EXPECT_TRUE(give(mine, "good", digest));
  EXPECT_TRUE(give(mine, "good", digest).error().is(Kind::conflict));
  EXPECT_TRUE(give(mine, "theirs", secret).error().is(Kind::denied));
  EXPECT_TRUE(give(mine, "../x", digest).error().is(Kind::invalid));
  EXPECT_EQ(one.artifacts.lock()->size(), 1U);
  EXPECT_TRUE(two.artifacts.lock()->empty());
}

TEST_F(Desk, LargeBlobsComeInPiecesAndAreWhatTheySay) {
  auto& one = add("a");
  auto far = house(one.token);
  FarBlobs origin(far, "blobs");
  auto local = must(store::BlobStore::open(dir.path() / "local"));
  local->set_origin(&origin);
  std::string bytes(std::size_t{70} << 20, 'x');  // three parts
  auto digest = must(local->put(bytes));
  EXPECT_EQ(must(blobs->size(digest)), bytes.size());
  // And back, to a store that has nothing.
  auto fresh = must(store::BlobStore::open(dir.path() / "fresh"));
  fresh->set_origin(&origin);
  EXPECT_TRUE(fresh->contains(digest));
  EXPECT_EQ(must(fresh->read(digest, std::size_t{80} << 20)).size(), bytes.size());
  // A digest that is not that of the bytes is refused.
  auto begun = must(far.ask({}, "blobs/uploads", {}));
  auto id = begun.str_at({"id"});
  auto part = far.request("PATCH", fmt::format("blobs/uploads/{}?at=0", id), "other bytes");
  EXPECT_TRUE(far.once({}, part));
  // One that is not at its place is not taken.
  EXPECT_EQ(must(far.once({}, part)).body, R"({"size":11,"again":true})");
  auto wrong = far.once({}, far.request("PUT", fmt::format("blobs/uploads/{}?digest={}", id, digest.str())));
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().is(Kind::invalid)) << wrong.error().what();
  auto none = far.once({}, far.request("PUT", fmt::format("blobs/uploads/{}?digest={}", id, Digest::of("else").str())));
  EXPECT_TRUE(none.error().is(Kind::not_found)) << none.error().what();
}

TEST_F(Desk, CachesAreOfTheJobsOwnRepository) {
  auto &one = add("a"), &two = add("b");
  auto mine = house(one.token), other = house(two.token);
  auto local = must(store::BlobStore::open(dir.path() / "local")),
       theirs = must(store::BlobStore::open(dir.path() / "t"));
  FarBlobs origin(mine, "cache-blobs"), others(other, "cache-blobs");
  local->set_origin(&origin), theirs->set_origin(&others);
  auto caches = far_caches(mine, *local), foreign = far_caches(other, *theirs);
  auto digest = must(must(caches->caches())->blobs().put("kept"));
  auto* store = must(caches->caches());
  // Whatever repository and scope it says.
  must(store->put({}, {"local/b", "refs/heads/main", "v", "key"}, digest));
  auto hit = must(store->find({}, "local/b", {"refs/heads/main"}, "v", {"ke"}));
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->name.repository, "local/a");
  EXPECT_FALSE(must(must(foreign->caches())->find({}, "local/a", {"refs/heads/main"}, "v", {"key"})));
  EXPECT_FALSE(must(foreign->caches())->put({}, {"local/b", "", "v", "key"}, digest));
}

TEST_F(Desk, EventsAreTakenInOrderOnce) {
  auto& one = add("a");
  auto line = [](std::int64_t number) {
    return print(JobEvent{.what = JobEvent::What::log, .number = number, .text = std::to_string(number)}) + "\n";
  };
  EXPECT_EQ(must(one.job->take(line(1) + line(2))).want, 3);
  EXPECT_EQ(must(one.job->take(line(1) + line(2) + line(3))).want, 4);  // told again: the answer was lost
  EXPECT_EQ(must(one.job->take(line(5))).want, 4);                      // a gap
  EXPECT_FALSE(one.job->take("nonsense\n"));
  EXPECT_EQ(must(one.job->take(line(4) + line(5))).want, 6);
  EXPECT_EQ(one.told, (std::vector<std::string>{"1", "2", "3", "4", "5"}));
}

TEST_F(Desk, WhatIsSaidArrivesAlsoWhenTheHouseBeginsAnew) {
  auto& one = add("a");
  auto far = FarHouse(url, one.token, std::chrono::seconds(30));
  std::atomic<bool> cancelled = false;
  auto log = must(AgentLog::open(far, dir.path() / "events", [&] { cancelled = true; }));
  log->log({"j", "s", std::chrono::system_clock::now(), 1, "first"});
  log->log({"j", "s", std::chrono::system_clock::now(), 1, "second"});
  auto heard = [&](std::int64_t want) {
    auto state = one.job->state().lock();
    must(state.wait(Ctx{}.within(Millis(10'000)), one.job->changed(), [&] { return state->want >= want; }));
  };
  heard(3);
  // A house that was killed and has taken nothing yet.
  one.told.clear();
  one.job->state().lock()->want = 1;
  JobResult result;
  result.key = "j", result.conclusion = Conclusion::success;
  log->ended(result);
  heard(4);
  EXPECT_EQ(one.told, (std::vector<std::string>{"first", "second"}));
  EXPECT_TRUE(one.job->knows_result());
  one.job->cancel();
  one.job->release();
  EXPECT_TRUE(log->settle(Ctx{}.within(Millis(20'000))));
}

TEST_F(Desk, AJobThatIsOverAnswersNobody) {
  auto& one = add("a");
  auto far = house(one.token);
  EXPECT_TRUE(far.once({}, far.request("GET", "artifacts")));
  one.job->close();
  EXPECT_FALSE(far.once({}, far.request("GET", "artifacts")));
}

TEST_F(Desk, OnlyTheRunsRepositoryIsCloned) {
  auto& one = add("a");
  rep->options.git = [](const Ctx&, net::Request& request) { return net::Response::text(200, request.path); };
  auto far = house(one.token);
  auto path = [&](const std::string& what) {
    auto answer = far.once({}, far.request("GET", what));
    return answer ? answer->body : "refused";
  };
  EXPECT_EQ(path("git/other.git/info/refs?service=git-upload-pack"), "/git/a.git/info/refs");
  EXPECT_EQ(path("git/a.git/info/refs?service=git-receive-pack"), "refused");
  EXPECT_EQ(path("git/a.git/git-receive-pack"), "refused");
  EXPECT_EQ(path("git/a.git/HEAD"), "refused");
}

}  // namespace
}  // namespace slipway::ci
