#include "net/jwt.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::net {
namespace {

const std::string claims = R"({"sub":"ada"})";

TEST(SigningKey, SaysWhatItSigned) {
  auto key = must(SigningKey::load(must(make_signing_key())));
  auto token = must(key.sign(claims));
  EXPECT_EQ(must(key.verify(token)), claims);
  EXPECT_EQ(split(token, '.').size(), 3u);
  EXPECT_EQ(must(from_base64(split(token, '.')[2])).size(), 64u);
}

TEST(SigningKey, LoadsTheSameKeyAgain) {
  auto pem = must(make_signing_key());
  auto first = must(SigningKey::load(pem)), second = must(SigningKey::load(pem));
  EXPECT_EQ(first.key_id(), second.key_id());
  EXPECT_EQ(must(second.verify(must(first.sign(claims)))), claims);
}

TEST(SigningKey, RefusesWhatItDidNotSign) {
  auto key = must(SigningKey::load(must(make_signing_key()))), other = must(SigningKey::load(must(make_signing_key())));
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

TEST(SigningKey, SignsByRsaToo) {
  auto key = must(SigningKey::load(must(make_signing_key(KeyKind::rsa2048))));
  EXPECT_EQ(key.algorithm(), "RS256");
  auto token = must(key.sign(claims));
  auto parts = split(token, '.');
  EXPECT_EQ(must(key.verify(token)), claims);
  EXPECT_EQ(must(from_base64(parts[0])), fmt::format(R"({{"alg":"RS256","kid":"{}","typ":"JWT"}})", key.key_id()));
  EXPECT_EQ(must(from_base64(parts[2])).size(), 256u);
  EXPECT_TRUE(key.jwk().contains(R"("kty":"RSA","use":"sig","alg":"RS256")")) << key.jwk();
  EXPECT_TRUE(key.jwk().contains(R"("e":"AQAB")")) << key.jwk();
  EXPECT_FALSE(key.verify(fmt::format("{}.{}.{}", parts[0], to_base64url(R"({"sub":"eve"})"), parts[2])));
  EXPECT_FALSE(key.verify(fmt::format("{}.{}.", parts[0], parts[1])));
  auto other = must(SigningKey::load(must(make_signing_key())));
  EXPECT_FALSE(other.verify(token));
  EXPECT_FALSE(key.verify(must(other.sign(claims))));
}

TEST(SigningKey, RefusesOtherKeys) {
  EXPECT_FALSE(SigningKey::load("no key"));
  EXPECT_FALSE(SigningKey::load(""));
}

}  // namespace
}  // namespace slipway::net
