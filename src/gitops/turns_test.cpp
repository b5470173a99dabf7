#include "gitops/turns.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

struct TurnCase {
  std::string name, before, after, want;  // "event: message" each
};
class Turns : public testing::TestWithParam<TurnCase> {};
TEST_P(Turns, AreToldOnce) {
  auto app = must(doc::parse_yaml("metadata: {name: shop, namespace: argocd, uid: u, resourceVersion: '1'}"));
  app["status"] = must(doc::parse_yaml(GetParam().before));
  auto after = must(doc::parse_yaml(GetParam().after));
  std::string got;
  for (const auto& turn : turns_of(kube::Object(app), doc::View(after)))
    got += (got.empty() ? "" : ", ") + turn.event + ": " + turn.message;
  EXPECT_EQ(got, GetParam().want);
  app["status"] = after;
  EXPECT_TRUE(turns_of(kube::Object(app), doc::View(after)).empty()) << "nothing new";
}
INSTANTIATE_TEST_SUITE_P(
    Table, Turns,
    testing::ValuesIn(std::to_array<TurnCase>(
        {{"FailedSync", "{operationState: {phase: Running, startedAt: a}}",
          "{operationState: {phase: Failed, startedAt: a, message: no}}", "sync-failed: no"},
         {"RefusedRequest", "{}", "{operationState: {phase: Error, startedAt: a, message: bad}}", "sync-failed: bad"},
         {"FailedAgain", "{operationState: {phase: Failed, startedAt: a}}",
          "{operationState: {phase: Failed, startedAt: b, retryCount: 1, message: no}}", "sync-failed: no"},
         {"Succeeded", "{operationState: {phase: Running}}", "{operationState: {phase: Succeeded}}", ""},
         {"Degraded", "{health: {status: Healthy}}", "{health: {status: Degraded, message: crash}}", "degraded: crash"},
         {"Progressing", "{health: {status: Healthy}}", "{health: {status: Progressing}}", ""},
         {"Unknown", "{sync: {status: Synced}}",
          "{sync: {status: Unknown}, conditions: [{type: ComparisonError, message: gone}]}", "unknown: gone"},
         {"KustomizationFails", "{conditions: [{type: Ready, status: Unknown}]}",
          "{conditions: [{type: Ready, status: 'False', reason: BuildFailed, message: no}], operationState: {phase: "
          "Failed, startedAt: a, message: no}}",
          "sync-failed: no"},
         {"KustomizationIsSick", "{conditions: [{type: Ready, status: 'True'}]}",
          "{conditions: [{type: Ready, status: 'False', reason: HealthCheckFailed, message: slow}]}", "degraded: slow"},
         {"NeverKnown", "{}", "{sync: {status: Unknown}}", ""}})),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::gitops
