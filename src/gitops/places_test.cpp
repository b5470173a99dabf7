// Places in documents and what is taken from the live object at them.
#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "gitops/detail/places.h"
#include "gitops/ignore.h"

namespace slipway::gitops {
namespace {

doc::Value yaml(std::string_view text) { return must(doc::parse_yaml(text)); }

std::string show(const std::vector<detail::Place>& places) {
  std::string text;
  for (const auto& place : places) {
    if (!text.empty()) text += ' ';
    for (const auto& step : place)
      text += std::holds_alternative<std::string>(step) ? "/" + std::get<std::string>(step)
                                                        : fmt::format("/{}", std::get<std::size_t>(step));
  }
  return text;
}

struct Resolved {
  const char* name;
  const char* paths;  // JSON, or a pointer
  const char* want;
};
class Places : public testing::TestWithParam<Resolved> {};
TEST_P(Places, Table) {
  auto document = yaml("{a: {b: [10, 20, {c: 1}], 'x/y~z': 1, '0': 2}, l: [[1, 2], [3, 4, 5]]}");
  std::string_view text = GetParam().paths;
  auto places = text.starts_with('[') ? detail::places_of_paths(document, must(doc::parse_json(text)))
                                      : detail::places_of_pointer(document, text);
  EXPECT_EQ(places ? show(*places) : places.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Ignore, Places,
                         testing::ValuesIn(std::to_array<Resolved>({
                             {"Pointer", "/a/b/2/c", "/a/b/2/c"},
                             {"PointerEscapes", "/a/x~1y~0z", "/a/x/y~z"},
                             {"PointerNumberIsAKey", "/a/0", "/a/0"},
                             {"PointerBeyond", "/a/b/3", ""},
                             {"PointerToTheEnd", "/a/b/-", ""},
                             {"PointerNone", "a/b", "want a JSON pointer, such as /spec/replicas"},
                             {"Key", R"([["a","b"]])", "/a/b"},
                             {"Absent", R"([["a","q","r"],["a",0],["a","b","x"]])", ""},
                             {"FromTheEnd", R"([["a","b",-1,"c"],["a","b",-4]])", "/a/b/2/c"},
                             {"Slice", R"([["a","b",{"start":1,"end":null}]])", "/a/b/1 /a/b/2"},
                             {"SliceFromTheEnd", R"([["a","b",{"start":-2,"end":-1}]])", "/a/b/1"},
                             {"SliceEmpty", R"([["a","b",{"start":2,"end":1}]])", ""},
                             {"SliceOfASlice", R"([["l",1,{"start":1,"end":3},{"start":1,"end":9}]])", "/l/1/2"},
                             {"IndexOfASlice", R"([["l",1,{"start":1,"end":3},-1]])", "/l/1/2"},
                             {"Twice", R"([["a","b",1],["a","b",1.5]])", "/a/b/1"},
                             {"BelowAnother", R"([["a","b",1],["a"],["a","b"],["l"]])", "/a /l"},
                             {"Whole", "[[]]", ""},
                             {"NoPath", R"([["a",true]])", "true is no path"},
                             {"NoPaths", R"(["a"])", "\"a\" is no path"},
                         })),
                         [](const auto& i) { return i.param.name; });

struct Taken {
  const char* name;
  const char* rule;
  const char* desired;
  const char* live;
  const char* want;
  OnlyLive only_live = OnlyLive::stays;
  const char* owned = "";  // fieldsV1
};
class TakesLive : public testing::TestWithParam<Taken> {};
TEST_P(TakesLive, Table) {
  auto rule = must(ignore_from(doc::View(yaml(GetParam().rule)), "rule"));
  rule.kind = "*", rule.group = "*";
  auto live = yaml(GetParam().live);
  live["apiVersion"] = "v1", live["kind"] = "Thing", live["metadata"]["name"] = "t";
  if (*GetParam().owned != 0)
    live["metadata"]["managedFields"] = doc::List{doc::Map{{"manager", "m"}, {"fieldsV1", yaml(GetParam().owned)}}};
  std::set<std::string> warnings;
  auto taken =
      take_live(Ctx(), {rule}, yaml(GetParam().desired), kube::Object(std::move(live)), GetParam().only_live, warnings);
  if (taken) {
    for (auto key : {"apiVersion", "kind", "metadata"}) taken->map().erase(key);
    EXPECT_EQ(*taken, yaml(GetParam().want)) << doc::print_json(*taken);
    EXPECT_TRUE(warnings.empty()) << *warnings.begin();
  } else {
    EXPECT_EQ(taken.error().what(), GetParam().want);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Ignore, TakesLive,
    testing::ValuesIn(std::to_array<Taken>({
        {"BothHaveIt", "{jqPathExpressions: [.s.a]}", "{s: {a: 1, b: 1}}", "{s: {a: 2, b: 2}}", "{s: {a: 2, b: 1}}"},
        {"OnlyGitHasIt", "{jqPathExpressions: [.s.a]}", "{s: {a: 1, b: 1}}", "{s: {b: 2}}", "{s: {b: 1}}"},
        {"OnlyTheClusterHasIt", "{jqPathExpressions: [.s.a]}", "{s: {b: 1}}", "{s: {a: 2, b: 2}}", "{s: {b: 1}}"},
        {"OnlyTheClusterHasItInOnePiece", "{jqPathExpressions: [.s.a], jsonPointers: [/s/c]}", "{s: {b: 1}}",
         "{s: {a: 2, b: 2, c: 3}}", "{s: {a: 2, b: 1, c: 3}}", OnlyLive::stays, "{'f:s': {}}"},
        {"OnlyTheClusterHasItAndIsToKeepIt", "{jqPathExpressions: [.s.a]}", "{s: {b: 1}}", "{s: {a: 2, b: 2}}",
         "{s: {a: 2, b: 1}}", OnlyLive::put_in},
        {"NoParentToPutItInto", "{jqPathExpressions: [.s.a.b]}", "{s: {b: 1}}", "{s: {a: {b: 2}}}", "{s: {b: 1}}",
         OnlyLive::put_in},
        {"ItemsByTheirNames", "{jqPathExpressions: ['.l[] | select(.name == \"w\") | .v']}",
         "{l: [{name: w, v: 1}, {name: x, v: 1}]}", "{l: [{name: i, v: 5}, {name: x, v: 2}, {name: w, v: 2}]}",
         "{l: [{name: w, v: 2}, {name: x, v: 1}]}"},
        {"ItemsByTheirPorts", "{jqPathExpressions: ['.l[].v']}", "{l: [{containerPort: 80, v: 1}]}",
         "{l: [{containerPort: 443, v: 3}, {containerPort: 80, v: 2}]}", "{l: [{containerPort: 80, v: 2}]}"},
        {"PointersFindTheirItemToo", "{jsonPointers: [/l/0/v]}", "{l: [{name: w, v: 1}]}",
         "{l: [{name: i, v: 5}, {name: w, v: 2}]}", "{l: [{name: w, v: 2}]}"},
        {"WholeItems", "{jqPathExpressions: ['.l[] | select(.name | startswith(\"x\"))']}",
         "{l: [{name: x1, v: 1}, {name: w}, {name: x2}]}", "{l: [{name: w}, {name: x1, v: 2}]}",
         "{l: [{name: x1, v: 2}, {name: w}]}"},
        {"InjectedItemsAreOthers", "{jqPathExpressions: ['.l[] | select(.name == \"i\")']}", "{l: [{name: w}]}",
         "{l: [{name: i}, {name: w}]}", "{l: [{name: w}]}", OnlyLive::stays,
         "{'f:l': {'k:{\"name\":\"i\"}': {.: {}, 'f:name': {}}}}"},
        {"InjectedItemsOfAListInOnePiece", "{jqPathExpressions: ['.s.l[] | select(. == \"i\")']}", "{s: {l: [a, b]}}",
         "{s: {l: [a, i, b]}}", "{s: {l: [a, i, b]}}", OnlyLive::stays, "{'f:s': {'f:l': {}}}"},
        {"ValuesOfLists", "{jqPathExpressions: ['.l[] | select(startswith(\"-x\"))']}", "{l: [-a, -x1, -b]}",
         "{l: [-a, -b]}", "{l: [-a, -b]}"},
        {"PositionsInListsOfOneLength", "{jsonPointers: [/l/1]}", "{l: [a, b]}", "{l: [z, q]}", "{l: [a, q]}"},
        {"LargeNumbersStay", "{jqPathExpressions: [.a]}", "{a: 1, b: 9007199254740993}", "{a: 9007199254740995, b: 2}",
         "{a: 9007199254740995, b: 9007199254740993}"},
        {"OverNothing", "{jqPathExpressions: ['.q[].x', '.l[]?.y']}", "{l: 1}", "{l: 2}", "{l: 1}"},
        {"BadRule", "{jqPathExpressions: ['.a | foo']}", "{}", "{}",
         "rule: .a | foo: is no jq program: foo/0 is not defined"},
    })),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::gitops
