// Tokens that strangers send: refused, whatever they are; a change to a token that we signed is seen.
#include "net/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  static const auto key = net::SigningKey::load(net::make_signing_key().value()).value();
  static const auto token = key.sign(R"({"sub":"a"})").value();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  SLP_ASSERT(!key.verify(text) || text == token);
  // The head and the claims of a true token with anything as its signature, and the other way round.
  auto dot = token.rfind('.');
  SLP_ASSERT(!key.verify(token.substr(0, dot + 1) + std::string(text)));
  SLP_ASSERT(!key.verify(std::string(text) + token.substr(dot)));
  return 0;
}
