#include "verify/condition.h"

#include "base/testing/golden.h"
#include "doc/json.h"

namespace slipway::verify {
namespace {

struct Case {
  const char* condition;
  const char* result;
  const char* want;  // JSON, or the error's end
};
class Conditions : public testing::TestWithParam<Case> {};
TEST_P(Conditions, Evaluate) {
  auto result = must(doc::parse_json(GetParam().result));
  auto condition = Condition::parse(GetParam().condition);
  auto got = condition ? condition->value(result) : Result<doc::Value>(Fail(condition.error()));
  auto text = got ? doc::print_json(*got) : got.error().what().substr(got.error().what().rfind("\": ") + 3);
  EXPECT_EQ(text, GetParam().want) << GetParam().condition;
}
INSTANTIATE_TEST_SUITE_P(Table, Conditions,
                         testing::ValuesIn(std::to_array<Case>({
                             {"result[0] >= 0.95", "[0.99]", "true"},
                             {"result[0] < 0.95", "[0.99]", "false"},
                             {"result == 'true'", "\"true\"", "true"},
                             {"result.ok && result.count > 3", R"({"ok":true,"count":4})", "true"},
                             {"len(result) == 0 || result[0] < 0.05", "[]", "true"},
                             {"isNil(result) || result > 1", "null", "true"},
                             {"result[0] < 0.05", "[]", "column 7: index 0 of an empty list: there is no data"},
                             {"result < 5", "null", "column 8: \"<\" on nil: there is no data"},
                             {"default(result, 0) < 5", "null", "true"},
                             {"all(result, {# > 1})", "[2,3]", "true"},
                             {"all(result, # > 1)", "[2,1]", "false"},
                             {"any(result, {.status == 'bad'})", R"([{"status":"ok"},{"status":"bad"}])", "true"},
                             {"count(result, # > 1) == 2", "[1,2,3]", "true"},
                             {"asInt(result) % 3 == 1", "\"7\"", "true"},
                             {"asFloat(result) / 2", "\"7\"", "3.5"},
                             {"1 + 2 * 3 ** 2", "0", "19"},
                             {"-2 ** 2", "0", "-4"},
                             {"not (result in [1, 2])", "3", "true"},
                             {"result not in [1, 2]", "3", "true"},
                             {"'b' in {a: 1}", "0", "false"},
                             {"result ?? 7", "null", "7"},
                             {"result > 1 ? 'many' : 'few'", "2", "\"many\""},
                             {"result?.a?.b == nil", "null", "true"},
                             {"result.a.b", "{}", "column 9: \"b\" of nil: there is no data"},
                             {"result matches '^v[0-9]+$'", "\"v12\"", "true"},
                             {"result startsWith 'v' and result endsWith '2'", "\"v12\"", "true"},
                             {"max(result) - min(result)", "[1.5, 4]", "2.5"},
                             {"sum(result, #.n)", R"([{"n":1},{"n":2}])", "3"},
                             {"result | len()", "[1,2]", "2"},
                             {"(1..3)[1]", "0", "2"},
                             {"result[-1]", "[1,9]", "9"},
                             {"!true == false", "0", "true"},
                             {"1 < 'a'", "0", "column 3: \"<\" between integer and string"},
                             {"foo > 1", "0", "column 1: unknown name \"foo\", want result"},
                             {"result >", "0", "column 9: the expression ends too early"},
                             {"result = 1", "0", "column 8: unexpected character '='"},
                             {"(result", "0", "column 8: want \")\""},
                             {"'x", "0", "column 1: the string does not end"},
                             {"nope(1)", "0", "column 1: there is no function nope() of one argument"},
                         })));

TEST(Conditions, WantABool) {
  EXPECT_EQ(must(Condition::parse("result + 1")).holds(doc::Value(1)).error().what(),
            "condition \"result + 1\": gives integer, want true or false");
}

TEST(Conditions, DeepNestingIsRefused) {
  EXPECT_FALSE(Condition::parse(std::string(500, '(') + "1" + std::string(500, ')')));
  EXPECT_FALSE(Condition::parse(std::string(500, '!') + "true"));
  EXPECT_FALSE(Condition::parse(std::string(500, '-') + "1"));
}

TEST(Conditions, NanIsNoNumber) {
  doc::Value nan(std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(must(must(Condition::parse("isNaN(result)")).holds(nan)));
  EXPECT_FALSE(must(must(Condition::parse("result < 1")).holds(nan)));
  EXPECT_FALSE(must(must(Condition::parse("result >= 1")).holds(nan)));
}

}  // namespace
}  // namespace slipway::verify
