#include "gitops/health/rules.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/yaml.h"
#include "gitops/rules/terms.h"

namespace slipway::gitops::health {
namespace {

const char* object_text = R"(
kind: Thing
metadata: {name: t, generation: 3, annotations: {a/paused: "true"}, labels: {l: x}}
spec: {paused: true, replicas: 4, partition: 1}
status:
  observedGeneration: 3
  phase: Setting up
  ready: 3
  empty: []
  conditions:
    - {type: Ready, status: "False", reason: NoPods, message: no pods, observedGeneration: 2}
    - {type: x.io/Synced, status: true}
  parts: [{name: a, state: Ok}, {name: b, state: Bad}]
  byName: {one: {state: Ok}}
)";
doc::Value object() { return must(doc::parse_yaml(object_text)); }

struct Want {
  const char* terms;
  bool holds;
};
class HealthTerms : public testing::TestWithParam<Want> {};
TEST_P(HealthTerms, Table) {
  std::vector<std::string> problems;
  auto terms = rules::read_terms(GetParam().terms, ".status.conditions", problems);
  EXPECT_TRUE(problems.empty()) << problems.front();
  EXPECT_EQ(rules::hold(terms, object()), GetParam().holds) << GetParam().terms;
}
INSTANTIATE_TEST_SUITE_P(Health, HealthTerms,
                         testing::ValuesIn(std::to_array<Want>({
                             {"", true},
                             {"Ready", true},
                             {"Other", false},
                             {"!Other", true},
                             {"Ready=False", true},
                             {"Ready=True|Unknown", false},
                             {"Ready!=True", true},
                             {"Other!=True", false},
                             {"!Other=True", true},
                             {"Ready.reason=No*", true},
                             {"Ready.reason", true},
                             {"Ready.message=no pods", true},
                             {"x.io/Synced=True", true},
                             {"*Synced=True", true},
                             {"Ready=False & .spec.paused=True", true},
                             {"Ready=False & .spec.paused=False", false},
                             {".status.phase=Setting up|Other", true},
                             {".status.empty", false},
                             {".status.absent", false},
                             {".status.parts[].state=Bad", true},
                             {".status.parts[name=a].state=Bad", false},
                             {".status.parts[state!=Ok,name=b]", true},
                             {".status.byName[].state=Ok", true},
                             {".status.ready<.spec.replicas", true},
                             {".status.ready>=.spec.replicas - .spec.partition", true},
                             {".status.ready>=.spec.absent?9", false},
                             {".status.absent?5>4", true},
                             {"count .status.parts[]=2", false},
                             {"count .status.parts[]>=2", true},
                             {"count .status.parts[]<count .status.byName[]", false},
                             {".status.phase=.status.phase", true},
                             {".status.phase=.metadata.name", false},
                             {"@a/paused=true", true},
                             {"@other", false},
                             {"%l=x", true},
                             {"kind=Other|Thing", true},
                             {"stale", false},
                             {"unobserved", false},
                             {"stale(Ready)", true},
                             {"deleting", false},
                         })),
                         [](const auto& i) { return fmt::format("{}", i.index); });

TEST(HealthRules, MessagesTakeFieldsOfTheObject) {
  auto say = [](const char* text) { return render({text, ".status.conditions"}, object()); };
  EXPECT_EQ(say("{kind} {kind:lower} {name}: {Ready} ({Ready.reason})"), "Thing thing t: no pods (NoPods)");
  EXPECT_EQ(say("{.status.absent|{Other|none of {.spec.replicas}}}"), "none of 4");
  EXPECT_EQ(say("{all .status.parts[].name}, {count .status.parts[]}"), "a, b, 2");
  EXPECT_EQ(say("{each \"; \" .status.parts[state=Bad|Ok] :: {#} {.name}={.state}}\\n"), "1 a=Ok; 2 b=Bad\n");
}

TEST(HealthRules, TheWrittenOnesCanBeRead) { EXPECT_EQ(join(problems_of(written_rules()), "\n"), ""); }

TEST(HealthRules, WhatIsWrongIsNamedWithItsLine) {
  auto problems = problems_of(
      "# a comment\n[g/A g/B]\nFine Ready=True\nUse nothing\nHealthy .x= : {@nobody}\n[g/A]\nHealthy : "
      "{open\n[none]\n");
  EXPECT_EQ(join(problems, "\n"),
            "line 8: want [group/Kind ...], got [none]\n"
            "line 6: g/A has a block already\n"
            "line 3: Fine is no health\n"
            "line 4: there is no check nothing\n"
            "line 5: there are no words nobody\n"
            "line 5: cannot read .x=\n"
            "line 2: the last rule has to fit always\n"
            "line 7: a { without its }\n"
            "line 8: the last rule has to fit always");
}

}  // namespace
}  // namespace slipway::gitops::health
