// Hooks and waves of an operation, and what a kill in the middle leaves: against the embedded API.
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

const kube::Type job_type{"batch/v1", "Job"}, config{"v1", "ConfigMap"};

std::string job(std::string_view name, std::string_view hook, std::string_view policy = "",
                std::string_view key = "name") {
  auto annotations =
      fmt::format("argocd.argoproj.io/hook: '{}'{}", hook,
                  policy.empty() ? "" : fmt::format(", argocd.argoproj.io/hook-delete-policy: '{}'", policy));
  return fmt::format(
      "{{apiVersion: batch/v1, kind: Job, metadata: {{{}: {}, annotations: {{{}}}}}, spec: {{template: {{spec: "
      "{{restartPolicy: Never, containers: [{{name: c, image: a}}]}}}}}}}}\n",
      key, name, annotations);
}
std::string deployment(std::string_view name, int wave) {
  return fmt::format(
      "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {}, annotations: {{argocd.argoproj.io/sync-wave: "
      "'{}'}}}}, spec: {{replicas: 1, selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, "
      "spec: {{containers: [{{name: c, image: 'w:1'}}]}}}}}}}}",
      name, wave);
}
void end_job(World& w, const std::string& name, std::string_view condition = "Complete") {
  auto now = rfc3339(w.clock.wall());
  w.merge(job_type, {"shop", name},
          fmt::format("{{status: {{startTime: '{}', completionTime: {}, conditions: [{{type: {}, status: 'True', "
                      "message: done, lastTransitionTime: '{}'}}]}}}}",
                      now, condition == "Complete" ? "'" + now + "'" : "null", condition, now),
          "status");
}
void make_ready(World& w, const std::string& name) {
  w.merge({"apps/v1", "Deployment"}, {"shop", name},
          "{status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}}",
          "status");
}
std::string hook_result(const kube::Object& app, std::string_view name) {
  for (const auto& r : app["status"]["operationState"]["syncResult"]["resources"].items())
    if (r["name"].text() == name)
      return fmt::format("{} {} {}", r["hookType"].text(), r["hookPhase"].text(), r["syncPhase"].text());
  return "none";
}

TEST(Hooks, PhasesRunInOrder) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}, {"a.yaml", config_map("a")}, {"post.yaml", job("post", "PostSync")}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for completion of hook Job/pre");
  EXPECT_EQ(w.again, Millis(5000));
  EXPECT_EQ(hook_result(app, "pre"), "PreSync Running PreSync");
  EXPECT_FALSE(w.has("a"));
  end_job(w, "pre");
  app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for completion of hook Job/post");
  EXPECT_TRUE(w.has("a"));
  end_job(w, "post");
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ(hook_result(app, "post"), "PostSync Succeeded PostSync");
  EXPECT_TRUE(w.live(job_type, "pre")) << "BeforeHookCreation keeps it until the next operation";
  // Hooks are no part of what is compared.
  EXPECT_EQ(app["status"]["resources"].items().size(), 1U);
  EXPECT_EQ(app["status"]["sync"]["status"].text(), "Synced");
}

TEST(Hooks, OneOfTwoPhasesRunsTwice) {
  World w;
  w.commit({{"both.yaml", job("both", "PreSync,PostSync")}, {"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  auto first = w.live(job_type, "both")->uid();
  end_job(w, "both");
  auto app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for completion of hook Job/both");
  EXPECT_NE(w.live(job_type, "both")->uid(), first);
  end_job(w, "both");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

TEST(Hooks, TheOthersOfAWaveEndBeforeOneThatFailedEndsAll) {
  World w;
  w.commit({{"quick.yaml", job("quick", "PreSync")}, {"slow.yaml", job("slow", "PreSync", "HookSucceeded")}});
  w.application("syncPolicy: {}");
  w.request();
  w.look_once();
  end_job(w, "quick", "Failed");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app) + ": " + message_of(app), "Running: waiting for completion of hook Job/slow");
  end_job(w, "slow");
  app = w.look_once();
  EXPECT_EQ(phase_of(app) + ": " + message_of(app), "Failed: PreSync hook quick failed");
  EXPECT_EQ(hook_result(app, "slow"), "PreSync Succeeded PreSync");
  EXPECT_FALSE(w.live(job_type, "slow"));
}

TEST(Hooks, ToTerminateEndsThoseThatRun) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}});
  w.application("syncPolicy: {}");
  w.request();
  w.look_once();
  w.merge(application_type, w.key, "{status: {operationState: {phase: Terminating}}}");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(hook_result(app, "pre"), "PreSync Failed PreSync");
  EXPECT_FALSE(w.live(job_type, "pre"));
}

TEST(Hooks, ARequestStaysUntilItsOperationHasEnded) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}});
  w.application("syncPolicy: {}");
  w.request();
  auto app = w.look_once();
  EXPECT_TRUE(app["operation"]["sync"].exists()) << "clients read there that one runs";
  auto began = app["status"]["operationState"]["startedAt"].text();
  w.clock.advance(Millis(2000));
  w.request();  // once more, word by word: it runs already
  app = w.look_once();
  EXPECT_EQ(app["status"]["operationState"]["startedAt"].text(), began);
  w.request("{prune: true}");
  app = w.look_once();
  EXPECT_NE(app["status"]["operationState"]["startedAt"].text(), began) << "another is another";
  end_job(w, "pre");
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_FALSE(app["operation"].exists());
}

TEST(Hooks, AreSkippedWhereTheStrategyIsToApply) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}, {"a.yaml", config_map("a")}});
  w.application("syncPolicy: {}");
  w.request("{syncStrategy: {apply: {}}}");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_FALSE(w.live(job_type, "pre"));
}

// A Job that goes as soon as it is done is kept until somebody has seen how it came out.
TEST(Hooks, OneThatGoesByItselfIsHeld) {
  World w;
  auto text = replace_all(job("pre", "PreSync"), "spec: {template", "spec: {ttlSecondsAfterFinished: 0, template");
  w.commit({{"pre.yaml", text}, {"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  auto held = w.live(job_type, "pre");
  ASSERT_TRUE(held);
  EXPECT_EQ((*held)["metadata"]["finalizers"][0].text(), "argocd.argoproj.io/hook-finalizer");
  end_job(w, "pre");
  must(w.person->remove(w.ctx(), job_type, {"shop", "pre"}, {}));  // as its time is over
  ASSERT_TRUE(w.live(job_type, "pre")->deleting());
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
  EXPECT_FALSE(w.live(job_type, "pre"));
}

TEST(Hooks, TheNextOperationRunsThemAgain) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}, {"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  auto first = w.live(job_type, "pre")->uid();
  end_job(w, "pre");
  w.look_once();
  w.commit({{"a.yaml", config_map("a", "2")}});
  auto app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for completion of hook Job/pre");
  EXPECT_NE(w.live(job_type, "pre")->uid(), first);
  EXPECT_EQ((*w.live(config, "a"))["data"]["v"].text(), "1");
  // Healing runs none.
  end_job(w, "pre");
  w.look_once();
  auto second = w.live(job_type, "pre")->uid();
  w.merge(config, {"shop", "a"}, "{data: {v: '9'}}");
  w.look_once();
  EXPECT_EQ(w.live(job_type, "pre")->uid(), second);
  EXPECT_EQ((*w.live(config, "a"))["data"]["v"].text(), "2");
}

struct Deletes {
  const char* name;
  const char* policy;
  bool good;
  bool stays;
};
class Delete : public testing::TestWithParam<Deletes> {};
TEST_P(Delete, Policy) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync", GetParam().policy)}, {"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  end_job(w, "pre", GetParam().good ? "Complete" : "Failed");
  auto app = w.look_once();
  EXPECT_EQ(w.live(job_type, "pre").has_value(), GetParam().stays);
  EXPECT_EQ(phase_of(app), GetParam().good ? "Succeeded" : "Failed");
  EXPECT_EQ(w.has("a"), GetParam().good);
  EXPECT_EQ(message_of(app), GetParam().good ? "successfully synced (all tasks run)" : "PreSync hook pre failed");
}
INSTANTIATE_TEST_SUITE_P(Hooks, Delete,
                         testing::ValuesIn(std::to_array<Deletes>({
                             {"DefaultGood", "", true, true},
                             {"DefaultBad", "", false, true},
                             {"SucceededGood", "HookSucceeded", true, false},
                             {"SucceededBad", "HookSucceeded", false, true},
                             {"FailedGood", "HookFailed", true, true},
                             {"FailedBad", "HookFailed", false, false},
                             {"BothBad", "HookSucceeded,HookFailed", false, false},
                         })),
                         [](const auto& i) { return i.param.name; });

TEST(Hooks, SyncFailRunsToItsEndBeforeTheOperationHasFailed) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")},
            {"fail.yaml", job("alarm", "SyncFail", "HookSucceeded")},
            {"a.yaml", config_map("a")}});
  w.application("syncPolicy: {automated: {}, retry: {limit: 1, backoff: {duration: 30s}}}");
  w.look_once();
  EXPECT_FALSE(w.live(job_type, "alarm"));
  end_job(w, "pre", "Failed");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Running");
  EXPECT_TRUE(w.live(job_type, "alarm"));
  w.restart();
  end_job(w, "alarm");
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "PreSync hook pre failed");
  EXPECT_EQ(hook_result(app, "alarm"), "SyncFail Succeeded SyncFail");
  EXPECT_FALSE(w.live(job_type, "alarm"));
  EXPECT_EQ(w.again, Millis(30000));
  EXPECT_FALSE(w.has("a"));
}

TEST(Hooks, GeneratedNamesAreOneAnOperation) {
  World w;
  w.commit(
      {{"1.yaml", job("x-", "PreSync", "", "generateName")}, {"2.yaml", job("y-", "PreSync", "", "generateName")}});
  w.application();
  w.look_once();
  w.restart();
  w.look_once();
  auto jobs = must(w.person->list(w.ctx(), job_type, {.ns = "shop"}));
  ASSERT_EQ(jobs.items.size(), 2U) << "a restart finds them again";
  for (const auto& one : jobs.items) {
    EXPECT_NE(one.name().find("-presync-"), std::string::npos) << one.name();
    end_job(w, one.name());
  }
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

TEST(Hooks, OneThatVanishesIsAFailure) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}});
  w.application("syncPolicy: {automated: {}, retry: {limit: 0}}");
  w.look_once();
  must(w.person->remove(w.ctx(), job_type, {"shop", "pre"}, {}));
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app), "hook pre: PreSync hook pre was deleted before it completed");
}

TEST(Hooks, WaitForAFormerOneThatIsSlowToGo) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}, {"a.yaml", config_map("a")}});
  w.application();
  w.look_once();
  end_job(w, "pre");
  w.look_once();
  w.merge(job_type, {"shop", "pre"}, "{metadata: {finalizers: [x.io/slow]}}");
  w.commit({{"a.yaml", config_map("a", "2")}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Running");
  w.look_once();
  w.merge(job_type, {"shop", "pre"}, "{metadata: {finalizers: null}}");
  app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for completion of hook Job/pre");
  end_job(w, "pre");
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

TEST(Hooks, UnsupportedWordsAreConditions) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"j.yaml", job("bye", "PreDelte")}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(
      conditions_of(app),
      "HookWarning: Job shop/bye: hook PreDelte is unknown and never run, want PreSync, Sync, PostSync, SyncFail, "
      "PreDelete, PostDelete or Skip");
  EXPECT_EQ(phase_of(app), "Succeeded");
}

// --- waves -------------------------------------------------------------------------------------------------------

TEST(Waves, TheNextWaitsForHealthTheLastDoesNot) {
  World w;
  w.commit({{"1.yaml", deployment("first", 0)}, {"2.yaml", deployment("second", 1)}});
  w.application();
  auto app = w.look_once();
  EXPECT_EQ(message_of(app), "waiting for healthy state of Deployment/first");
  EXPECT_FALSE(w.live({"apps/v1", "Deployment"}, "second"));
  make_ready(w, "first");
  app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ(app["status"]["resources"][1]["syncWave"].num_or(0), 1);
  EXPECT_EQ(app["status"]["health"]["status"].text(), "Progressing");
  make_ready(w, "second");
  EXPECT_EQ(w.look_once()["status"]["health"]["status"].text(), "Healthy");
}

TEST(Waves, DegradedEndsTheOperation) {
  World w;
  w.commit({{"1.yaml", deployment("first", 0)}, {"2.yaml", deployment("second", 1)}});
  w.application();
  w.look_once();
  w.merge({"apps/v1", "Deployment"}, {"shop", "first"},
          "{status: {observedGeneration: 1, conditions: [{type: Progressing, status: 'False', reason: "
          "ProgressDeadlineExceeded}]}}",
          "status");
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Failed");
  EXPECT_EQ(message_of(app),
            "Deployment first is degraded in wave 0: Deployment \"first\" exceeded its progress deadline");
  EXPECT_FALSE(w.live({"apps/v1", "Deployment"}, "second"));
}

TEST(Waves, ANewCommitFreesAStuckOperation) {
  World w;
  w.commit({{"1.yaml", deployment("first", 0)}, {"2.yaml", deployment("second", 1)}});
  w.application();
  w.look_once();
  auto fixed = w.commit({{"1.yaml", std::nullopt}});
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Succeeded");
  EXPECT_EQ(app["status"]["operationState"]["syncResult"]["revision"].text(), fixed);
  EXPECT_FALSE(w.live({"apps/v1", "Deployment"}, "first"));
}

// --- faults ------------------------------------------------------------------------------------------------------

// Every write of a whole delivery fails once, as if the API went or we were killed there; another controller goes on.
class Kill : public testing::TestWithParam<bool> {};
TEST_P(Kill, AnywhereRepeatsNothingAndLosesNothing) {
  int writes_in_all = 0;
  for (int fatal = 0;; ++fatal) {
    World w;
    w.commit({{"old.yaml", config_map("old")}, {"b.yaml", config_map("b")}});
    w.application();
    w.look_once();
    w.commit({{"old.yaml", std::nullopt},
              {"pre.yaml", job("pre", "PreSync", "HookSucceeded")},
              {"a.yaml", config_map("a")},
              {"b.yaml", config_map("b", "2")},
              {"post.yaml", job("post-", "PostSync", "", "generateName")}});
    int at = 0;
    bool before = GetParam();
    w.client->before_write = [&](const std::string&) -> Result<> {
      return at++ == fatal ? Result<>(fail(Kind::unavailable, "gone")) : Result<>{};
    };
    std::set<std::string> jobs;
    kube::Object app;
    for (int i = 0; i < 12 && phase_of(app) != "Succeeded"; ++i) {
      if (!w.try_look() && !before) w.restart();
      if (before) w.restart();
      for (const auto& one : must(w.person->list(w.ctx(), job_type, {.ns = "shop"})).items) {
        jobs.insert(one.uid());
        if (one["status"]["conditions"].items().empty()) end_job(w, one.name());
      }
      auto now = must(w.person->get(w.ctx(), application_type, w.key));
      // What the first commit left as Succeeded is not meant.
      if ((*now)["status"]["history"].items().size() > 1) app = *now;
    }
    ASSERT_EQ(phase_of(app), "Succeeded") << "write " << fatal;
    EXPECT_EQ(jobs.size(), 2U) << "each hook ran once, write " << fatal;
    EXPECT_TRUE(w.has("a") && w.has("b") && !w.has("old")) << "write " << fatal;
    EXPECT_EQ(app["status"]["operationState"]["retryCount"].num_or(0), 0) << "no try was burnt, write " << fatal;
    if (at <= fatal) break;  // no write was left to fail
    ++writes_in_all;
  }
  EXPECT_GT(writes_in_all, 8);
}
INSTANTIATE_TEST_SUITE_P(Faults, Kill, testing::Bool(),
                         [](const auto& i) { return i.param ? "RestartedAtEachLook" : "RestartedOnFailure"; });

TEST(Faults, ApiGoneHalfWayIsWaitedForInSight) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  bool gone = true;
  w.client->before_write = [&](const std::string& what) -> Result<> {
    return gone && what == "apply ConfigMap shop/b" ? Result<>(fail(Kind::unavailable, "connection refused"))
                                                    : Result<>{};
  };
  auto app = w.look_once();
  EXPECT_EQ(phase_of(app), "Running");
  EXPECT_EQ(message_of(app), "connection refused");
  EXPECT_EQ(w.again, Millis(1000));
  EXPECT_TRUE(w.has("a"));
  gone = false;
  EXPECT_EQ(phase_of(w.look_once()), "Succeeded");
}

TEST(Faults, ReadsThatFailChangeNothing) {
  World w;
  w.commit({{"a.yaml", config_map("a")}, {"b.yaml", config_map("b")}});
  w.application();
  w.look_once();
  w.commit({{"a.yaml", std::nullopt}, {"c.yaml", config_map("c")}});
  for (auto fatal : {"get ConfigMap shop/b", "get ConfigMap shop/a", "apply ConfigMap shop/c"}) {
    w.client->writes.clear();
    w.client->before = [&](const std::string& what) -> Result<> {
      return what == fatal ? Result<>(fail(Kind::timeout, "slow")) : Result<>{};
    };
    (void)w.try_look();
    EXPECT_TRUE(w.has("a")) << fatal;
    for (const auto& write : w.client->writes) EXPECT_TRUE(write.starts_with("patch Application")) << write;
  }
  w.client->before = nullptr;
  w.look_once();
  EXPECT_FALSE(w.has("a"));
}

TEST(Faults, TwoControllersByAccidentStartOneOperation) {
  World w;
  w.commit({{"pre.yaml", job("pre", "PreSync")}, {"a.yaml", config_map("a")}});
  w.application();
  // Both have read the Application when the first starts: the second must step back.
  auto read = *must(w.client->get(w.ctx(), application_type, w.key));
  SyncContext context{*w.client, *w.renderer, *w.comparer, *w.pacer, {}};
  must(look(w.ctx(), context, read));
  auto uid = w.live(job_type, "pre")->uid();
  Renderer renderer(w.repositories);
  Comparer comparer;
  HealPacer pacer(w.clock);
  SyncContext other{*w.client, renderer, comparer, pacer, {}};
  auto second = look(w.ctx(), other, read);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(Kind::conflict));
  EXPECT_EQ(w.live(job_type, "pre")->uid(), uid);
  // From then on they do the same.
  end_job(w, "pre");
  auto app = w.look_once();
  w.client->writes.clear();
  must(look(w.ctx(), other, app));
  EXPECT_TRUE(w.client->writes.empty());
  EXPECT_EQ(phase_of(app), "Succeeded");
}

}  // namespace
}  // namespace slipway::gitops
