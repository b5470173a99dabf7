#include "net/jwt.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::net {
namespace {

const std::string claims = R"({"sub":"ada"})";

TEST(Es256, SaysWhatItSigned) {
  auto key = must(Es256::load(must(make_signing_key())));
  auto token = must(key.sign(claims));
  EXPECT_EQ(must(key.verify(token)), claims);
  EXPECT_EQ(split(token, '.').size(), 3u);
  EXPECT_EQ(must(from_base64(split(token, '.')[2])).size(), 64u);
}

TEST(Es256, LoadsTheSameKeyAgain) {
  auto pem = must(make_signing_key());
  auto first = must(Es256::load(pem)), second = must(Es256::load(pem));
  EXPECT_EQ(first.key_id(), second.key_id());
  EXPECT_EQ(must(second.verify(must(first.sign(claims)))), claims);
}

TEST(Es256, RefusesWhatItDidNotSign) {
  auto key = must(Es256::load(must(make_signing_key()))), other = must(Es256::load(must(make_signing_key())));
  auto token = must(key.sign(claims));
  auto parts = split(token, '.');
  auto forged = to_base64url(R"({"sub":"eve"})");
  const std::string cases[] = {
      "",
      ".",
      "..",
      "a.b.c",
      must(other.sign(claims)),
      token + "x",
      token.substr(0, token.size() - 2),
      fmt::format("{}.{}.{}", parts[0], forged, parts[2]),
      fmt::format("{}.{}.", parts[0], parts[1]),
      fmt::format("{}.{}.", to_base64url(R"({"alg":"none"})"), forged),
      fmt::format("{}.{}.{}", to_base64url(R"({"alg":"HS256","typ":"JWT"})"), parts[1], parts[2]),
      fmt::format("{}.{}.{}", parts[0], parts[1], to_base64url(std::string(64, '\0'))),
  };
  for (const auto& text : cases) {
    auto said = key.verify(text);
    ASSERT_FALSE(said) << text;
    EXPECT_TRUE(said.error().is(Kind::denied)) << text;
  }
}

TEST(Es256, RefusesOtherKeys) {
  EXPECT_FALSE(Es256::load("no key"));
  EXPECT_FALSE(Es256::load(""));
}

}  // namespace
}  // namespace slipway::net
