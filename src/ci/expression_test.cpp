#include "ci/expression.h"

#include <cmath>

#include "base/testing/golden.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

Result<Data> evaluate(std::string_view text, const doc::Value& contexts) {
  Vocabulary words;
  if (auto* map = contexts.if_map())
    for (auto& [name, value] : *map) words.names.push_back(name);
  Object all;
  for (auto& name : words.names) all.set(name, Data::from(*contexts.find(name)));
  TRY(auto expression, Expression::parse(text, words));
  Scope scope;
  scope.context = [&](std::string_view name) { return all.find(name) ? *all.find(name) : Data(); };
  return expression.evaluate(scope);
}

std::string_view kind_of(const Data& data) {
  constexpr std::string_view names[] = {"Null", "Boolean", "Number", "String", "Array", "Object"};
  return names[static_cast<int>(data.type())];
}

std::string check(const doc::Value& c) {
  auto text = c.str_at({"expr"});
  doc::Value none;
  auto* contexts = c.find("contexts");
  auto got = evaluate(text, contexts ? *contexts : none);
  if (auto* error = c.find("err")) {
    auto want = error->str_at({"value"});
    if (got) return fmt::format("{}: want error {}, got {}", text, want, got->json());
    return got.error().what().starts_with(want)
               ? ""
               : fmt::format("{}: want error {}, got {}", text, want, got.error().what());
  }
  if (!got) return fmt::format("{}: {}", text, got.error().what());
  auto* result = c.find("result");
  if (kind_of(*got) != result->str_at({"kind"}))
    return fmt::format("{}: want {}, got {}", text, doc::print_json(*result), got->json());
  auto* value = result->find("value");
  auto want = value ? Data::from(*value) : Data();
  if (want.if_string() && got->if_number()) want = parse_number(*want.if_string());  // "Infinity", "NaN"
  bool same = got->if_number() && std::isnan(got->number()) ? std::isnan(want.number()) : got->json() == want.json();
  return same ? "" : fmt::format("{}: want {}, got {}", text, want.json(), got->json());
}

TEST(Expression, PublishedConformanceCases) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora on this machine";
  int passed = 0, total = 0;
  for (auto& name : must(list_dir(*root / "workflows/languageservices/expressions"))) {
    auto file = must(doc::parse_json(must(read_file(*root / "workflows/languageservices/expressions" / name)), name));
    for (auto& [group, cases] : *file.if_map()) {
      for (auto& c : *cases.if_list()) {
        ++total;
        auto wrong = check(c);
        if (wrong.empty())
          ++passed;
        else
          ADD_FAILURE() << name << " " << group << ": " << wrong.substr(0, 600);
      }
    }
  }
  RecordProperty("passed", passed);
  EXPECT_EQ(passed, total);
  EXPECT_EQ(total, 1020);
}

TEST(Expression, NamesItsMembers) {
  Vocabulary words{.names = {"secrets"}};
  auto e = must(Expression::parse("format('{0}{1}', secrets.TOKEN, secrets['KEY']) || secrets", words));
  EXPECT_EQ(e.members_of("secrets"), (std::vector<std::string>{"TOKEN", "KEY", ""}));
}

TEST(Expression, CallsInsideStringsDoNotCount) {
  Vocabulary words{.names = {"a"}, .functions = {{"always", 0, 0}}};
  constexpr std::string_view status[] = {"always"};
  EXPECT_FALSE(must(Expression::parse("a == 'always()'", words)).calls(status));
  EXPECT_TRUE(must(Expression::parse("!(a || ALWAYS())", words)).calls(status));
}

TEST(Expression, DeepParenthesesAreRefusedNotFatal) {
  Vocabulary words;
  EXPECT_FALSE(Expression::parse(std::string(10000, '(') + "1", words));
  EXPECT_FALSE(Expression::parse(std::string(20000, '!') + "1", words));
}

}  // namespace
}  // namespace slipway::ci
