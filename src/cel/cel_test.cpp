#include "cel/cel.h"

#include "base/testing/golden.h"
#include "doc/json.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::cel {
namespace {

struct File {
  doc::Value value = must(doc::parse_yaml(must(read_file(fs::path(SLIPWAY_TESTDATA) / "cases.yaml"))));
  Options options{.source = "e", .escaped_fields = true};
  Bindings bindings;
  File() {
    for (const auto& [name, v] : *value.find("variables")->if_map()) {
      options.variables.push_back(name);
      bindings.set(name, v);
    }
  }
};

std::string run(const std::string& text, const Options& options, const Bindings& bindings, Budget budget = {}) {
  auto program = compile(text, options);
  if (!program) return "error: " + program.error().what();
  auto value = program->evaluate(bindings, budget);
  return value ? print(*value) : "error: " + value.error().what();
}
std::string run(const std::string& text, Budget budget = {}) { return run(text, {}, {}, budget); }

TEST(Cel, Cases) {
  File file;
  std::size_t good = 0;
  for (const auto& [group, cases] : doc::View(file.value)["cases"].members())
    for (const auto& c : cases.items()) {
      auto text = c[0].text(), want = c[1].text();
      auto got = run(text, file.options, file.bindings);
      bool as_wanted =
          want.starts_with("error: ") ? got.starts_with("error: e:") && got.contains(want.substr(7)) : got == want;
      EXPECT_TRUE(as_wanted) << group << ": " << text << "\n got  " << got << "\n want " << want;
      good += as_wanted ? 1 : 0;
    }
  EXPECT_GT(good, 200U);
}

struct Endless {
  const char* name;
  std::string text;
  const char* want;
};
std::string times(std::size_t n, const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += text;
  return out;
}
// Lists of lists of ... by names that share: 2^60 items for who walks them.
std::string shared(const std::string& body) {
  std::string text = "cel.bind(a0, [1, 1], ";
  for (int i = 1; i < 60; ++i) text += fmt::format("cel.bind(a{}, [a{}, a{}], ", i, i - 1, i - 1);
  return text + body + times(60, ")");
}
// `body` with s, 2^doublings letters, and l, a list of them.
std::string many(const std::string& body, std::size_t doublings) {
  return "cel.bind(s, 'a', " + times(doublings, "cel.bind(s, s + s, ") + "cel.bind(l, s.split(''), " + body + ")" +
         times(doublings + 1, ")");
}
const std::string ten = "[0,1,2,3,4,5,6,7,8,9]";
const std::string loops = ten + ".all(a, " + ten + ".all(b, " + ten + ".all(c, " + ten + ".all(d, " + ten + ".all(e, " +
                          ten + ".all(f, true))))))";

class Limited : public testing::TestWithParam<Endless> {};
TEST_P(Limited, Ends) {
  auto got = run(GetParam().text);
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got.substr(0, 300);
}
INSTANTIATE_TEST_SUITE_P(
    Cel, Limited,
    testing::ValuesIn(std::vector<Endless>{
        {"Loops", loops, "needs more steps than it may take"},
        {"NothingPassesOverIt", "(" + loops + ") || true", "needs more steps"},
        {"NotEvenALoop", "[1].exists(x, " + loops + ") || true", "needs more steps"},
        {"Doubling", "cel.bind(s, 'x', " + times(40, "cel.bind(s, s + s, ") + "s" + times(41, ")"), "than it may"},
        {"Lists", "cel.bind(s, [1], " + times(40, "cel.bind(s, s + s, ") + "s" + times(41, ")"), "than it may"},
        {"Replace", "cel.bind(s, 'x', " + times(12, "cel.bind(s, s.replace('', s + s), ") + "s" + times(13, ")"),
         "than it may"},
        {"SharedEqual", shared("a59 == a59"), "needs more steps"},
        {"SharedFormat", shared("'%s'.format([a59])"), "than it may"},
        {"Precision", "'%.999999f'.format([1.0])", "a precision above 1000"},
        {"Parentheses", times(100'000, "("), "nested deeper than 250 levels"},
        {"Lists250", times(10'000, "["), "nested deeper than 250 levels"},
        {"Minuses", times(99'999, "-") + "1", "-1"},
        {"Nots", times(99'998, "!") + "1", "1"},
        {"Fields", "'a'" + times(10'000, ".a"), "nested deeper than 250 levels"},
        {"Sums", "1" + times(10'000, "+1"), "nested deeper than 250 levels"},
        {"Ternaries", times(5'000, "true?1:") + "2", "nested deeper than 250 levels"},
        {"Choices", times(200, "false?1:") + "2", "2"},
        {"LongLogic", "false" + times(10'000, "||false") + "||true", "true"},
        {"Mixed", times(200, "(true||1<2+3*-["), "nested deeper than 250 levels"},
        {"Long", std::string(100'001, ' ') + "1", "the expression has 100002 bytes, want at most 100000"},
        {"Pattern", "'a'.matches('a' + '" + std::string(5'000, 'a') + "')", "the pattern has 5001 bytes"},
        {"Patterns", times(30, "'a'.matches('a{999}') || ") + "true", "too large together"},
        {"PatternsMade",
         loops.substr(0, loops.rfind("true")) +
             "'x'.matches('a{999}b' + string(a * 100000 + b * 10000 + c * 1000 + d * 100 + e * 10 + f)) || true))))))",
         "needs more steps"},
        {"LargePattern", many("'ab'.replace('b', s).matches('([ab]{999}c|[ab]{998}d)+')", 15), "needs more steps"},
        {"FindsThatReadOn", many("s.findAll('a.*b|a')", 14), "needs more steps"},
        {"SetsOfSets", many("sets.intersects(l, l.map(i, i + 'b'))", 12), "needs more steps"},
        {"ListsInLists", many("l.all(i, !(i + 'b' in l))", 12), "needs more steps"},
        {"Formats", many("l.map(i, '%s'.format([l]))", 11), "than it may"},
        {"PatternMemory", "'a'.matches('((a{100}){100}){100}')", "the pattern"},
        {"Backtracking", "'" + std::string(10'000, 'a') + "b'.matches('^(a+)+$')", "false"},
    }),
    [](const auto& param) { return std::string(param.param.name); });

// Several evaluations may share what they may use.
TEST(Cel, ABudgetIsUsedUp) {
  Budget budget{.steps = 100};
  auto program = must(compile("[1, 2, 3].all(i, i > 0)"));
  EXPECT_TRUE(must(program.holds({}, budget)));
  auto used = 100 - budget.steps;
  EXPECT_GT(used, 10U);
  EXPECT_LT(used, 40U);
  while (program.holds({}, budget)) {
  }
  EXPECT_EQ(budget.steps, 0U);
  EXPECT_EQ(program.text(), "[1, 2, 3].all(i, i > 0)");
  EXPECT_EQ(must(compile("1")).holds({}, *std::make_unique<Budget>()).error().what(),
            "<expression>:1:1: the result is int, want bool");
}

TEST(Cel, FieldsOfAnObjectAreVariables) {
  auto object = must(doc::parse_yaml("{status: {ok: true}, type: Opaque}"));
  Bindings bindings;
  bindings.fields_of(object);
  Options any{.any_variable = true};
  EXPECT_EQ(run("status.ok", any, bindings), "true");
  EXPECT_EQ(run("type", any, bindings), "\"Opaque\"") << "a field before a type's name";
  EXPECT_EQ(run("type(1) == int", any, bindings), "true");
  EXPECT_EQ(run("spec.a", any, bindings), "error: <expression>:1:1: no such name: \"spec\"");
  EXPECT_EQ(run("has(spec.a) || true", any, bindings), "true");
}

TEST(Cel, NamesMayHaveDots) {
  Bindings bindings;
  bindings.set("a.b", Value(1));
  bindings.set("a", Value(2));
  Options options{.variables = {"a", "a.b"}};
  EXPECT_EQ(run("a.b + a", options, bindings), "3");
}

TEST(Cel, HintsNameWhatIsNear) {
  Options options{.variables = {"object"}};
  EXPECT_EQ(compile("objct.a", options).error().hint(), "did you mean \"object\"?");
  EXPECT_EQ(compile("siez('a')", options).error().hint(), "did you mean \"size\"?");
}

TEST(Cel, ResultsAsDocuments) {
  auto text = [](const std::string& expression) {
    auto value = to_doc(must(must(compile(expression)).evaluate({})), 1'000);
    return value ? doc::print_json(*value) : "error: " + value.error().what();
  };
  EXPECT_EQ(text("{'a': [1, 2u, 1.5, null, b'hi', true], 'd': duration('1s'), 'o': optional.of('x')}"),
            R"({"a":[1,2,1.5,null,"aGk=",true],"d":"1s","o":"x"})");
  EXPECT_EQ(text("{1: 2}"), "error: a key of the result is int, want a string");
  EXPECT_EQ(text(shared("a59")), "error: the result has too many values");
}

}  // namespace
}  // namespace slipway::cel
