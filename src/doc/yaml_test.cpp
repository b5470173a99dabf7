#include "doc/yaml.h"

#include "base/testing/golden.h"
#include "doc/json.h"

namespace slipway::doc {
namespace {

std::string as_json(std::string_view yaml, ParseOptions options = {}) {
  auto value = parse_yaml(yaml, options);
  return value ? print_json(*value) : "error: " + value.error().what();
}

struct Case {
  const char* name;
  std::string in, want;
};
std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class YamlReads : public testing::TestWithParam<Case> {};
TEST_P(YamlReads, As) { EXPECT_EQ(as_json(GetParam().in), GetParam().want); }
INSTANTIATE_TEST_SUITE_P(
    Table, YamlReads,
    testing::Values(
        Case{"Empty", "", "null"},
        Case{"Bools", "[true, True, no, yes, on, off, y]", R"([true,true,"no","yes","on","off","y"])"},
        Case{"Nulls", "[~, null, Null, '', nil]", R"([null,null,null,"","nil"])"},
        Case{"Integers", "[0x1F, 0o17, 017, 08, 1_000, -5, +7, 0b11]", R"([31,15,15,8,1000,-5,7,3])"},
        Case{"Floats", "[1.5, 1e3, .5, 1., 1.0.0, 1e, 12e03]", R"([1.5,1000,0.5,1,"1.0.0","1e",12000])"},
        Case{"BeyondInt64", "18446744073709551615", "18446744073709552000"},
        Case{"Dates", "2024-01-02", R"("2024-01-02")"}, Case{"Time", "12:30:45", R"("12:30:45")"},
        Case{"QuotedStayStrings", R"(["1", '2', "true", !!str 3])", R"(["1","2","true","3"])"},
        Case{"Tags", R"([!!int "5", !!float 1, !custom x, !!binary aGk=])", R"([5,1,"x","hi"])"},
        Case{"WrongTag", "a: !!int x", "error: <input>:1:4: 'x' is no !!int"},
        Case{"Keys", "{1: a, true: b, 0x10: c, null: d}", R"({"1":"a","true":"b","16":"c","null":"d"})"},
        Case{"ComplexKey", "? [a]\n: b", "error: <input>:1:3: a key must be a scalar, not a list or map"},
        Case{"DuplicateKey", "a: 1\nb: 2\na: 3\n",
             "error: <input>:3:1: key 'a' is here twice: first at line 1, column 1"},
        Case{"MergeKey", "a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n", R"({"a":{"p":1,"q":2},"b":{"q":3,"p":1}})"},
        Case{"MergeList", "[&x {p: 1}, &y {p: 2, r: 4}, {<<: [*x, *y]}]", R"([{"p":1},{"p":2,"r":4},{"p":1,"r":4}])"},
        Case{"MergeScalar", "<<: 5", "error: <input>:1:1: '<<' merges a map or a list of maps"},
        Case{"QuotedMergeKeyIsAKey", "'<<': 5", R"({"<<":5})"},
        Case{"UnknownAlias", "a: *x", "error: <input>:1:4: alias *x names no anchor before it"},
        Case{"SelfAlias", "&x [*x]", "error: <input>:1:5: alias *x names no anchor before it"},
        Case{"TwoDocuments", "a: 1\n---\nb: 2\n", "error: <input>:3:1: a second document, want exactly one"},
        Case{"Tab", "a:\n\tb: 1\n",
             "error: <input>:2:1: found character that cannot start any token while scanning for the next token (line "
             "2)"},
        Case{"Literal", "a: |\n  x\n  y\nb: >-\n  p\n  q\n", R"({"a":"x\ny\n","b":"p q"})"},
        Case{"NotUtf8", "a: \xff\n", "error: <input>:1:4: invalid leading UTF-8 octet"},
        Case{"ByteOrderMark",
             "\xef\xbb\xbf"
             "a: 1\n",
             R"({"a":1})"},
        Case{"ByteOrderMarkBeforeTwoKeys",
             "\xef\xbb\xbf"
             "a: 1\nb:\n- {c: 2}\n",
             R"({"a":1,"b":[{"c":2}]})"}),
    case_name);

TEST(Yaml, ActionsDialectIsCoreSchema) {
  EXPECT_EQ(as_json("[0o17, 017, 0x1f, 1_000, 0b1, no, true]", {.dialect = Dialect::actions}),
            R"([15,17,31,"1_000","0b1","no",true])");
  EXPECT_EQ(as_json("{a: &x {p: 1}, '<<': 2}", {.dialect = Dialect::actions}), R"({"a":{"p":1},"<<":2})");
}

TEST(Yaml, MarksNameLineColumnAndBytes) {
  std::string text = "# ü\nimage: \"nginx\" # c\nlist:\n- é: {a: 1}\n- tail\n";
  auto root = must(parse_yaml(text));
  auto cut = [&](const Mark& m) {
    return fmt::format("{}:{} {}", m.line, m.column, text.substr(m.begin, m.end - m.begin));
  };
  EXPECT_EQ(cut(root.find("image")->mark()), "2:8 \"nginx\"");
  EXPECT_EQ(cut(root.if_map()->key_mark("list")), "3:1 list");
  const auto& list = *root.find("list")->if_list();
  EXPECT_EQ(cut(list[0].find("é")->mark()), "4:6 {a: 1}");
  EXPECT_EQ(cut(list[0].find("é")->find("a")->mark()), "4:10 1");
  EXPECT_EQ(cut(root.find("list")->mark()), "4:1 - é: {a: 1}\n- tail");
}

// libyaml's end of a block scalar is of no use: it stands before the text.
TEST(Yaml, BlockScalarsEndBehindTheirLastLine) {
  for (std::string note : {"", "# é: read by libyaml\n"}) {
    std::string text = note + "a: |\n  x\n\n   y\n\nb: >-  # c\n  z\nc: |-\nd: e\n";
    auto root = must(parse_yaml(text));
    auto cut = [&](std::string_view key) {
      auto m = root.find(key)->mark();
      return text.substr(m.begin, m.end - m.begin);
    };
    EXPECT_EQ(cut("a"), "|\n  x\n\n   y");
    EXPECT_EQ(cut("b"), ">-  # c\n  z");
    EXPECT_EQ(cut("c"), "|-");
  }
}

TEST(Yaml, BillionLaughsAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("a{}: &a{} [*a{}, *a{}, *a{}, *a{}, *a{}, *a{}, *a{}, *a{}, *a{}, *a{}]\n", i, i, i - 1, i - 1,
                        i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
  }
  EXPECT_TRUE(as_json(text).find("more than 1000000 values in one document") != std::string::npos) << as_json(text);
}

TEST(Yaml, DepthIsLimited) {
  std::string text(200, '[');
  EXPECT_EQ(as_json(text), "error: <input>:1:101: nested deeper than 100 levels");
}

class YamlPrints : public testing::TestWithParam<Case> {};
TEST_P(YamlPrints, AsGoDoes) {
  auto value = must(parse_json(GetParam().in));
  auto text = print_yaml(value, {.sort_keys = true});
  EXPECT_EQ(text, GetParam().want);
  EXPECT_EQ(must(parse_yaml(text)), value);
}
INSTANTIATE_TEST_SUITE_P(
    Table, YamlPrints,
    testing::Values(
        Case{"Nested", R"({"b":{"c":[1,{"d":2,"a":[[3,4],[]]}]},"a":{}})",
             "a: {}\nb:\n  c:\n  - 1\n  - a:\n    - - 3\n      - 4\n    - []\n    d: 2\n"},
        Case{
            "Quoting",
            R"(["","yes","n","1","0x1","1_0","1.5e3","null","~","<<","2024-01-02","1:30",":a","a: b","a #b","a:b","- x","-x","?","!x","@x"," x","x ","{a","a,b","#x","=","12:30:45","1.2.3",".5",".","---"])",
            "- \"\"\n- \"yes\"\n- \"n\"\n- \"1\"\n- \"0x1\"\n- \"1_0\"\n- \"1.5e3\"\n- \"null\"\n- \"~\"\n- \"<<\"\n- "
            "\"2024-01-02\"\n"
            "- \"1:30\"\n- :a\n- 'a: b'\n- 'a #b'\n- a:b\n- '- x'\n- -x\n- '?'\n- '!x'\n- '@x'\n- ' x'\n- 'x '\n- "
            "'{a'\n- a,b\n- '#x'\n- =\n"
            "- \"12:30:45\"\n- 1.2.3\n- \".5\"\n- .\n- '---'\n"},
        Case{"Blocks", R"({"a":"x\ny\n","b":"x\ny","c":"x\n\n","d":"\nx\n","e":"x \ny","f":"x\ty\n","g":" x\ny\n"})",
             "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: |2\n\n  x\ne: \"x \\ny\"\nf: \"x\\ty\\n\"\ng: |2\n   "
             "x\n  y\n"},
        Case{"BlockInList", R"({"a":["x\ny\n"],"b":[["p\nq"]]})", "a:\n- |\n  x\n  y\nb:\n- - |-\n    p\n    q\n"},
        Case{"Unicode", R"(["é","😀","\u0085","\u00a0"])", "- é\n- \"\\U0001F600\"\n- \"\\N\"\n- \u00a0\n"},
        Case{"Numbers", R"([1.5,1234567.5,1e21,0.00001,-3,1e100])",
             "- 1.5\n- 1.2345675e+06\n- 1e+21\n- 1e-05\n- -3\n- 1e+100\n"},
        Case{"KeyOrder", R"({"b10":1,"b9":1,"a":1,"B":1,"_":1,"1":1,"on":1})",
             "_: 1\n\"1\": 1\nB: 1\na: 1\nb9: 1\nb10: 1\n\"on\": 1\n"},
        Case{"Scalar", R"("x")", "x\n"}, Case{"EmptyMap", "{}", "{}\n"}),
    case_name);

TEST(Yaml, WhatIsNoTextIsBinaryAndSeparatorsAreEscaped) {
  EXPECT_EQ(print_yaml(Value("k\xc9")), "!!binary a8k=\n");
  EXPECT_EQ(print_yaml(Value("a\xe2\x80\xa8")), "\"a\\L\"\n");
  EXPECT_EQ(print_yaml(Value(Map{{"\xff", Value("\xf0\x9f\x98\x80")}})), "? !!binary /w==\n: \"\\U0001F600\"\n");
}

TEST(Yaml, LongKeysAreWrittenInTheLongForm) {
  std::string key(130, 'k');
  auto text = print_yaml(Value(Map{{key, Value(Map{{"a", 1}})}}));
  EXPECT_EQ(text, "? " + key + "\n:\n  a: 1\n");
  EXPECT_EQ(must(parse_yaml(text)), Value(Map{{key, Value(Map{{"a", 1}})}}));
}

TEST(Yaml, KeepStyleKeepsQuotes) {
  std::string text = "a: 'x'\nb: \"y\"\nc: |\n  z\nd: [1, \"2\", {e: f}]\ng: plain\n";
  EXPECT_EQ(print_yaml(must(parse_yaml(text)), {.keep_style = true}), text);
}

TEST(Yaml, AllSkipsEmptyDocuments) {
  auto all = must(parse_yaml_all("---\n# only\n---\na: 1\n---\n---\nb: 2\n"));
  EXPECT_EQ(print_yaml_all(all), "a: 1\n---\nb: 2\n");
}

TEST(Yaml, LocalTagsAreShownWhenAskedFor) {
  auto text = "a: !reference [b, c]\nlist: [!reference [x], plain, !word text]\nd: !!str 1\n";
  ParseOptions options;
  options.local_tags = true;
  EXPECT_EQ(print_json(must(parse_yaml(text, options))),
            R"({"a":{"!reference":["b","c"]},"list":[{"!reference":["x"]},"plain",{"!word":"text"}],"d":"1"})");
  EXPECT_EQ(print_json(must(parse_yaml(text))), R"({"a":["b","c"],"list":[["x"],"plain","text"],"d":"1"})");
}

}  // namespace
}  // namespace slipway::doc
