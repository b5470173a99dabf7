#include "kube/apply.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "kube/quantity.h"
#include "kube/schema.h"
#include "kube/validate.h"

namespace slipway::kube {
namespace {

doc::Value yaml(std::string_view text) { return must(doc::parse_yaml(text)); }

struct Step {
  std::string manager, config;
  bool force = false;
};
struct Case {
  std::string name;
  std::vector<Step> steps;  // "+" before the manager: an update instead of an apply
  std::string object, conflicts;
};
class Apply : public testing::TestWithParam<Case> {};

// Deployments' and pods' schema: the fields below are theirs.
TEST_P(Apply, EndsIn) {
  const auto* schema = builtin_schema({"v1", "Pod"});
  doc::Value live;
  std::string conflicts;
  int time = 0;
  for (const auto& step : GetParam().steps) {
    auto config = yaml(step.config);
    config["apiVersion"] = "v1", config["kind"] = "Pod";
    auto now = fmt::format("T{}", ++time);
    if (step.manager[0] == '+') {
      if (!live.is_null()) config = doc::merge_patch(live, config);
      track_update(config, {.before = live.is_null() ? nullptr : &live,
                            .manager = step.manager.substr(1),
                            .now = now,
                            .schema = schema});
      live = config;
      continue;
    }
    bool nothing = !live.is_null() && changes_nothing(config, live, step.manager);
    auto out = must(
        server_side_apply({live.is_null() ? nullptr : &live, &config, step.manager, "", now, schema, step.force, {}}));
    if (nothing) {
      EXPECT_EQ(doc::print_json(out.object), doc::print_json(live)) << "said to change nothing";
    }
    for (const auto& c : out.conflicts)
      conflicts += fmt::format("{}{}: {}", conflicts.empty() ? "" : "; ", c.message, c.field);
    if (out.conflicts.empty()) live = out.object;
  }
  EXPECT_EQ(conflicts, GetParam().conflicts);
  for (std::string_view key : {"apiVersion", "kind"}) live.map().erase(key);
  if (auto* m = live.map().find("metadata")) {
    m->map().erase("managedFields");
    if (m->map().empty()) live.map().erase("metadata");
  }
  EXPECT_EQ(doc::print_json(live), doc::print_json(yaml(GetParam().object)));
}
INSTANTIATE_TEST_SUITE_P(
    Table, Apply,
    testing::Values(
        Case{"Creates", {{"a", "{spec: {nodeName: n}}"}}, "{spec: {nodeName: n}}", ""},
        Case{"RemovesWhatItNoLongerSays",
             {{"a", "{metadata: {labels: {x: '1', y: '2'}}}"}, {"a", "{metadata: {labels: {y: '2'}}}"}},
             "{metadata: {labels: {y: '2'}}}",
             ""},
        Case{"LastLabelTakesTheMapAlong",
             {{"a", "{metadata: {labels: {x: '1'}}, spec: {nodeName: n}}"}, {"a", "{spec: {nodeName: n}}"}},
             "{spec: {nodeName: n}}",
             ""},
        Case{"KeepsWhatOthersOwnToo",
             {{"a", "{metadata: {labels: {x: '1'}}}"},
              {"b", "{metadata: {labels: {x: '1'}}}"},
              {"a", "{metadata: {labels: {}}}"}},
             "{metadata: {labels: {x: '1'}}}",
             ""},
        Case{"ConflictsOnOthersValue",
             {{"a", "{spec: {nodeName: n}}"}, {"b", "{spec: {nodeName: m}}"}},
             "{spec: {nodeName: n}}",
             "conflict with \"a\": .spec.nodeName"},
        Case{"ForceTakesOver",
             {{"a", "{spec: {nodeName: n}}"}, {"b", "{spec: {nodeName: m}}", true}, {"a", "{spec: {}}"}},
             "{spec: {nodeName: m}}",
             ""},
        Case{"ConflictsWithUpdates",
             {{"+u", "{spec: {nodeName: n}}"}, {"b", "{spec: {nodeName: m}}"}},
             "{spec: {nodeName: n}}",
             "conflict with \"u\" using v1: .spec.nodeName"},
        Case{"UpdateTakesOwnership",
             {{"a", "{spec: {nodeName: n}}"}, {"+u", "{spec: {nodeName: m}}"}, {"a", "{spec: {}}"}},
             "{spec: {nodeName: m}}",
             ""},
        Case{"ListsMergeByKey",
             {{"a", "{spec: {containers: [{name: x, image: i}]}}"},
              {"b", "{spec: {containers: [{name: y, image: j}]}}"}},
             "{spec: {containers: [{name: x, image: i}, {name: y, image: j}]}}",
             ""},
        Case{"ListItemGoesWithItsOwner",
             {{"a", "{spec: {containers: [{name: x, image: i}, {name: z, image: k}]}}"},
              {"b", "{spec: {containers: [{name: y, image: j}]}}"},
              {"a", "{spec: {containers: [{name: x, image: i}]}}"}},
             "{spec: {containers: [{name: x, image: i}, {name: y, image: j}]}}",
             ""},
        Case{"ListItemStaysForOthersField",
             {{"a", "{spec: {containers: [{name: x, image: i}]}}"},
              {"b", "{spec: {containers: [{name: x, tty: true}]}}"},
              {"a", "{spec: {}}"}},
             "{spec: {containers: [{name: x, tty: true}]}}",
             ""},
        Case{"KeysHaveDefaults",
             {{"a", "{spec: {containers: [{name: x, ports: [{containerPort: 80, protocol: TCP, name: h}]}]}}"},
              {"b", "{spec: {containers: [{name: x, ports: [{containerPort: 80, hostPort: 8}]}]}}"}},
             "{spec: {containers: [{name: x, ports: [{containerPort: 80, protocol: TCP, name: h, hostPort: 8}]}]}}",
             ""},
        Case{"AtomicListsGoWhole",
             {{"a", "{spec: {containers: [{name: x, command: [a]}]}}"},
              {"b", "{spec: {containers: [{name: x, command: [b]}]}}"}},
             "{spec: {containers: [{name: x, command: [a]}]}}",
             "conflict with \"a\": .spec.containers[name=\"x\"].command"},
        Case{"SetsAreUnited",
             {{"a", "{metadata: {finalizers: [x/a]}}"}, {"b", "{metadata: {finalizers: [x/b]}}"}},
             "{metadata: {finalizers: [x/a, x/b]}}",
             ""},
        Case{"UpdateRemovesOwnersOfWhatGoes",
             {{"a", "{metadata: {labels: {x: '1'}}}"},
              {"+u", "{metadata: {labels: {x: null}}}"},
              {"b", "{metadata: {labels: {x: '2'}}}"}},
             "{metadata: {labels: {x: '2'}}}",
             ""}),
    [](const auto& i) { return i.param.name; });

struct Unchanged {
  const char* name;
  const char* applied;  // by "a", twice; by "b" once, in between
  const char* between;  // "" for nobody
  const char* again;    // "" for the same
  bool nothing;
};
class ChangesNothing : public testing::TestWithParam<Unchanged> {};
TEST_P(ChangesNothing, IsToldFromTheObject) {
  const auto* schema = builtin_schema({"v1", "Pod"});
  auto config = [](std::string_view text) {
    auto value = yaml(text);
    value["apiVersion"] = "v1", value["kind"] = "Pod", value["metadata"]["name"] = "p";
    return value;
  };
  auto first = config(GetParam().applied);
  auto live = must(server_side_apply({nullptr, &first, "a", "", "T1", schema, true, {}})).object;
  if (std::string_view other = GetParam().between; !other.empty()) {
    auto changed = doc::merge_patch(live, yaml(other));
    track_update(changed, {.before = &live, .manager = "b", .subresource = "", .now = "T2", .schema = schema});
    live = changed;
  }
  auto again = std::string_view(GetParam().again).empty() ? first : config(GetParam().again);
  EXPECT_EQ(changes_nothing(again, live, "a"), GetParam().nothing) << doc::print_json(live);
  EXPECT_FALSE(changes_nothing(again, live, "nobody"));
  auto out = must(server_side_apply({&live, &again, "a", "", "T3", schema, true, {}})).object;
  if (GetParam().nothing) {
    EXPECT_EQ(doc::print_json(out), doc::print_json(live));
  }
}
constexpr const char* two_ports =
    "{spec: {containers: [{name: c, ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]}]}}";
INSTANTIATE_TEST_SUITE_P(
    Table, ChangesNothing,
    testing::ValuesIn(std::to_array<Unchanged>({
        {"TheSame", "{metadata: {labels: {x: '1'}}, spec: {nodeName: n}}", "", "", true},
        {"NothingIsOwned", "{}", "", "", false},
        {"ItemsByKey", "{spec: {containers: [{name: c, image: i}, {name: d, image: j}]}}", "", "", true},
        {"KeysThatTheServerFillsIn", "{spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}",
         "{spec: {containers: [{name: c, ports: [{containerPort: 80, protocol: TCP}]}]}}", "", true},
        {"KeysThatMayMeanTwo", two_ports, "", "", false},
        {"AtomicLists", "{spec: {containers: [{name: c, command: [a, b]}]}}", "", "", true},
        {"ListsOfValues", "{metadata: {finalizers: [x/a, x/b]}}", "", "", true},
        {"SomebodyAddsAField", "{metadata: {labels: {x: '1'}}}", "{metadata: {labels: {y: '2'}}}", "", true},
        {"SomebodyChangesAField", "{metadata: {labels: {x: '1'}}}", "{metadata: {labels: {x: '2'}}}", "", false},
        {"SomebodyRemovesAField", "{metadata: {labels: {x: '1', y: '2'}}}", "{metadata: {labels: {x: null}}}", "",
         false},
        {"OneFieldMore", "{metadata: {labels: {x: '1'}}}", "", "{metadata: {labels: {x: '1', y: '2'}}}", false},
        {"OneFieldLess", "{metadata: {labels: {x: '1', y: '2'}}}", "", "{metadata: {labels: {x: '1'}}}", false},
        {"NoFieldOfAPartLeft", "{metadata: {labels: {x: '1'}}, spec: {nodeName: n}}", "", "{spec: {nodeName: n}}",
         false},
        {"AnItemLess", "{spec: {containers: [{name: c}, {name: d}]}}", "", "{spec: {containers: [{name: d}]}}", false},
        {"AnItemMore", "{spec: {containers: [{name: c}]}}", "", "{spec: {containers: [{name: c}, {name: d}]}}", false},
        {"AnItemOfAnotherName", "{spec: {containers: [{name: c}]}}", "", "{spec: {containers: [{name: d}]}}", false},
        {"ItemsInAnotherOrder", "{spec: {containers: [{name: c}, {name: d}]}}", "",
         "{spec: {containers: [{name: d}, {name: c}]}}", false},
        {"AnAtomicListLonger", "{spec: {containers: [{name: c, command: [a]}]}}", "",
         "{spec: {containers: [{name: c, command: [a, b]}]}}", false},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Apply, WhatTheServerFilledInGoesWithItsField) {
  const auto* schema = builtin_schema({"v1", "Pod"});
  auto first = yaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, readinessProbe: {exec: {command: "
      "[a]}}, resources: {limits: {cpu: '1'}}}]}}");
  auto live = must(server_side_apply({nullptr, &first, "a", "", "T1", schema, true, {}})).object;
  live["metadata"]["uid"] = "u";
  live["spec"]["containers"].list()[0]["readinessProbe"]["periodSeconds"] = 10;
  live["spec"]["dnsPolicy"] = "ClusterFirst";
  auto again = yaml("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c}]}}");
  auto out = must(server_side_apply({&live, &again, "a", "", "T2", schema, true, {}})).object;
  EXPECT_EQ(doc::print_json(*out.find_path({"spec"})), R"({"containers":[{"name":"c"}],"dnsPolicy":"ClusterFirst"})");
  EXPECT_EQ(out.str_at({"metadata", "uid"}), "u");
  // A field of another manager's below it keeps it, and what nobody owns there as well.
  auto other = yaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, readinessProbe: {timeoutSeconds: "
      "2}}]}}");
  auto shared = must(server_side_apply({&live, &other, "b", "", "T2", schema, true, {}})).object;
  out = must(server_side_apply({&shared, &again, "a", "", "T3", schema, true, {}})).object;
  EXPECT_NE(doc::print_json(out).find("\"timeoutSeconds\":2"), std::string::npos) << doc::print_json(out);
}

TEST(Apply, RefusesItemsWithoutTheirKey) {
  auto config = yaml("{spec: {containers: [{image: i}]}}");
  auto r = server_side_apply({nullptr, &config, "a", "", "T", builtin_schema({"v1", "Pod"}), false, {}});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().what().find("omits its key field \"name\""), std::string::npos);
}

TEST(Apply, RefusesItemsThatAreThereTwice) {
  auto config = yaml("{metadata: {finalizers: [x/a, x/a]}}"), live = yaml("{metadata: {finalizers: [x/a, x/a]}}");
  for (const auto* before : {static_cast<const doc::Value*>(nullptr), static_cast<const doc::Value*>(&live)}) {
    auto r = server_side_apply({before, &config, "a", "", "T", builtin_schema({"v1", "Pod"}), false, {}});
    ASSERT_FALSE(r);
    EXPECT_NE(r.error().what().find("duplicate entries for key \"x/a\""), std::string::npos);
  }
}

TEST(Apply, ManyUpdatersBecomeAncient) {
  doc::Value live;
  for (int i = 0; i < 15; ++i) {
    doc::Value next = live.is_null() ? yaml("{apiVersion: v1, kind: Pod, metadata: {name: p}}") : live;
    next["metadata"]["labels"][fmt::format("l{}", i)] = "x";
    track_update(next, {.before = live.is_null() ? nullptr : &live,
                        .manager = fmt::format("m{:02}", i),
                        .now = fmt::format("T{:02}", i),
                        .schema = builtin_schema({"v1", "Pod"})});
    live = next;
  }
  const auto* list = live.find_path({"metadata", "managedFields"});
  ASSERT_EQ(list->if_list()->size(), 10u);
  EXPECT_EQ((*list->if_list())[0].str_at({"manager"}), "ancient-changes");
}

TEST(FieldSet, ReadsAndWritesFieldsV1) {
  auto fields = yaml(
      R"({'f:metadata': {'f:labels': {'.': {}, 'f:a': {}}}, 'f:spec': {'f:containers': {'k:{"name":"x"}': {'.': {}, 'f:image': {}}}}})");
  auto set = FieldSet::from(fields);
  EXPECT_EQ(set.to_doc(), fields);
  EXPECT_EQ(set.paths(),
            (std::vector<std::string>{".metadata.labels", ".metadata.labels.a", ".spec.containers[name=\"x\"]",
                                      ".spec.containers[name=\"x\"].image"}));
  EXPECT_TRUE(set.minus(set).empty());
  EXPECT_EQ(set.common(set), set);
}

TEST(FieldSet, NamesAPartOfAnObject) {
  auto object = yaml(
      "{metadata: {labels: {a: x, b: y}, finalizers: [one, two]}, spec: {containers: [{name: c, image: i, ports: [1]}, "
      "{name: d, image: j}], replicas: 3}}");
  struct Part {
    const char *fields, *part;
  };
  for (
      auto [fields, part] : std::vector<Part>{
          {"{'f:spec': {'f:replicas': {}}}", "{spec: {replicas: 3}}"},
          {"{'f:spec': {'f:gone': {}}}", "{spec: {}}"},
          {"{'f:metadata': {'f:labels': {}}}", "{metadata: {labels: {a: x, b: y}}}"},
          {"{'f:metadata': {'f:labels': {'.': {}, 'f:b': {}}}}", "{metadata: {labels: {b: y}}}"},
          {"{'f:metadata': {'f:finalizers': {'v:\"two\"': {}, 'v:\"three\"': {}}}}", "{metadata: {finalizers: [two]}}"},
          {R"({'f:spec': {'f:containers': {'k:{"name":"c"}': {'.': {}, 'f:name': {}, 'f:ports': {}}, 'k:{"name":"z"}': {}}}})",
           "{spec: {containers: [{name: c, ports: [1]}]}}"},
          {"{'f:spec': {'f:replicas': {'f:below': {}}}}", "{spec: {replicas: 3}}"},
      })
    EXPECT_EQ(part_of(object, FieldSet::from(yaml(fields))), yaml(part)) << fields;
}

TEST(Quantity, IsCanonical) {
  for (auto [text, want] : std::initializer_list<std::pair<const char*, const char*>>{{"0.5", "500m"},
                                                                                      {"1000m", "1"},
                                                                                      {"1024Mi", "1Gi"},
                                                                                      {"1536Mi", "1536Mi"},
                                                                                      {"2000", "2k"},
                                                                                      {"1e3", "1e3"},
                                                                                      {"0", "0"},
                                                                                      {"-1.5", "-1500m"},
                                                                                      {"0.5Gi", "512Mi"},
                                                                                      {"1Ki", "1Ki"},
                                                                                      {"100Mi", "100Mi"},
                                                                                      {"1.5G", "1500M"},
                                                                                      {"0.0000000001", "1n"}})
    EXPECT_EQ(must(Quantity::parse(text)).print(), want) << text;
  for (const char* text : {"", "x", "1x", "1 Gi", "1e", "--1", ".", "1Zi", "99999999999999999999999999999"})
    EXPECT_FALSE(Quantity::parse(text)) << text;
  EXPECT_EQ(must(Quantity::parse("1.5")).millis(), 1500);
  EXPECT_EQ(must(Quantity::parse("1Mi")).value(), 1 << 20);
}

TEST(Check, NamesWhatIsWrong) {
  auto pod = yaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {a: 1}, creationTimestamp: null}, spec: {containers: "
      "[{name: c, image: i, imagePullPolice: x, resources: {limits: {cpu: 1, memory: lots}}, ports: [{containerPort: "
      "80.5}]}], foo: 1}}");
  auto checked = check(pod, *builtin_schema({"v1", "Pod"}));
  EXPECT_EQ(checked.unknown, (std::vector<std::string>{"spec.containers[0].imagePullPolice", "spec.foo"}));
  std::string text;
  for (const auto& p : checked.problems) text += p.field + ": " + p.message + "\n";
  EXPECT_EQ(text,
            "metadata.labels.a: want a string, got an integer\nspec.containers[0].resources.limits.memory: \"lots\" is "
            "no quantity, want digits and a suffix such as m, Mi or e3\n"
            "spec.containers[0].ports[0].containerPort: want an integer of 32 bits, got a number\n");
  EXPECT_EQ(pod.find_path({"metadata", "creationTimestamp"}), nullptr);
  EXPECT_EQ(pod.find_path({"spec", "foo"}), nullptr);
}

}  // namespace
}  // namespace slipway::kube
