// Hooks of deletion, and what a kill in the middle of one leaves: against the embedded API.
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

const kube::Type job_type{"batch/v1", "Job"};
constexpr std::string_view cascade = ", finalizers: [resources-finalizer.argocd.argoproj.io]";
constexpr std::string_view automatic = "syncPolicy: {automated: {prune: true}}";

std::string job(std::string_view name, std::string_view hook, std::string_view more = "",
                std::string_view key = "name") {
  return fmt::format(
      "{{apiVersion: batch/v1, kind: Job, metadata: {{{}: {}, annotations: {{argocd.argoproj.io/hook: '{}'{}}}}}, "
      "spec: "
      "{{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: a}}]}}}}}}}}\n",
      key, name, hook, more);
}
void end_job(World& w, const std::string& name, std::string_view condition = "Complete") {
  auto now = rfc3339(w.clock.wall());
  w.merge(job_type, {"shop", name},
          fmt::format("{{status: {{startTime: '{}', completionTime: {}, conditions: [{{type: {}, status: 'True', "
                      "message: done, lastTransitionTime: '{}'}}]}}}}",
                      now, condition == "Complete" ? "'" + now + "'" : "null", condition, now),
          "status");
}
std::string finalizers_of(const kube::Object& app) {
  std::vector<std::string> all;
  for (const auto& f : app["metadata"]["finalizers"].items()) all.push_back(f.text());
  return join(all, " ");
}
void remove_application(World& w) { must(w.person->remove(w.ctx(), application_type, w.key, {})); }
bool is_there(World& w) { return must(w.person->get(w.ctx(), application_type, w.key)).has_value(); }
std::vector<std::string> jobs(World& w) {
  std::vector<std::string> names;
  for (const auto& one : must(w.person->list(w.ctx(), job_type, {.ns = "shop"})).items) names.push_back(one.name());
  return names;
}

TEST(DeletionHooks, HoldTheApplicationByArgosFinalizers) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelete")}, {"k.yaml", job("gone", "PostDelete")}});
  w.application(automatic, cascade);
  w.client->before_write = [&](const std::string& what) -> Result<> {
    auto app = must(w.person->get(w.ctx(), application_type, w.key));
    EXPECT_TRUE(!what.starts_with("apply") || finalizers_of(*app).contains("pre-delete")) << "before anything is made";
    return {};
  };
  auto app = w.look_once();
  EXPECT_EQ(finalizers_of(app),
            "resources-finalizer.argocd.argoproj.io pre-delete-finalizer.argocd.argoproj.io "
            "pre-delete-finalizer.argocd.argoproj.io/cleanup post-delete-finalizer.argocd.argoproj.io "
            "post-delete-finalizer.argocd.argoproj.io/cleanup");
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ(conditions_of(app), "");
  EXPECT_TRUE(jobs(w).empty()) << "no sync runs them";
  w.client->writes.clear();
  w.look_once();
  EXPECT_EQ(w.client->writes, std::vector<std::string>{"patch Application argocd/shop"}) << "the status, by the test";
  w.commit({{"j.yaml", std::nullopt}});
  EXPECT_EQ(finalizers_of(w.look_once()),
            "resources-finalizer.argocd.argoproj.io post-delete-finalizer.argocd.argoproj.io "
            "post-delete-finalizer.argocd.argoproj.io/cleanup");
  w.commit({{"k.yaml", std::nullopt}});
  EXPECT_EQ(finalizers_of(w.look_once()), "resources-finalizer.argocd.argoproj.io");
}

TEST(DeletionHooks, RunBeforeAndAfterTheObjectsGo) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelete")}, {"k.yaml", job("gone", "PostDelete")}});
  w.application(automatic, cascade);
  w.look_once();
  remove_application(w);
  auto app = w.look_once();
  EXPECT_EQ(conditions_of(app), "DeletionWarning: waiting for completion of hook Job/bye");
  EXPECT_EQ(jobs(w), std::vector<std::string>{"bye"});
  EXPECT_TRUE(w.has("a"));
  EXPECT_EQ(app["status"]["deletionState"]["syncResult"]["resources"][0]["hookType"].text(), "PreDelete");
  end_job(w, "bye");
  app = w.look_once();
  EXPECT_EQ(conditions_of(app), "DeletionWarning: waiting for completion of hook Job/gone");
  EXPECT_FALSE(w.has("a"));
  EXPECT_EQ(jobs(w), std::vector<std::string>{"gone"}) << "done, and its policy says nothing else";
  end_job(w, "gone");
  w.look_once();
  EXPECT_FALSE(is_there(w));
  EXPECT_TRUE(jobs(w).empty());
}

TEST(DeletionHooks, RunWithoutTheObjectsGoingToo) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelete")}});
  w.application(automatic);
  w.look_once();
  remove_application(w);
  w.look_once();
  end_job(w, "bye");
  w.look_once();
  EXPECT_FALSE(is_there(w));
  EXPECT_TRUE(w.has("a"));
}

struct Policy {
  const char* name;
  const char* policy;
  bool stays;
};
class DeletionPolicy : public testing::TestWithParam<Policy> {};
TEST_P(DeletionPolicy, SaysWhatStays) {
  World w;
  auto policy =
      *GetParam().policy == 0 ? "" : fmt::format(", argocd.argoproj.io/hook-delete-policy: {}", GetParam().policy);
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelete", policy)}});
  w.application(automatic, cascade);
  w.look_once();
  remove_application(w);
  w.look_once();
  end_job(w, "bye");
  w.look_once();
  EXPECT_FALSE(is_there(w));
  EXPECT_EQ(!jobs(w).empty(), GetParam().stays);
}
INSTANTIATE_TEST_SUITE_P(DeletionHooks, DeletionPolicy,
                         testing::ValuesIn(std::to_array<Policy>({{"None", "", false},
                                                                  {"Succeeded", "HookSucceeded", false},
                                                                  {"Before", "BeforeHookCreation", true},
                                                                  {"Failed", "HookFailed", true}})),
                         [](const auto& i) { return i.param.name; });

TEST(DeletionHooks, OneThatFailsKeepsTheApplicationAndIsTriedAgain) {
  World w;
  w.commit({{"a.yaml", config_map("a")},
            {"i.yaml", job("first", "PreDelete", ", argocd.argoproj.io/sync-wave: '-1'")},
            {"j.yaml", job("bye", "PreDelete")}});
  w.application(automatic, cascade);
  w.look_once();
  remove_application(w);
  w.look_once();
  EXPECT_EQ(jobs(w), std::vector<std::string>{"first"}) << "waves count";
  end_job(w, "first");
  w.look_once();
  auto first = w.live(job_type, "bye")->uid();
  end_job(w, "bye", "Failed");
  auto app = w.look_once();
  EXPECT_TRUE(
      conditions_of(app).starts_with("DeletionError: PreDelete hook Job/bye failed: done; it is tried again at "))
      << conditions_of(app);
  EXPECT_EQ(w.again, Millis(5001));
  w.restart();
  EXPECT_TRUE(conditions_of(w.look_once()).starts_with("DeletionError: PreDelete hook Job/bye failed: done"));
  EXPECT_EQ(w.live(job_type, "bye")->uid(), first);
  w.clock.advance(Millis(10001));
  app = w.look_once();
  EXPECT_EQ(conditions_of(app), "DeletionWarning: waiting for completion of hook Job/bye");
  EXPECT_NE(w.live(job_type, "bye")->uid(), first);
  EXPECT_EQ(jobs(w), std::vector<std::string>{"bye"}) << "what succeeded is not run again";
  EXPECT_TRUE(w.has("a"));
  // A fix in Git is not waited for.
  end_job(w, "bye", "Failed");
  w.look_once();
  w.commit({{"j.yaml", job("better", "PreDelete")}});
  w.look_once();
  EXPECT_TRUE(w.live(job_type, "better"));
  end_job(w, "better");
  w.look_once();
  EXPECT_FALSE(is_there(w));
  EXPECT_FALSE(w.has("a"));
}

TEST(DeletionHooks, WhatTheClusterRefusesIsAFailure) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelete")}});
  w.application(automatic, cascade);
  w.look_once();
  remove_application(w);
  w.client->before_write = [](const std::string& what) -> Result<> {
    return what.starts_with("apply Job") ? Result<>(fail(Kind::denied, "no Jobs today")) : Result<>{};
  };
  auto app = w.look_once();
  EXPECT_TRUE(conditions_of(app).starts_with("DeletionError: PreDelete hook Job/bye failed: no Jobs today"))
      << conditions_of(app);
  EXPECT_TRUE(w.has("a"));
  w.client->before_write = nullptr;
  w.clock.advance(Millis(10001));
  w.look_once();
  end_job(w, "bye");
  w.look_once();
  EXPECT_FALSE(is_there(w));
}

TEST(DeletionHooks, ThatCannotBeReadAreWaitedFor) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelete")}});
  w.application(automatic, cascade);
  w.look_once();
  remove_application(w);
  w.commit({{"x.yaml", "kind: ["}});
  auto app = w.look_once();
  EXPECT_TRUE(conditions_of(app).starts_with("DeletionError: PreDelete hooks cannot be read: ")) << conditions_of(app);
  EXPECT_TRUE(conditions_of(app).contains("finalizer pre-delete-finalizer.argocd.argoproj.io is removed"));
  EXPECT_TRUE(w.has("a"));
  w.commit({{"x.yaml", std::nullopt}});
  w.look_once();
  end_job(w, "bye");
  w.look_once();
  EXPECT_FALSE(is_there(w));
}

TEST(Deletion, OneThatStandsInItsOwnRepositoryDoesNotWaitForItself) {
  World w;
  w.commit(
      {{"self.yaml",
        fmt::format("{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: shop, namespace: argocd, "
                    "finalizers: [resources-finalizer.argocd.argoproj.io]}}, spec: {{project: default, source: "
                    "{{repoURL: '{}', path: ., targetRevision: main}}, destination: {{server: "
                    "'https://kubernetes.default.svc', namespace: shop}}, syncPolicy: {{automated: {{}}}}}}}}",
                    World::url)},
       {"a.yaml", config_map("a")}});
  w.application("syncPolicy: {automated: {}}", ", finalizers: [resources-finalizer.argocd.argoproj.io]");
  auto app = w.look_once();
  app = w.look_once();
  EXPECT_EQ(app["status"]["health"]["status"].text(), "Healthy");
  must(w.person->remove(w.ctx(), application_type, w.key, {}));
  for (int n = 0; n < 3; ++n) must(w.try_look());
  EXPECT_FALSE(must(w.person->get(w.ctx(), application_type, w.key)));
  EXPECT_FALSE(w.has("a"));
}

TEST(DeletionHooks, HooksOfTheLastSyncGoWithTheObjects) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("pre", "PreSync")}});
  w.application(automatic, cascade);
  w.look_once();
  end_job(w, "pre");
  w.look_once();
  EXPECT_EQ(jobs(w), std::vector<std::string>{"pre"});
  remove_application(w);
  w.look_once();
  w.look_once();
  EXPECT_FALSE(is_there(w));
  EXPECT_TRUE(jobs(w).empty());
}

// Every write of a deletion fails once, as if the API went or we were killed there; another controller goes on.
class KillInDeletion : public testing::TestWithParam<bool> {};
TEST_P(KillInDeletion, AnywhereRepeatsNothingAndLosesNothing) {
  int writes_in_all = 0;
  for (int fatal = 0;; ++fatal) {
    World w;
    w.commit({{"a.yaml", config_map("a")},
              {"b.yaml", config_map("b", "1", "argocd.argoproj.io/sync-wave: '1'")},
              {"i.yaml", job("bye", "PreDelete")},
              {"j.yaml", job("kept", "PreDelete", ", argocd.argoproj.io/hook-delete-policy: BeforeHookCreation")},
              {"k.yaml",
               job("gone-", "PostDelete", ", argocd.argoproj.io/hook-delete-policy: HookSucceeded", "generateName")}});
    w.application(automatic, cascade);
    w.look_once();
    remove_application(w);
    int at = 0;
    bool before = GetParam();
    w.client->before_write = [&](const std::string&) -> Result<> {
      return at++ == fatal ? Result<>(fail(Kind::unavailable, "gone")) : Result<>{};
    };
    std::set<std::string> seen;
    for (int i = 0; i < 20 && is_there(w); ++i) {
      if (!w.try_look() && !before) w.restart();
      if (before) w.restart();
      for (const auto& one : must(w.person->list(w.ctx(), job_type, {.ns = "shop"})).items) {
        if (seen.insert(one.uid()).second) {
          EXPECT_EQ(w.has("a"), !one.name().starts_with("gone")) << one.name() << ", write " << fatal;
        }
        if (one["status"]["conditions"].items().empty()) end_job(w, one.name());
      }
    }
    ASSERT_FALSE(is_there(w)) << "write " << fatal;
    EXPECT_EQ(seen.size(), 3U) << "each hook ran once, write " << fatal;
    EXPECT_FALSE(w.has("a") || w.has("b")) << "write " << fatal;
    EXPECT_EQ(jobs(w), std::vector<std::string>{"kept"}) << "write " << fatal;
    if (at <= fatal) break;  // no write was left to fail
    ++writes_in_all;
  }
  EXPECT_GT(writes_in_all, 8);
}
INSTANTIATE_TEST_SUITE_P(DeletionHooks, KillInDeletion, testing::Bool(),
                         [](const auto& i) { return i.param ? "RestartedAtEachLook" : "RestartedOnFailure"; });

}  // namespace
}  // namespace slipway::gitops
