#include "doc/value.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/shrink.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::doc {
namespace {

TEST(Value, ShrunkIsTheSame) {
  auto value = must(parse_yaml("a: [1, {b: 'two'}, ~]\nlonger-key-than-fits-inline: {c: 2.5, d: true}\n"));
  auto small = shrunk(value);
  EXPECT_EQ(small, value);
  EXPECT_EQ(print_json(small), print_json(value)) << "in the same order";
  EXPECT_EQ(small.find("a")->mark().line, 1u);
  EXPECT_EQ(small.find("longer-key-than-fits-inline")->mark().line, 2u);
  Map many;  // large enough to be indexed
  for (int n = 0; n < 100; ++n) many.append(std::to_string(n), n);
  auto whole = shrunk(Value(many));
  for (int n = 0; n < 100; ++n) EXPECT_EQ(*whole.find(std::to_string(n))->if_int(), n);
  EXPECT_EQ(shrunk(Value("text")), Value("text"));
}

TEST(Map, KeepsOrderAndFindsInLargeMaps) {
  Map map;
  for (int i = 0; i < 1000; ++i) map[fmt::format("k{}", i)] = Value(i);
  for (int i = 0; i < 1000; i += 3) EXPECT_TRUE(map.erase(fmt::format("k{}", i)));
  map.set("k1", "again");
  EXPECT_EQ(map.size(), 666u);
  EXPECT_EQ(map.find("k0"), nullptr);
  EXPECT_EQ(*map.find("k998"), Value(998));
  EXPECT_EQ(map.begin()->second, Value("again"));
  Map copy = map;
  copy.sort_keys();
  EXPECT_EQ(*copy.find("k500"), Value(500));
  EXPECT_EQ(Value(copy), Value(map));
  copy.erase("k500");
  EXPECT_FALSE(Value(copy) == Value(map));
}

TEST(Value, EqualityIsByContent) {
  EXPECT_EQ(Value(1), Value(1.0));
  EXPECT_FALSE(Value(1) == Value(1.5));
  EXPECT_FALSE(Value(1) == Value("1"));
  EXPECT_FALSE(Value(std::int64_t{9007199254740993}) == Value(9007199254740992.0));
  EXPECT_FALSE(Value(std::numeric_limits<std::int64_t>::max()) == Value(0x1p63));
  EXPECT_EQ(must(parse_json(R"({"a":1,"b":[true]})")), must(parse_yaml("b: [true]\na: 1")));
}

TEST(View, ErrorsNameSourcePlaceAndPath) {
  auto root = must(parse_yaml("spec:\n  steps:\n  - setWeight: 5\n  - setWeight: lots\n    a.b: 1\n  for: 90s\n"));
  View v(root, "deploy/rollout.yaml");
  EXPECT_EQ(v["spec"]["steps"][1]["setWeight"].num().error().what(),
            "deploy/rollout.yaml:4:16: .spec.steps[1].setWeight: want an integer, got a string");
  EXPECT_EQ(v["spec"]["steps"][1]["pause"]["duration"].str().error().what(),
            "deploy/rollout.yaml:4:5: .spec.steps[1].pause.duration: missing, want a string");
  EXPECT_EQ(v["spec"]["steps"][7]["x"].path(), ".spec.steps[7].x");
  EXPECT_EQ(v["spec"]["steps"][1]["a.b"].path(), ".spec.steps[1][\"a.b\"]");
  EXPECT_EQ(must(v["spec"]["for"].duration()), Millis(90'000));
  EXPECT_EQ(v["spec"]["steps"][0]["setWeight"].text(), "5");
  EXPECT_EQ(v["spec"]["steps"].items().size(), 2u);
  EXPECT_EQ(View(root)["nope"].num_or(7), 7);
  EXPECT_EQ(View(root)["nope"].list().error().what(), ".nope: missing, want a list");
}

struct Case {
  const char* name;
  std::string in, want;
};
class Json : public testing::TestWithParam<Case> {};
TEST_P(Json, Reads) {
  auto value = parse_json(GetParam().in);
  EXPECT_EQ(value ? print_json(*value) : "error: " + value.error().what(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Json,
    testing::Values(Case{"Scalars", R"([1,-0,1.50,1e2,9223372036854775807,9223372036854775808,true,null])",
                         "[1,0,1.5,100,9223372036854775807,9223372036854776000,true,null]"},
                    Case{"Escapes", R"("\u00e9\ud83d\ude00\n\/\ud800")", "\"é😀\\n/\xef\xbf\xbd\""},
                    Case{"LastKeyWins", R"({"a":1,"b":2,"a":3})", R"({"a":3,"b":2})"},
                    Case{"TooEarly", "{\"a\":", "error: <input>:1:6: the document ends too early"},
                    Case{"Comma", "[1,\n 2,]", "error: <input>:2:4: want a JSON value"},
                    Case{"After", "{} x", "error: <input>:1:4: text after the end of the document"},
                    Case{"Zero", "01", "error: <input>:1:3: not a JSON number"},
                    Case{"Control", "\"a\nb\"", "error: <input>:1:3: a control character in a string must be escaped"},
                    Case{"Huge", "1e999", "error: <input>:1:6: the number is too large"}, Case{"Tiny", "1e-999", "0"}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(Json, DepthIsLimited) {
  EXPECT_EQ(parse_json(std::string(200, '[')).error().what(), "<input>:1:101: nested deeper than 100 levels");
}

TEST(Json, PrettyAndMarks) {
  auto value = must(parse_json("{\"é\": [1, {\"b\": {}}],\n \"c\": \"d\"}"));
  EXPECT_EQ(print_json_pretty(value), "{\n  \"é\": [\n    1,\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": \"d\"\n}");
  auto mark = value.find("é")->if_list()->at(1).find("b")->mark();
  EXPECT_EQ(fmt::format("{}:{} {}-{}", mark.line, mark.column, mark.begin, mark.end), "1:17 17-19");
  EXPECT_EQ(value.if_map()->key_mark("c").line, 2u);
}

}  // namespace
}  // namespace slipway::doc
