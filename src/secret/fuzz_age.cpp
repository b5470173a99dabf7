// An age file from anybody: read without a crash, and never opened by a key it was not made for. Keys and stanzas that
// are read print as what they were read from.
#include "secret/detail/age.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 65536));
  static const auto identity = secret::AgeIdentity::generate();
  SLP_ASSERT(!secret::age_decrypt(text, {&identity, 1}));
  if (auto key = secret::detail::decode_bech32(text))
    SLP_ASSERT(secret::detail::decode_bech32(secret::detail::encode_bech32(key->prefix, key->bytes))->bytes ==
               key->bytes);
  if (auto header = secret::detail::parse_header(text)) {
    std::string again = "age-encryption.org/v1\n";
    for (const auto& stanza : header->stanzas) again += secret::detail::print_stanza(stanza);
    SLP_ASSERT(text.starts_with(again));
  }
  return 0;
}
