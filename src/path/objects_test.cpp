#include "path/objects.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "path/crds.h"

namespace slipway::path {
namespace {

const std::string digest_text = "sha256:" + std::string(64, 'a');

Artifact an_artifact() {
  Artifact a{
      .service = "web", .image = "shop/web", .digest = must(Digest::parse(digest_text)), .tags = {"sha-1", "main"}};
  a.repository = "shop", a.commit = "c0ffee", a.run = "run-1", a.inputs = "abc", a.reused = true,
  a.bytes = 5'000'000'000;
  return a;
}

template <class T, class From>
void round_trip(const T& value, From from) {
  auto text = doc::print_json(to_doc(value));
  auto parsed = must(doc::parse_json(text));
  auto back = from(doc::View(parsed));
  ASSERT_TRUE(back) << back.error().print();
  EXPECT_TRUE(*back == value) << text;
}

TEST(Objects, RoundTripWholeAndEmpty) {
  round_trip(Change{}, change_from);
  round_trip(Change{Change::Event::manual,
                    "shop",
                    "refs/pull/7/head",
                    "b",
                    "a",
                    "t",
                    7,
                    "refs/heads/main",
                    "base",
                    "ann",
                    "Fix it",
                    {"a/b", "c"},
                    false},
             change_from);
  round_trip(Finding{}, finding_from);
  round_trip(Finding{"secret", "private-key", Severity::critical, {"a.pem", 3, 1}, "key", "p", "1", "2", "fp", true},
             finding_from);
  round_trip(Artifact{}, artifact_from);
  round_trip(an_artifact(), artifact_from);
  round_trip(Promotion{}, promotion_from);
  round_trip(Promotion{"web", "dev", an_artifact(), "conf", "overlays/dev", "run 1", "ann", Phase::succeeded, "c1",
                       "done", true},
             promotion_from);
  round_trip(Verdict{}, verdict_from);
  round_trip(Verdict{Verdict::Outcome::fail, "5xx", {"a", "b"}}, verdict_from);
  round_trip(Notice{}, notice_from);
  round_trip(Notice{"n1", "run.failed", Severity::error, "t", "x", "http://l", {{"service", "web"}}}, notice_from);
}

TEST(Objects, PromotionTakesItsOutcomeFromStatus) {
  auto object =
      must(doc::parse_yaml("spec: {service: web, environment: dev}\nstatus: {phase: Waiting, message: approval}\n"));
  auto p = must(promotion_from(doc::View(object)));
  EXPECT_EQ(p.service, "web");
  EXPECT_EQ(p.phase, Phase::waiting);
  EXPECT_EQ(p.message, "approval");
}

struct Wrong {
  std::string name, yaml, error;
};
class ObjectErrors : public testing::TestWithParam<Wrong> {};
TEST_P(ObjectErrors, NameTheField) {
  auto object = must(doc::parse_yaml(GetParam().yaml, {.source = "x.yaml"}));
  doc::View view(object, "x.yaml");
  Result<> got;
  if (object.find("change")) {
    auto r = change_from(view["change"]);
    if (!r) got = Fail(r.error());
  } else if (object.find("artifact")) {
    auto r = artifact_from(view["artifact"]);
    if (!r) got = Fail(r.error());
  } else {
    auto r = pipeline_from(view);
    if (!r) got = Fail(r.error());
  }
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().is(Kind::invalid));
  EXPECT_NE(got.error().what().find(GetParam().error), std::string::npos) << got.error().what();
}
INSTANTIATE_TEST_SUITE_P(
    Table, ObjectErrors,
    testing::Values(Wrong{"Event", "change: {event: explode}", "\"explode\" is not known, want push"},
                    Wrong{"Type", "change: {pullRequest: seven}", ".change.pullRequest"},
                    Wrong{"Digest", "artifact: {digest: 'sha256:zz'}", ".artifact.digest"},
                    Wrong{"NoName", "spec: {environments: [{path: x}]}", ".spec.environments[0].name"},
                    Wrong{"Unknown", "spec: {environments: [{name: a, after: b}]}", "there is no environment \"b\""},
                    Wrong{"Circle", "spec: {environments: [{name: a, after: b}, {name: b, after: a}]}", "circle"},
                    Wrong{"Twice", "spec: {environments: [{name: a}, {name: a}]}", "twice"},
                    Wrong{"Zone",
                          "spec: {environments: [{name: a, windows: [{kind: deny, schedule: '0 1 * * *', duration: 1h, "
                          "timeZone: Nowhere/There}]}]}",
                          "environments[0].windows[0].timeZone: time zone \"Nowhere/There\""}),
    [](const auto& i) { return i.param.name; });

TEST(Objects, PipelineOfTheExample) {
  auto text = read_file(fs::path(SLIPWAY_SOURCE_DIR) / "examples/shop-config/apps/pipeline.yaml");
  if (!text) GTEST_SKIP();
  auto object = must(doc::parse_yaml(*text));
  auto p = must(pipeline_from(doc::View(object)));
  EXPECT_EQ(p.name, "shop");
  EXPECT_FALSE(p.services.empty());
  EXPECT_FALSE(p.environments.empty());
}

TEST(Crds, AllParseAndHaveOneStoredVersion) {
  auto texts = builtin_crds();
  std::set<std::string> kinds, names;
  for (const auto& text : texts) {
    for (const auto& crd : must(doc::parse_yaml_all(text))) {
      doc::View v(crd);
      auto kind = v["spec"]["names"]["kind"].str_or("");
      EXPECT_EQ(v["metadata"]["name"].str_or(""),
                v["spec"]["names"]["plural"].str_or("") + "." + v["spec"]["group"].str_or(""));
      int stored = 0;
      for (const auto& version : v["spec"]["versions"].items()) stored += version["storage"].bool_or(false);
      EXPECT_EQ(stored, 1) << kind;
      kinds.insert(kind);
      EXPECT_TRUE(names.insert(v["metadata"]["name"].str_or("")).second) << kind;
    }
  }
  for (const char* kind : {"Change", "PullRequest", "WorkflowRun", "Artifact", "Pipeline", "Promotion", "Release",
                           "Notifier", "Application", "AppProject", "ApplicationSet", "Rollout", "AnalysisTemplate",
                           "ClusterAnalysisTemplate", "AnalysisRun", "Experiment", "Gateway", "HTTPRoute"})
    EXPECT_TRUE(kinds.contains(kind)) << kind;
}

}  // namespace
}  // namespace slipway::path
