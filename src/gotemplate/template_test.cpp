#include "gotemplate/template.h"

#include "base/testing/golden.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::gotemplate {
namespace {

std::shared_ptr<const Functions> all_functions() {
  static const auto functions = [] {
    auto all = std::make_shared<Functions>(builtin_functions());
    // Where both have a name, sprig's is used, as in Go.
    for (const auto& [name, function] : sprig_functions()) all->insert_or_assign(name, function);
    return all;
  }();
  return functions;
}

std::string run(const std::string& name, const std::string& text, const std::string& option, const Value& data) {
  DictScope scope;
  Template t(name, all_functions());
  if (!option.empty()) t.missing(must(parse_option(option)));
  if (auto parsed = t.parse(text); !parsed) return "error: " + parsed.error().what();
  auto out = t.execute(data);
  return out ? *out : "error: " + out.error().what();
}

// Every case gives what Go gave, and fails with Go's words.
TEST(GoTemplate, AsGo) {
  auto file = must(doc::parse_yaml(must(read_file(fs::path(SLIPWAY_TESTDATA) / "cases.yaml"))));
  auto data = from_doc(*file.find("data"));
  std::size_t good = 0;
  for (const auto& c : doc::View(file)["cases"].items()) {
    auto want = c["error"].exists() ? "error: " + c["error"].text() : c["want"].text();
    auto got = run(c["name"].text(), c["text"].text(), c["option"].text(), data);
    EXPECT_EQ(got, want) << c["name"].text() << ": " << c["text"].text() << " " << c["option"].text();
    good += got == want ? 1 : 0;
  }
  EXPECT_GT(good, 300U);
}

struct Endless {
  const char* name;
  const char* text;
  const char* want;  // part of the error
};
class Limited : public testing::TestWithParam<Endless> {};
TEST_P(Limited, Ends) {
  auto got = run("t", GetParam().text, "", Value(Dict{}));
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got.substr(0, 300);
}
INSTANTIATE_TEST_SUITE_P(
    GoTemplate, Limited,
    testing::ValuesIn(std::to_array<Endless>({
        {"Loops", "{{range until 100000}}{{range until 100000}}{{end}}{{end}}", "more than 2000000 steps"},
        {"CountsWithoutABody", "{{range 9000000000000}}{{end}}", "more than 2000000 steps"},
        {"Output", "{{range until 100000}}{{repeat 10000 \"x\"}}{{end}}", "the output is larger than 16.0 MiB"},
        {"Repeat", "{{repeat 9000000000 \"x\"}}", "the count of repeat is too large"},
        {"Until", "{{until 90000000000}}", "the list is too large"},
        {"Doubling", "{{$x := \"aaaaaaaa\"}}{{range 60}}{{$x = print $x $x}}{{end}}", "too large values"},
        {"Sharing", "{{$x := list}}{{range 60}}{{$x = list $x $x}}{{end}}{{$x | toJson}}", "holds more than"},
        {"ItselfInItself", "{{$d := dict}}{{$_ := set $d \"d\" $d}}{{toJson $d}}", "levels deep"},
        {"Templates", "{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}", "exceeded maximum template depth"},
        {"Keys", "{{genCA \"x\" 3}}", "keys and certificates are not made by templates here"},
    })),
    [](const auto& param) { return std::string(param.param.name); });

TEST(GoTemplate, PrintsSharedValuesOnlySoFar) {
  auto got = run("t", "{{$x := list}}{{range 60}}{{$x = list $x $x}}{{end}}{{$x}}", "", Value(Dict{}));
  EXPECT_LT(got.size(), std::size_t{20} << 20);
  got = run("t", "{{$d := dict}}{{$_ := set $d \"d\" $d}}{{$d}}{{eq (len (deepCopy $d)) 1}}", "", Value(Dict{}));
  EXPECT_TRUE(got.ends_with("true")) << got.substr(0, 100);
}

// A dict in itself goes with the scope it was made in, the data with what was put into it.
TEST(GoTemplate, DictsEndWithTheirScope) {
  struct Seen final : Object {
    explicit Seen(int& alive) : alive_(alive) { ++alive_; }
    ~Seen() override { --alive_; }
    std::string go_type() const override { return "seen"; }
    std::string print() const override { return "seen"; }
    int& alive_;
  };
  int alive = 0;
  {
    DictScope scope;
    auto seen = [&] { return Value(std::static_pointer_cast<const Object>(std::make_shared<Seen>(alive))); };
    Value data(Dict{{"in", Value(Dict{{"seen", seen()}})}});
    Template t("t", all_functions());
    must(t.parse("{{$_ := set .in \"root\" $}}{{$d := dict \"x\" .in}}{{$_ = set $d \"d\" $d}}{{.in.root.in.seen}}"));
    EXPECT_EQ(must(t.execute(data)), "seen");
  }
  EXPECT_EQ(alive, 0);
}

TEST(GoTemplate, DeepSourcesAreRefused) {
  std::string ifs, parens = "{{";
  for (int i = 0; i < 5000; ++i) ifs += "{{if true}}", parens += "(";
  EXPECT_NE(run("t", ifs, "", Value()).find("too deep"), std::string::npos);
  EXPECT_NE(run("t", parens, "", Value()).find("max expression depth exceeded"), std::string::npos);
}

// Several sources make one set of templates.
TEST(GoTemplate, SourcesShareDefinitions) {
  Template t("main", all_functions());
  must(t.parse("helpers.tpl", "{{define \"greet\"}}hello {{.}}{{end}}"));
  must(t.parse("{{template \"greet\" .name}}"));
  EXPECT_TRUE(t.has("greet"));
  EXPECT_EQ(must(t.execute(Dict{{"name", "ada"}})), "hello ada");
  must(t.parse("other", "{{define \"greet\"}}\n{{.x.y}}{{end}}"));
  EXPECT_EQ(t.execute(Dict{{"name", "ada"}}).error().what(),
            "template: other:2:4: executing \"greet\" at <.x.y>: can't evaluate field x in type string");
}

// What Helm needs beyond data: things with methods.
class Files final : public Object {
 public:
  std::string go_type() const override { return "engine.files"; }
  std::string print() const override { return "files"; }
  std::optional<Value> field(std::string_view name) const override {
    return name == "Count" ? std::optional<Value>(Value(2)) : std::nullopt;
  }
  std::optional<Result<Value>> call(std::string_view name, const Items& a) const override {
    if (name != "Get") return std::nullopt;
    if (a.size() != 1 || !a[0].if_string()) return fail(Kind::invalid, "want a name");
    return Value("content of " + *a[0].if_string());
  }
};
TEST(GoTemplate, ObjectsHaveFieldsAndMethods) {
  Value data(Dict{{"Files", Value(std::static_pointer_cast<const Object>(std::make_shared<Files>()))}});
  EXPECT_EQ(run("t", "{{.Files.Get \"a\" | upper}} {{.Files.Count}} {{\"b\" | .Files.Get}} {{.Files}}", "", data),
            "CONTENT OF A 2 content of b files");
  EXPECT_EQ(run("t", "{{.Files.Get}}", "", data),
            "error: template: t:1:8: executing \"t\" at <.Files.Get>: error calling Get: want a name");
  EXPECT_EQ(run("t", "{{.Files.Nope}}", "", data),
            "error: template: t:1:8: executing \"t\" at <.Files.Nope>: can't evaluate field Nope in type engine.files");
}

}  // namespace
}  // namespace slipway::gotemplate
