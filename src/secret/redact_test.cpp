#include "secret/redact.h"

#include "base/encode.h"
#include "base/text.h"

namespace slipway::secret {
namespace {

std::string redact(std::initializer_list<std::string_view> secrets, std::string_view text) {
  RedactionSet set;
  for (auto secret : secrets) set.add(secret);
  auto whole = set.redact(text);
  EXPECT_EQ(set.hides(text), whole != text);
  // Cut anywhere, the stream says the same.
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    auto stream = set.stream();
    auto out = stream.write(text.substr(0, cut));
    out += stream.write(text.substr(cut));
    out += stream.finish();
    EXPECT_EQ(out, whole) << "cut at " << cut;
  }
  auto bytes = set.stream();
  std::string by_byte;
  for (char c : text) by_byte += bytes.write({&c, 1});
  EXPECT_EQ(by_byte + bytes.finish(), whole);
  return whole;
}

struct Case {
  const char* name;
  std::vector<std::string_view> secrets;
  std::string text, want;
};
class Redact : public testing::TestWithParam<Case> {};
TEST_P(Redact, HidesTheValue) {
  RedactionSet set;
  for (auto s : GetParam().secrets) set.add(s);
  EXPECT_EQ(set.redact(GetParam().text), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Redact,
    testing::ValuesIn(std::vector<Case>{
        {"Plain", {"hunter2x"}, "p=hunter2x!", "p=***!"},
        {"Twice", {"hunter2x"}, "hunter2xhunter2x", "******"},
        {"TooShort", {"ab"}, "ab ab", "ab ab"},
        {"NotThere", {"hunter2x"}, "hunter2", "hunter2"},
        {"OneInsideAnother", {"secret", "my-secret-key"}, "x my-secret-key y secret", "x *** y ***"},
        {"Overlapping", {"abcde", "defgh"}, "<abcdefgh>", "<***>"},
        {"Base64Whole", {"s3cr3t-value"}, "a " + to_base64("s3cr3t-value") + " b", "a *** b"},
        {"Percent", {"a/b c&d"}, "?x=a%2Fb%20c%26d&y=a%2fb%20c%26d&z=a%2Fb+c%26d", "?x=***&y=***&z=***"},
        {"Hex", {"hunter2x"}, to_hex("hunter2x"), "***"},
        {"Json", {"a\"b\\c\nd<e"}, R"({"k":"a\"b\\c\nd<e","g":"a\"b\\c\nd\u003ce"})", R"({"k":"***","g":"***"})"},
        {"Shell", {"it's-me-42"}, "echo 'it'\\''s-me-42'", "echo '***'"},
        {"EachLine", {"first line\nsecond line\n"}, "got: second line.", "got: ***."},
        {"LineEndOfAFile", {"token-1234\n"}, "token-1234 x", "*** x"},
    }),
    [](const auto& i) { return i.param.name; });

TEST(Redaction, HidesBase64AtAnyAlignment) {
  for (std::string before : {"", "u", "us", "user:"})
    for (std::string after : {"", "x", "xy", "xyz"}) {
      auto text = to_base64(before + "s3cr3t-value-42" + after);
      auto got = redact({"s3cr3t-value-42"}, text);
      EXPECT_NE(got.find("***"), std::string::npos) << text;
      EXPECT_LE(got.size(), 3 + 4 * (before.size() + after.size() + 6) / 3);
    }
}

TEST(Redaction, StreamHoldsNoMoreThanAPossibleStart) {
  RedactionSet set;
  set.add("hunter2x");
  auto stream = set.stream();
  EXPECT_EQ(stream.write("log hunt"), "log ");
  EXPECT_EQ(stream.write("ing"), "hunting");
  EXPECT_EQ(stream.write(" hunter2"), " ");
  EXPECT_EQ(stream.write("x and"), "*** and");
  EXPECT_EQ(stream.finish(), "");
  redact({"aab", "aaab", "baa"}, "aaaabaaabaaaab");
}

TEST(Redaction, EveryByteValueMayStandInASecret) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  RedactionSet set;
  set.add(all);
  EXPECT_EQ(set.redact("<" + all + ">"), "<***>");
}

TEST(Redaction, IsOnePassForManyValues) {
  RedactionSet set;
  for (int i = 0; i < 300; ++i) set.add(fmt::format("secret-value-{:08}", i * 7919));
  std::string text;
  while (text.size() < 4 << 20) text += "an ordinary line of a build log, secret-value-0000 and more of it\n";
  (void)set.hides("x");  // builds
  auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(set.redact(text), text);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

}  // namespace
}  // namespace slipway::secret
