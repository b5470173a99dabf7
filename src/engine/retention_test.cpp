#include "engine/retention.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "engine/recorder.h"

namespace slipway::engine {
namespace {

const WallTime now = must(parse_rfc3339("2026-03-01T00:00:00Z"));

// Made `days` before now.
kube::Object made(std::string_view kind_name, const std::string& name, int days, doc::Map spec, doc::Map status,
                  kube::StringMap labels = {}) {
  auto object = kube::make_object(kind(kind_name), {home, name}, std::move(labels));
  object["metadata"]["creationTimestamp"] = rfc3339(now - std::chrono::hours(24 * days));
  object["spec"] = std::move(spec);
  object["status"] = std::move(status);
  return kube::Object(std::move(object));
}
kube::Object change(const std::string& name, int days, const std::string& commit = "c") {
  return made("Change", name, days, {{"repository", "shop"}, {"after", commit + name}}, {{"phase", "Started"}});
}
kube::Object run(const std::string& name, const std::string& of, int days, const std::string& phase = "Succeeded",
                 const std::string& request = "") {
  kube::StringMap labels{{"slipway.dev/change", of}};
  if (!request.empty()) labels["slipway.dev/pull-request"] = request;
  return made("WorkflowRun", name, days, {}, {{"phase", phase}}, labels);
}
kube::Object artifact(const std::string& name, int days, const std::string& by = "") {
  return made("Artifact", name, days, {{"service", "api"}, {"digest", "sha256:" + name}, {"run", by}},
              {{"phase", "Succeeded"}});
}
kube::Object release(const std::string& name, const std::string& digest, int days, bool current,
                     const std::string& phase = "Succeeded") {
  return made("Release", name, days, {{"service", "api"}, {"environment", "dev"}, {"digest", "sha256:" + digest}},
              {{"phase", phase}, {"current", current}});
}
kube::Object promotion(const std::string& name, const std::string& digest, int days,
                       const std::string& phase = "Succeeded") {
  return made("Promotion", name, days,
              {{"service", "api"}, {"artifact", doc::Map{{"service", "api"}, {"digest", "sha256:" + digest}}}},
              {{"phase", phase}});
}
std::string names(const Past& past, const Retention& rules) {
  std::string text;
  for (const auto& [kind_name, name] : overdue(past, rules, now))
    text += (text.empty() ? "" : " ") + kind_name + "/" + name;
  return text;
}
const Retention one{.changes = 1, .artifacts = 1, .notices = 1};

TEST(Retention, TheNewestStay) {
  Past past;
  past.changes = {change("old", 9), change("mid", 5), change("new", 2)};
  past.runs = {run("r-old", "old", 9), run("r-mid", "mid", 5), run("r-new", "new", 2)};
  past.notices = {made("Notice", "n1", 9, {}, {{"phase", "Delivered"}}),
                  made("Notice", "n2", 8, {}, {{"phase", "Delivered"}}),
                  made("Notice", "n3", 9, {}, {{"phase", "Retrying"}})};
  EXPECT_EQ(names(past, one), "WorkflowRun/r-old WorkflowRun/r-mid Change/old Change/mid Notice/n1");
  EXPECT_EQ(names(past, {}), "");
}

TEST(Retention, NothingYoungGoes) {
  Past past;
  past.changes = {change("a", 0), change("b", 0)};
  past.artifacts = {artifact("x", 0), artifact("y", 0)};
  EXPECT_EQ(names(past, one), "");
}

TEST(Retention, WhatRunsAndWhatMadeItStays) {
  Past past;
  past.changes = {change("first", 90), change("second", 60), change("third", 2)};
  past.runs = {run("r1", "first", 90), run("r2", "second", 60), run("r3", "third", 2)};
  past.artifacts = {artifact("a1", 90, "r1"), artifact("a2", 60, "r2"), artifact("a3", 2, "r3")};
  past.releases = {release("rel1", "a1", 90, true), release("rel2", "a2", 60, false)};
  past.promotions = {promotion("p1", "a1", 90), promotion("p2", "a2", 60)};
  EXPECT_EQ(names(past, one), "Artifact/a2 Promotion/p2 Release/rel2 WorkflowRun/r2 Change/second");
}

TEST(Retention, WhatIsUnderWayStays) {
  Past past;
  past.changes = {change("old", 9), change("asked", 8), change("new", 2)};
  past.runs = {run("r-old", "old", 9, "Running"), run("r-asked", "asked", 8, "Failed", "shop-1"),
               run("r-new", "new", 2)};
  past.requests = {made("PullRequest", "shop-1", 8, {}, {})};
  past.artifacts = {artifact("a1", 9), artifact("a2", 8), artifact("a3", 7), artifact("a4", 1)};
  past.promotions = {promotion("waits", "a1", 9, "Waiting")};
  past.releases = {release("rolls", "a2", 8, false, "Running")};
  EXPECT_EQ(names(past, one), "Artifact/a3");
  past.requests = {made("PullRequest", "shop-1", 8, {}, {{"state", "merged"}})};
  EXPECT_EQ(names(past, one), "Artifact/a3 WorkflowRun/r-asked Change/asked");
}

// A tip whose Change is gone would be taken for a push that nobody has looked at.
TEST(Retention, TipsKeepTheirChange) {
  Past past;
  past.changes = {change("stale", 300, "tip-"), change("new", 2)};
  past.runs = {run("r-stale", "stale", 300)};
  past.tips = {"tip-stale"};
  EXPECT_EQ(names(past, one), "WorkflowRun/r-stale");
}

}  // namespace
}  // namespace slipway::engine
