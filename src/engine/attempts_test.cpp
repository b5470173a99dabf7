#include "engine/attempts.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::engine {
namespace {

kube::Object run(const std::string& spec, const std::string& status) {
  return kube::Object(must(doc::parse_yaml(fmt::format(
      "kind: WorkflowRun\nmetadata: {{name: r}}\nspec: {{change: {{author: bob}}, {}}}\nstatus: {}\n", spec, status))));
}

std::string keys(const Renewal& renewal) {
  std::string out;
  for (const auto& job : doc::View(*renewal.status.find("jobs")).items())
    out += (out.empty() ? "" : ", ") + job["key"].text();
  return out;
}

constexpr auto jobs = R"Y({phase: Failed, startedAt: a, jobs: [
  {key: build, phase: Succeeded},
  {key: "test (1)", phase: Failed, needs: [build]},
  {key: "test (2)", phase: Succeeded, needs: [build]},
  {key: lint, phase: Succeeded},
  {key: deploy, phase: Skipped, needs: [test]},
  {key: report, phase: Succeeded, needs: [test]},
  {key: call, phase: Failed, needs: [lint]},
  {key: call / a, phase: Succeeded},
  {key: call / b, phase: Failed, needs: [call / a]},
  {key: call / c, phase: Succeeded, needs: [call / b]},
  {key: later, phase: Succeeded, needs: [report]},
  {key: later / x, phase: Succeeded}]})Y";

TEST(Attempts, AreCounted) {
  EXPECT_EQ(attempt_of(run("", "{}")), 1);
  EXPECT_EQ(attempt_of(run("", "{attempt: 3}")), 3);
  EXPECT_FALSE(next_attempt(run("", jobs)));
  EXPECT_FALSE(next_attempt(run("rerun: {attempt: 1}", jobs))) << "that one was";
  EXPECT_FALSE(next_attempt(run("rerun: {attempt: 3}", jobs))) << "that one is not next";
}

TEST(Attempts, AllAnew) {
  auto r = next_attempt(run("rerun: {attempt: 2, by: ada}", jobs));
  ASSERT_TRUE(r);
  EXPECT_EQ(keys(*r), "");
  EXPECT_EQ(r->dropped.size(), 12U);
  doc::Value status(r->status);
  EXPECT_EQ(status.str_at({"phase"}), "Pending");
  EXPECT_EQ(doc::View(status)["attempt"].num_or(0), 2);
  EXPECT_EQ(doc::View(status)["attempts"][0]["phase"].text(), "Failed");
  EXPECT_EQ(doc::View(status)["attempts"][0]["jobs"].items().size(), 12U);
}

TEST(Attempts, FailedOnesAndWhatComesAfterThem) {
  auto r = next_attempt(run("rerun: {attempt: 2, failed: true}", jobs));
  ASSERT_TRUE(r);
  EXPECT_EQ(keys(*r), "build, test (2), lint, call / a");
}

TEST(Attempts, WhoStartedIt) {
  EXPECT_EQ(started_by(run("", "{}")), std::vector<std::string>{"bob"});
  EXPECT_EQ(started_by(run("rerun: {attempt: 2, by: ada}", "{attempt: 2}")), (std::vector<std::string>{"bob", "ada"}));
}

TEST(Attempts, AnEndIsAskedForOne) {
  EXPECT_EQ(asked_to_end(run("cancel: {attempt: 1, by: ada}", "{}")), "cancelled by ada");
  EXPECT_EQ(asked_to_end(run("cancel: {attempt: 1, by: ada}", "{attempt: 2}")), "");
}

TEST(Attempts, AManualJobThatWasLeftOut) {
  constexpr auto status = R"Y({phase: Succeeded, jobs: [
    {key: build, phase: Succeeded}, {key: free, phase: Manual}, {key: other, phase: Manual},
    {key: then, phase: Skipped, needs: [free]}, {key: last, phase: Succeeded, needs: [free]}]})Y";
  EXPECT_FALSE(reopened(run("", status)));
  EXPECT_FALSE(reopened(run("start: {build: {attempt: 1}}", status))) << "that is no manual one";
  auto r = reopened(run("start: {free: {attempt: 1, by: ada}}", status));
  ASSERT_TRUE(r);
  EXPECT_EQ(keys(*r), "build, other, last");
  EXPECT_FALSE(reopened(run("start: {free: {attempt: 1}}", "{attempt: 2, jobs: [{key: free, phase: Manual}]}")));
}

}  // namespace
}  // namespace slipway::engine
