#include "doc/patch.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::doc {
namespace {

Value yaml(std::string_view text) { return must(parse_yaml(text)); }

struct Case {
  const char *name, *target, *patch, *want;
};
std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class JsonPatch : public testing::TestWithParam<Case> {};
TEST_P(JsonPatch, Does) {
  auto done = json_patch(yaml(GetParam().target), yaml(GetParam().patch));
  EXPECT_EQ(done ? print_json(*done) : "error: " + done.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, JsonPatch,
    testing::Values(
        Case{"AddMember", "{a: 1}", "[{op: add, path: /b, value: 2}]", R"({"a":1,"b":2})"},
        Case{"AddInList", "{a: [1, 3]}", "[{op: add, path: /a/1, value: 2}, {op: add, path: /a/-, value: 4}]",
             R"({"a":[1,2,3,4]})"},
        Case{"AddBeyond", "{a: []}", "[{op: add, path: /a/1, value: 2}]",
             "error: operation 1 (add /a/1): index 1 is beyond the list's end (0 items)"},
        Case{"LeadingZero", "{a: [1, 2]}", "[{op: remove, path: /a/01}]",
             "error: operation 1 (remove /a/01): '/a/01' does not exist"},
        Case{"Escapes", "{a/b: 1, c~d: 2}", "[{op: remove, path: /a~1b}, {op: replace, path: /c~0d, value: 3}]",
             R"({"c~d":3})"},
        Case{"Root", "{a: 1}", "[{op: replace, path: '', value: [x]}]", R"(["x"])"},
        Case{"Move", "{a: {b: 1}}", "[{op: move, from: /a/b, path: /c}]", R"({"a":{},"c":1})"},
        Case{"MoveInside", "{a: {b: 1}}", "[{op: move, from: /a, path: /a/b}]",
             "error: operation 1 (move /a/b): cannot move a value into itself"},
        Case{"Copy", "{a: [1]}", "[{op: copy, from: /a, path: /a/0}]", R"({"a":[[1],1]})"},
        Case{"TestFails", "{a: 1}", "[{op: test, path: /a, value: 2}]",
             "error: operation 1 (test /a): test failed: '/a' is 1, want 2"},
        Case{"ReplaceAbsent", "{}", "[{op: replace, path: /a, value: 2}]",
             "error: operation 1 (replace /a): '/a' does not exist"},
        Case{"Unknown", "{}", "[{op: frob, path: /a}]",
             "error: operation 1 (frob /a): unknown op 'frob', want add, remove, replace, move, copy or test"},
        Case{"NoSlash", "{}", "[{op: add, path: a, value: 1}]",
             "error: operation 1 (add a): pointer 'a' must start with '/'"}),
    case_name);

class MergePatch : public testing::TestWithParam<Case> {};
// The table of RFC 7386, appendix A.
TEST_P(MergePatch, Does) {
  auto target = yaml(GetParam().target);
  auto merged = merge_patch(target, yaml(GetParam().patch));
  EXPECT_EQ(print_json(merged), GetParam().want);
  EXPECT_EQ(merge_patch(target, make_merge_patch(target, merged)), merged);
}
INSTANTIATE_TEST_SUITE_P(Table, MergePatch,
                         testing::Values(Case{"Replace", "{a: b}", "{a: c}", R"({"a":"c"})"},
                                         Case{"Add", "{a: b}", "{b: c}", R"({"a":"b","b":"c"})"},
                                         Case{"Remove", "{a: b, b: c}", "{a: null}", R"({"b":"c"})"},
                                         Case{"List", "{a: [b]}", "{a: c}", R"({"a":"c"})"},
                                         Case{"Deep", "{a: {b: c}}", "{a: {b: d, c: null}}", R"({"a":{"b":"d"}})"},
                                         Case{"ToMap", "[1, 2]", "{a: b, c: null}", R"({"a":"b"})"},
                                         Case{"DeepNull", "{}", "{a: {bb: {ccc: null}}}", R"({"a":{"bb":{}}})"}),
                         case_name);

// A schema in which every list of maps merges by "name", every other list as a set, but "args" is replaced.
class ByName final : public MergeSchema {
 public:
  explicit ByName(bool replaced = false) : replaced_(replaced) {}
  const MergeSchema* member(std::string_view key) const override { return key == "args" ? args() : this; }
  const MergeSchema* element() const override { return this; }
  ListType list_type() const override { return ListType::map; }
  const std::vector<std::string>& map_keys() const override { return keys_; }
  std::string_view patch_merge_key() const override { return "name"; }
  bool patch_merge() const override { return !replaced_; }
  bool retain_keys() const override { return false; }
  bool atomic_map() const override { return false; }

 private:
  static const MergeSchema* args() {
    static const ByName schema(true);
    return &schema;
  }
  bool replaced_;
  std::vector<std::string> keys_{"name"};
};

class Strategic : public testing::TestWithParam<Case> {};
TEST_P(Strategic, Merges) {
  ByName schema;
  auto done = strategic_merge(yaml(GetParam().target), yaml(GetParam().patch), &schema);
  EXPECT_EQ(done ? print_json(*done) : "error: " + done.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Strategic,
    testing::Values(
        Case{"ByKey", "{c: [{name: a, v: 1}, {name: b, v: 2}]}", "{c: [{name: b, v: 3}, {name: z}]}",
             R"({"c":[{"name":"a","v":1},{"name":"b","v":3},{"name":"z"}]})"},
        Case{"NullDeletes", "{a: 1, b: 2}", "{a: null, x: {y: null, z: 1}}", R"({"b":2,"x":{"z":1}})"},
        Case{"Set", "{f: [a, b]}", "{f: [b, c]}", R"({"f":["a","b","c"]})"},
        Case{"Atomic", "{args: [a, b]}", "{args: [c]}", R"({"args":["c"]})"},
        Case{"PatchDelete", "{c: [{name: a}, {name: b}]}", "{c: [{$patch: delete, name: a}]}",
             R"({"c":[{"name":"b"}]})"},
        Case{"PatchReplaceList", "{c: [{name: a}]}", "{c: [{$patch: replace}, {name: q}]}", R"({"c":[{"name":"q"}]})"},
        Case{"PatchReplaceMap", "{m: {a: 1}}", "{m: {$patch: replace, b: 2}}", R"({"m":{"b":2}})"},
        Case{"PatchDeleteMap", "{m: {a: 1}}", "{m: {$patch: delete}}", R"({"m":{}})"},
        Case{"RetainKeys", "{s: {type: RollingUpdate, rollingUpdate: {a: 1}}}",
             "{s: {$retainKeys: [type], type: Recreate}}", R"({"s":{"type":"Recreate"}})"},
        Case{"RetainKeysWrong", "{}", "{$retainKeys: [a], b: 1}",
             "error: the patch sets 'b', which its $retainKeys does not list"},
        Case{"DeletePrimitive", "{f: [a, b, c]}", "{$deleteFromPrimitiveList/f: [b]}", R"({"f":["a","c"]})"},
        Case{"Order", "{c: [{name: a}, {name: b}, {name: s}]}",
             "{$setElementOrder/c: [{name: b}, {name: n}, {name: a}], c: [{name: n, v: 1}]}",
             R"({"c":[{"name":"b"},{"name":"n","v":1},{"name":"a"},{"name":"s"}]})"},
        Case{"NoKey", "{c: [{name: a}]}", "{c: [{v: 1}]}",
             R"(error: c: {"v":1} does not contain the merge key 'name')"},
        Case{"TypeChange", "{a: [1]}", "{a: {b: 1}}", R"({"a":{"b":1}})"}),
    case_name);

TEST(Strategic, WithoutSchemaListsAreReplaced) {
  EXPECT_EQ(print_json(must(
                strategic_merge(yaml("{c: [{name: a}], m: {x: 1}}"), yaml("{c: [{name: b}], m: {y: 2}}"), nullptr))),
            R"({"c":[{"name":"b"}],"m":{"x":1,"y":2}})");
}

TEST(Diff, NamesPaths) {
  std::string out;
  for (const auto& change : diff(yaml("{a: 1, l: [{name: x, v: 1}, {name: y}], p: [1, 2]}"),
                                 yaml("{l: [{name: y}, {name: x, v: 2}, {name: z}], p: [1], n: {b: 1}}"))) {
    out += fmt::format("{}: {} -> {}\n", change.path, print_json(change.before), print_json(change.after));
  }
  EXPECT_EQ(
      out,
      ".a: 1 -> null\n.l[1].v: 1 -> 2\n.l[2]: null -> {\"name\":\"z\"}\n.p[1]: 2 -> null\n.n: null -> {\"b\":1}\n");
}

TEST(UnifiedDiff, PrintsHunks) {
  EXPECT_EQ(
      unified_diff("a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nb\nc\nd\nE\nf\ng\nh\ni", "old", "new"),
      "--- old\n+++ new\n@@ -2,8 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n-i\n+i\n\\ No newline at end of file\n");
  EXPECT_EQ(unified_diff("", "x\n", "a", "b"), "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n");
  EXPECT_EQ(unified_diff("same", "same", "a", "b"), "");
}

// Applies our own hunks: what comes out must be the other text.
std::string patched(const std::string& before, const std::string& hunks) {
  std::vector<std::string> old, out;
  for (std::size_t i = 0; i < before.size();) {
    auto stop = before.find('\n', i);
    old.push_back(before.substr(i, stop + 1 - i));
    i = stop + 1;
  }
  std::size_t at = 0;
  std::istringstream in(hunks);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("---") || line.starts_with("+++")) continue;
    if (line.starts_with("@@ -")) {
      std::size_t from = std::stoul(line.substr(4));
      bool none = line.find(",0 +") != std::string::npos;
      while (at + (none ? 0 : 1) < from) out.push_back(old[at++]);
    } else if (line[0] == '+') {
      out.push_back(line.substr(1) + "\n");
    } else {
      EXPECT_EQ(old[at], line.substr(1) + "\n");
      if (line[0] == ' ') out.push_back(old[at]);
      ++at;
    }
  }
  while (at < old.size()) out.push_back(old[at++]);
  std::string text;
  for (const auto& l : out) text += l;
  return text;
}

TEST(UnifiedDiff, AppliedGivesTheOtherText) {
  std::uint32_t seed = 7;
  auto random = [&](std::uint32_t n) { return ((seed = seed * 1664525u + 1013904223u) >> 8) % n; };
  for (int round = 0; round < 300; ++round) {
    std::string a, b;
    for (std::uint32_t i = random(40); i > 0; --i) a += static_cast<char>('a' + random(5)), a += '\n';
    for (std::uint32_t i = random(40); i > 0; --i) b += static_cast<char>('a' + random(5)), b += '\n';
    ASSERT_EQ(patched(a, unified_diff(a, b, "a", "b")), b) << a << "to\n" << b;
  }
}

TEST(UnifiedDiff, UnrelatedTextsAreQuick) {
  std::string a, b;
  for (int i = 0; i < 10000; ++i) a += fmt::format("a{}\n", i), b += fmt::format("b{}\n", i);
  EXPECT_GT(unified_diff(a, b, "a", "b").size(), a.size() + b.size());
}

}  // namespace
}  // namespace slipway::doc
