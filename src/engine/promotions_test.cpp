// Passed artifacts become promotions, and those become commits or pull requests.
#include "engine/promotions.h"

#include "base/text.h"
#include "doc/yaml.h"
#include "engine/places.h"
#include "engine/pull_requests.h"
#include "engine/testing.h"
#include "promote/promote.h"

namespace slipway::engine {
namespace {

struct Promotions : HouseTest {
  void SetUp() override {
    HouseTest::SetUp();
    std::string images;
    for (const auto* service : {"api", "web"}) images += fmt::format("- name: shop/{}\n  newTag: old\n", service);
    first = commit("config", "main", {{"dev/kustomization.yaml", "resources: []\nimages:\n" + images}});
  }
  // `rules` of the one environment, in YAML.
  void pipeline(std::string_view rules) {
    auto text = fmt::format(
        "{{apiVersion: slipway.dev/v1, kind: Pipeline, metadata: {{name: shop, namespace: {}}}, spec: {{repository: "
        "config, services: [{{name: api, image: shop/api}}, {{name: web, image: shop/web}}], environments: [{{name: "
        "dev, path: dev, namespace: shop-dev{}}}]}}}}",
        home, rules);
    must(house.client->apply(ctx, must(doc::parse_yaml(text)), {.force = true}));
  }
  void passed(const std::string& service, int n) {
    path::Artifact artifact{
        .service = service, .image = "shop/" + service, .digest = Digest::of(fmt::format("{}{}", service, n))};
    artifact.tags = {fmt::format("sha-{}", n)};
    must(record(ctx, *house.client, "Artifact", name_of(artifact), to_doc(artifact)));
    EXPECT_TRUE(set_status(ctx, *house.client, "Artifact", name_of(artifact),
                           doc::Map{{"phase", "Succeeded"}, {"passedAt", rfc3339_micro(ctx.clock->wall())}}));
  }
  void plan() { must(plan_promotions(ctx, house, "shop")); }
  void execute_all() {
    for (const auto& promotion : must(all(ctx, *house.client, "Promotion")))
      must(execute_promotion(ctx, house, promotion.name()));
  }
  // "api Running; web Waiting: why; "
  std::string promotions() {
    std::string text;
    for (const auto& p : must(all(ctx, *house.client, "Promotion"))) {
      auto message = p["status"]["message"].text();
      text += fmt::format("{} {}{}; ", p["spec"]["service"].text(), p["status"]["phase"].text(),
                          message.empty() ? "" : ": " + message);
    }
    return text;
  }
  git::Repository repository() { return must(house.git->repository("config")); }
  std::string tip() { return *must(repository().resolve("refs/heads/main")); }
  std::size_t commits() { return must(repository().log(tip(), 100, first)).size(); }
  bool holds(const std::string& service, int n, const std::string& commit) {
    auto said = must(promote::image_at(repository(), commit, "dev", "shop/" + service));
    return said && said->digest == Digest::of(fmt::format("{}{}", service, n));
  }
  std::string first;
};

TEST_F(Promotions, AreACommitEach) {
  pipeline("");
  passed("api", 1), passed("web", 1);
  plan();
  EXPECT_EQ(promotions(), "api Pending; web Pending; ");
  execute_all();
  EXPECT_EQ(promotions(), "api Running; web Running; ");
  EXPECT_EQ(commits(), 2U);
  EXPECT_TRUE(holds("api", 1, tip()) && holds("web", 1, tip()));
  execute_all();
  plan();
  EXPECT_EQ(commits(), 2U);
}

TEST_F(Promotions, GoTogetherWhenAsked) {
  pipeline(", together: true");
  passed("api", 1), passed("web", 1);
  plan();
  execute_all();
  EXPECT_EQ(promotions(), "api Running; web Running; ");
  EXPECT_EQ(commits(), 1U);
  EXPECT_TRUE(holds("api", 1, tip()) && holds("web", 1, tip()));
  EXPECT_EQ(must(all(ctx, *house.client, "Release")).size(), 2U);
  passed("api", 2);
  plan();
  execute_all();
  EXPECT_EQ(commits(), 2U) << "the other is there already";
}

TEST_F(Promotions, OneThatCannotBeWrittenKeepsNoOther) {
  pipeline(", together: true");
  commit("config", "main", {{"dev/kustomization.yaml", "resources: []\nimages:\n- name: shop/web\n  newTag: old\n"}});
  passed("web", 1);
  path::Promotion lost{.service = "api",
                       .environment = "dev",
                       .artifact = {.service = "api", .image = "shop/api", .digest = Digest::of("x")},
                       .config_repository = "config",
                       .config_path = "nowhere"};
  must(record(ctx, *house.client, "Promotion", "lost", to_doc(lost),
              {{"slipway.dev/environment", "dev"}, {"slipway.dev/service", "api"}}));
  EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", "lost", doc::Map{{"phase", "Pending"}}));
  plan();
  execute_all();
  EXPECT_TRUE(holds("web", 1, tip()));
  EXPECT_EQ(phase_of(object("Promotion", "lost")), path::Phase::failed);
}

// Two teams have a service of one name, with images of their own, or the same image in two places.
struct Teams : Promotions {
  void team(const std::string& name, const std::string& repository, const std::string& image, const std::string& path) {
    auto text = fmt::format(
        "{{apiVersion: slipway.dev/v1, kind: Pipeline, metadata: {{name: {}, namespace: {}}}, spec: {{repository: {}, "
        "services: [{{name: api, image: {}}}], environments: [{{name: dev, path: {}, namespace: {}, automatic: false, "
        "approvers: [ann-{}]}}]}}}}",
        name, home, repository, image, path, name, name);
    must(house.client->apply(ctx, must(doc::parse_yaml(text)), {.force = true}));
    commit(repository, "main", {{path + "/kustomization.yaml", "resources: []\nimages: []\n"}});
  }
  void passed_image(const std::string& image, const std::string& text) {
    path::Artifact artifact{.service = "api", .image = image, .digest = Digest::of(text), .run = text};
    must(record(ctx, *house.client, "Artifact", name_of(artifact), to_doc(artifact)));
    EXPECT_TRUE(set_status(ctx, *house.client, "Artifact", name_of(artifact),
                           doc::Map{{"phase", "Succeeded"}, {"passedAt", rfc3339_micro(ctx.clock->wall())}}));
  }
  void approve_all(const std::string& who) {
    for (const auto& p : must(all(ctx, *house.client, "Promotion"))) {
      if (!must(may_approve(ctx, *house.client, p, who))) continue;
      must(kube::modify(ctx, *house.client, kind("Promotion"), p.key(), {}, [&](doc::Value& o) -> Result<bool> {
        o["spec"]["approvedBy"] = who;
        return true;
      }));
    }
  }
  void settle() {
    for (int i = 0; i < 3; ++i) {
      for (const auto& pipeline : must(all(ctx, *house.client, "Pipeline")))
        must(plan_promotions(ctx, house, pipeline.name()));
      execute_all();
    }
  }
  std::string text_of(const std::string& repository, const std::string& path) {
    auto store = must(house.git->repository(repository));
    return *must(store.read(*must(store.resolve("refs/heads/main")), path + "/kustomization.yaml"));
  }
};

TEST_F(Teams, WithAServiceOfTheSameNameStayApart) {
  team("teama", "a-config", "ta/api", "dev"), team("teamb", "b-config", "tb/api", "dev");
  passed_image("ta/api", "a1"), passed_image("tb/api", "b1");
  settle();
  EXPECT_EQ(must(all(ctx, *house.client, "Promotion")).size(), 2U);
  approve_all("ann-teamb");
  settle();
  EXPECT_FALSE(text_of("a-config", "dev").contains("sha256:")) << "approved was the other's";
  EXPECT_TRUE(text_of("b-config", "dev").contains(Digest::of("b1").str()));
  approve_all("ann-teama");
  settle();
  EXPECT_TRUE(text_of("a-config", "dev").contains(Digest::of("a1").str()));
  for (const auto& text : {text_of("a-config", "dev"), text_of("b-config", "dev")})
    EXPECT_FALSE(text.contains("ta/api") && text.contains("tb/api")) << text;
  std::set<std::string> current;
  for (const auto& r : must(all(ctx, *house.client, "Release")))
    if (r["status"]["current"].bool_or(false)) current.insert(r["spec"]["image"].text());
  EXPECT_EQ(current, (std::set<std::string>{"ta/api", "tb/api"})) << "neither replaced the other's";
}

TEST_F(Teams, TheSameImageInTwoPipelinesHasObjectsOfItsOwnInEach) {
  team("eu", "config", "shop/api", "eu"), team("us", "config", "shop/api", "us");
  passed_image("shop/api", "1");
  settle();
  approve_all("ann-us"), approve_all("ann-eu");
  settle();
  EXPECT_TRUE(text_of("config", "eu").contains("sha256:") && text_of("config", "us").contains("sha256:"));
  EXPECT_EQ(must(all(ctx, *house.client, "Promotion")).size(), 2U);
  auto releases = must(all(ctx, *house.client, "Release"));
  EXPECT_EQ(releases.size(), 2U);
  for (const auto& r : releases) EXPECT_TRUE(r["status"]["current"].bool_or(false)) << r.name();
}

TEST_F(Teams, WhatWaitsGoesToWhereTheEnvironmentIsNow) {
  team("teama", "a-config", "ta/api", "dev");
  passed_image("ta/api", "a1");
  settle();
  team("teama", "a-config", "ta/api", "environments/dev");
  settle();
  approve_all("ann-teama");
  settle();
  EXPECT_TRUE(text_of("a-config", "environments/dev").contains("sha256:"));
  EXPECT_FALSE(text_of("a-config", "dev").contains("sha256:"));
}

// What an older house has recorded says nothing of a Pipeline, and is under way still.
TEST_F(Teams, WhatWasRecordedWithoutAPipelineGoesOn) {
  team("teama", "a-config", "ta/api", "dev"), team("teamb", "b-config", "tb/api", "dev");
  passed_image("ta/api", "a1");
  path::Promotion old{.service = "api", .environment = "dev", .config_repository = "a-config", .config_path = "dev"};
  old.artifact = {.service = "api", .image = "ta/api", .digest = Digest::of("a1"), .run = "a1"};
  must(record(ctx, *house.client, "Promotion", name_of(old), to_doc(old),
              {{"slipway.dev/environment", "dev"}, {"slipway.dev/service", "api"}}));
  EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", name_of(old), doc::Map{{"phase", "Waiting"}}));
  settle();
  approve_all("ann-teama");
  settle();
  EXPECT_EQ(must(all(ctx, *house.client, "Promotion")).size(), 1U);
  EXPECT_EQ(phase_of(object("Promotion", name_of(old))), path::Phase::running);
  EXPECT_TRUE(text_of("a-config", "dev").contains(Digest::of("a1").str()));
}

// Whoever may write promotions may not put anything where others say what goes.
TEST_F(Promotions, WhatNobodyApprovedIsNotCarriedOut) {
  pipeline(", automatic: false, approvers: [ann]");
  path::Promotion asked{.service = "api", .environment = "dev", .config_repository = "config", .config_path = "dev"};
  asked.artifact = {.service = "api", .image = "shop/api", .digest = Digest::of("api1")};
  for (auto by : {"", "eve", "ann"}) {
    asked.approved_by = by;
    auto name = fmt::format("by-hand-{}", by);
    must(record(ctx, *house.client, "Promotion", object_name(name), to_doc(asked)));
    EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", object_name(name), doc::Map{{"phase", "Pending"}}));
    must(execute_promotion(ctx, house, object_name(name)));
    EXPECT_EQ(commits(), std::string(by) == "ann" ? 1U : 0U) << by;
  }
  EXPECT_TRUE(promotions().contains("Waiting: waiting for approval by ann")) << promotions();
}

TEST_F(Promotions, AWindowHoldsThemBack) {
  pipeline(", windows: [{kind: deny, schedule: '* * * * *', duration: 1h}]");
  passed("api", 1);
  auto later = must(plan_promotions(ctx, house, "shop"));
  EXPECT_TRUE(later) << "somebody must look when it ends";
  EXPECT_EQ(promotions(), "api Waiting: held back: no promotions during \"* * * * *\" (UTC) for 1h0m0s; ");
  execute_all();
  EXPECT_EQ(commits(), 0U);
  pipeline("");
  plan();
  execute_all();
  EXPECT_EQ(promotions(), "api Running; ");
}

// What is missing in the repository may come: then it is tried again, and only then.
TEST_F(Promotions, WhatFailedForAMissingFileIsTriedAgainWhenItIsThere) {
  pipeline("");
  auto text = object("Pipeline", "shop").copy();
  text["spec"]["environments"].list()[0]["path"] = "later";
  text["spec"]["services"].list().pop_back();
  must(house.client->update(ctx, text, {}));
  passed("api", 1);
  plan(), execute_all();
  EXPECT_TRUE(promotions().starts_with("api Failed: later: no kustomization.yaml here")) << promotions();
  commit("config", "main", {{"readme", "x"}});
  plan(), execute_all();
  EXPECT_TRUE(promotions().starts_with("api Failed: later: ")) << promotions();
  commit("config", "main", {{"later/kustomization.yaml", "resources: []\nimages:\n- name: shop/api\n  newTag: old\n"}});
  plan();
  EXPECT_EQ(promotions(), "api Pending; ");
  execute_all();
  EXPECT_EQ(promotions(), "api Running; ");
}

TEST_F(Promotions, GoToTheDefaultBranchOfARepositoryThatComesLater) {
  pipeline("");
  auto text = object("Pipeline", "shop").copy();
  text["spec"]["repository"] = "other";
  must(house.client->update(ctx, text, {}));
  passed("api", 1);
  plan(), execute_all();
  EXPECT_TRUE(promotions().contains("no such repository")) << promotions();
  commit("other", "master", {{"dev/kustomization.yaml", "resources: []\nimages:\n- name: shop/api\n  newTag: old\n"}});
  auto store = must(house.git->repository("other"));
  must(write_file(store.path() / "HEAD", "ref: refs/heads/master\n"));
  plan(), execute_all();
  EXPECT_EQ(promotions(), "api Running; ");
  auto said = must(promote::image_at(store, *must(store.resolve("refs/heads/master")), "dev", "shop/api"));
  EXPECT_TRUE(said && said->digest == Digest::of("api1"));
}

constexpr const char* closed_window = ", windows: [{kind: deny, schedule: '* * * * *', duration: 1h}]";

struct ByHand : Promotions {
  void ask(const std::string& name, int n, doc::Map more = {}) {
    path::Promotion asked{.service = "api", .environment = "dev", .config_repository = "config", .config_path = "dev"};
    asked.artifact = {.service = "api", .image = "shop/api", .digest = Digest::of(fmt::format("api{}", n))};
    auto spec = to_doc(asked);
    for (auto& [key, value] : more) spec[key] = value;
    must(record(ctx, *house.client, "Promotion", name, spec,
                {{"slipway.dev/service", "api"}, {"slipway.dev/environment", "dev"}},
                {{std::string(recorded_at), rfc3339_micro(ctx.clock->wall())}}));
    EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", name, doc::Map{{"phase", "Pending"}}));
  }
  std::string message() { return must(repository().commit(tip())).message; }
};

TEST_F(ByHand, AWindowHoldsItBackUntilItOpens) {
  pipeline(closed_window);
  ask("rollback", 1);
  auto later = must(execute_promotion(ctx, house, "rollback"));
  EXPECT_TRUE(later) << "somebody must look when it opens";
  EXPECT_EQ(promotions(), "api Waiting: held back: no promotions during \"* * * * *\" (UTC) for 1h0m0s; ");
  must(execute_promotion(ctx, house, "rollback"));
  EXPECT_EQ(commits(), 0U);
  pipeline("");
  must(execute_promotion(ctx, house, "rollback"));
  EXPECT_EQ(promotions(), "api Running; ") << "nobody asks again";
  EXPECT_TRUE(holds("api", 1, tip()));
  EXPECT_FALSE(message().contains("Override")) << message();
}

TEST_F(ByHand, WhatIsPutPastAWindowSaysSo) {
  pipeline(closed_window);
  ask("rollback", 1, {{"overrideWindow", "ann"}});
  must(execute_promotion(ctx, house, "rollback"));
  EXPECT_EQ(promotions(), "api Running; ");
  EXPECT_TRUE(message().contains("\nSlipway-Override-Window: ann, no promotions during \"* * * * *\"")) << message();
}

// Also of what the chain has planned, and of that alone.
TEST_F(ByHand, OneThatIsHeldBackIsPutPastTheWindow) {
  pipeline(std::string(closed_window) + ", together: true");
  passed("api", 1), passed("web", 1);
  plan();
  for (const auto& p : must(all(ctx, *house.client, "Promotion")))
    if (p["spec"]["service"].text() == "api")
      must(kube::modify(ctx, *house.client, kind("Promotion"), p.key(), {}, [](doc::Value& o) -> Result<bool> {
        o["spec"]["overrideWindow"] = "ann";
        return true;
      }));
  plan();
  execute_all();
  EXPECT_TRUE(promotions().starts_with("api Running; web Waiting: held back")) << promotions();
  EXPECT_TRUE(message().contains("Slipway-Override-Window: ann")) << message();
}

TEST_F(Promotions, ArePullRequestsWhenAsked) {
  pipeline(", pullRequest: true, together: true");
  passed("api", 1), passed("web", 1);
  plan();
  execute_all();
  const std::string waits = ": pull request 1 of config waits to be merged; ";
  EXPECT_EQ(promotions(), "api Waiting" + waits + "web Waiting" + waits);
  EXPECT_EQ(commits(), 0U) << "nothing on the branch";
  // Again, and again after a kill before it was noted: the same request.
  plan();
  execute_all();
  for (const auto& p : must(all(ctx, *house.client, "Promotion")))
    EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", p.name(),
                           doc::Map{{"phase", "Pending"}, {"pullRequest", nullptr}}));
  execute_all();
  auto requests = must(all(ctx, *house.client, "PullRequest"));
  ASSERT_EQ(requests.size(), 1U);
  auto head = requests[0]["spec"]["head"].text();
  EXPECT_TRUE(holds("api", 1, head) && holds("web", 1, head));
  EXPECT_EQ(requests[0]["spec"]["author"].text(), "slipway");

  auto tip_before = tip();
  EXPECT_TRUE(repository().update_ref("refs/heads/main", head, tip_before, "merged by a person"));
  plan();
  EXPECT_EQ(promotions(), "api Running; web Running; ");
  for (const auto& release : must(all(ctx, *house.client, "Release")))
    EXPECT_FALSE(release["spec"]["promotion"].text().empty());
}

struct Proposals : Promotions {
  // As the house does when nothing else happens.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      plan();
      execute_all();
      for (const auto& request : must(all(ctx, *house.client, "PullRequest")))
        must(look_at_pull_request(ctx, house, request.name()));
    }
  }
  // "1 closed, 2 open"
  std::string requests() {
    std::vector<std::string> states;
    for (const auto& r : must(all(ctx, *house.client, "PullRequest")))
      states.push_back(r["spec"]["number"].text() + " " + r["status"]["state"].str_or("open"));
    return join(states, ", ");
  }
  kube::Object request(int number) { return object("PullRequest", pull_request_name("config", number)); }
  std::string phases() {
    std::string text;
    for (const auto& p : must(all(ctx, *house.client, "Promotion")))
      text += fmt::format("{} {} {}; ", p["spec"]["service"].text(), p["status"]["phase"].text(),
                          p["status"]["pullRequest"].num_or(0));
    return text;
  }
  void merge(int number) {
    auto name = request(number).name();
    must(kube::modify(ctx, *house.client, kind("PullRequest"), {home, name}, {}, [](doc::Value& o) -> Result<bool> {
      o["spec"]["merge"] = doc::Map{{"by", "ada"}};
      return true;
    }));
    auto head = request(number)["spec"]["head"].text();
    EXPECT_TRUE(repository().update_ref("refs/heads/main", head, tip(), "merged by a person"));
  }
};

TEST_F(Proposals, ASupersededOneIsClosedWithItsRefs) {
  pipeline(", pullRequest: true");
  passed("api", 1);
  settle();
  EXPECT_EQ(requests(), "1 open");
  EXPECT_TRUE(must(repository().resolve("refs/pull/1/head")));
  passed("api", 2);
  settle();
  EXPECT_EQ(requests(), "1 closed, 2 open");
  auto closed = request(1);
  EXPECT_EQ(closed["status"]["message"].text(), "superseded by #2");
  EXPECT_TRUE(closed["status"]["comment"].text().starts_with("Closed: superseded by #2."));
  EXPECT_TRUE(must(repository().refs("refs/pull/1/")).empty());
  auto said = promotions();
  EXPECT_TRUE(said.contains("api Skipped: superseded by api-dev-")) << said;
  EXPECT_TRUE(said.contains("api Waiting: pull request 2 of config waits to be merged")) << said;
  merge(2);
  settle();
  EXPECT_EQ(requests(), "1 closed, 2 merged");
  EXPECT_TRUE(promotions().contains("api Running; ")) << promotions();
  EXPECT_TRUE(holds("api", 2, tip()));
}

TEST_F(Proposals, WhatElseWaitedComesAlong) {
  pipeline(", pullRequest: true, together: true");
  passed("api", 1), passed("web", 1);
  settle();
  EXPECT_EQ(phases(), "api Waiting 1; web Waiting 1; ");
  passed("api", 2);
  settle();
  EXPECT_EQ(requests(), "1 open") << "the same request, brought up to date";
  auto head = request(1)["spec"]["head"].text();
  EXPECT_TRUE(holds("api", 2, head) && holds("web", 1, head)) << "what was not overtaken is not lost";
  // Where the branch has moved it is another.
  commit("config", "main", {{"readme", "x"}});
  passed("web", 2);
  settle();
  EXPECT_EQ(requests(), "1 closed, 2 open");
  head = request(2)["spec"]["head"].text();
  EXPECT_TRUE(holds("api", 2, head) && holds("web", 2, head));
  merge(2);
  settle();
  for (const auto& p : must(all(ctx, *house.client, "Promotion")))
    EXPECT_NE(phase_of(p), path::Phase::waiting) << p["status"]["message"].text();
  EXPECT_TRUE(holds("api", 2, tip()) && holds("web", 2, tip()));
}

TEST_F(Proposals, AConflictIsProposedAnew) {
  pipeline(", pullRequest: true");
  passed("api", 1);
  settle();
  commit("config", "main",
         {{"dev/kustomization.yaml",
           "resources: []\nimages:\n- name: shop/api\n  newTag: byhand\n- name: shop/web\n  newTag: old\n"}});
  settle();
  EXPECT_EQ(requests(), "1 closed, 2 open");
  EXPECT_EQ(phases(), "api Waiting 2; ");
  EXPECT_TRUE(holds("api", 1, request(2)["spec"]["head"].text()));
}

// The window closed after the request was opened: it is merged when it opens again.
TEST_F(Proposals, AWindowHoldsTheMergeBack) {
  pipeline(", pullRequest: true");
  passed("api", 1);
  settle();
  ASSERT_EQ(requests(), "1 open");
  pipeline(", pullRequest: true" + std::string(closed_window));
  auto wish = [&](doc::Map how) {
    must(
        kube::modify(ctx, *house.client, kind("PullRequest"), request(1).key(), {}, [&](doc::Value& o) -> Result<bool> {
          o["spec"]["merge"] = how;
          return true;
        }));
  };
  wish({{"by", "ada"}});
  for (const auto& change : must(all(ctx, *house.client, "Change")))
    EXPECT_TRUE(
        set_status(ctx, *house.client, "Change", change.name(), doc::Map{{"phase", "Started"}}));  // no workflow
  settle();
  auto name = request(1).name();
  EXPECT_TRUE(must(look_at_pull_request(ctx, house, name))) << "somebody must look when it opens";
  EXPECT_EQ(request(1)["status"]["message"].text(), "held back: no promotions during \"* * * * *\" (UTC) for 1h0m0s");
  auto version = request(1).resource_version();
  must(look_at_pull_request(ctx, house, name));
  EXPECT_EQ(request(1).resource_version(), version) << "and is not told again";
  EXPECT_EQ(requests(), "1 open");
  EXPECT_EQ(commits(), 0U);
  // Who may is asked when it is merged: whoever wished it while nothing was closed is no approver by that.
  pipeline(", pullRequest: true, approvers: [ann]" + std::string(closed_window));
  wish({{"by", "ada"}, {"overrideWindow", true}});
  must(look_at_pull_request(ctx, house, name));
  EXPECT_EQ(requests(), "1 open");
  pipeline(", pullRequest: true, approvers: [ada]" + std::string(closed_window));
  must(look_at_pull_request(ctx, house, name));
  EXPECT_EQ(requests(), "1 merged");
  EXPECT_TRUE(holds("api", 1, tip()));
  EXPECT_TRUE(request(1)["status"]["message"].text().starts_with("put past a window by ada: no promotions"));
}

TEST_F(Proposals, OneThatAPersonClosesIsGivenUp) {
  pipeline(", pullRequest: true");
  passed("api", 1);
  settle();
  EXPECT_TRUE(
      set_status(ctx, *house.client, "PullRequest", pull_request_name("config", 1), doc::Map{{"state", "closed"}}));
  settle();
  EXPECT_EQ(promotions(), "api Cancelled: pull request 1 was closed; ");
  EXPECT_EQ(requests(), "1 closed") << "and not proposed again";
  passed("api", 2);
  settle();
  EXPECT_EQ(requests(), "1 closed, 2 open");
}

TEST_F(Proposals, ARollbackByHandIsNotOvertakenByWhatItTakesBack) {
  pipeline(", pullRequest: true");
  passed("api", 1), passed("api", 2);
  settle();
  merge(1);
  settle();
  EXPECT_TRUE(holds("api", 2, tip()));
  path::Promotion back{.service = "api",
                       .environment = "dev",
                       .artifact = {.service = "api", .image = "shop/api", .digest = Digest::of("api1")},
                       .config_repository = "config",
                       .config_path = "dev",
                       .reason = "rollback by ada"};
  must(record(ctx, *house.client, "Promotion", "back-by-hand-1", to_doc(back),
              {{"slipway.dev/environment", "dev"}, {"slipway.dev/service", "api"}},
              {{std::string(recorded_at), rfc3339_micro(ctx.clock->wall())}}));
  EXPECT_TRUE(set_status(ctx, *house.client, "Promotion", "back-by-hand-1", doc::Map{{"phase", "Pending"}}));
  settle();
  EXPECT_EQ(requests(), "1 merged, 2 open");
  EXPECT_TRUE(holds("api", 1, request(2)["spec"]["head"].text()));
}

// What waits for a word is overtaken too: nobody could say it any more.
TEST_F(Proposals, AnApprovalThatIsNotWantedAnyMoreIsSkipped) {
  pipeline(", automatic: false");
  passed("api", 1);
  settle();
  passed("api", 2);
  settle();
  auto said = promotions();
  EXPECT_TRUE(said.contains("api Skipped: superseded by")) << said;
  EXPECT_TRUE(said.contains("api Waiting: waiting for approval")) << said;
}

}  // namespace
}  // namespace slipway::engine
