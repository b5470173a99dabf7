// A bundle that somebody attached to an image, read with a key; the same bytes as a key file.
#include "oci/signing/keyless.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::oci;
  static const auto* keys = [] {
    auto* out = new std::vector<VerificationKey>;
    if (auto key = SigningKey::generate())
      if (auto one = VerificationKey::load(key->public_pem())) out->push_back(*std::move(one));
    return out;
  }();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  SLP_ASSERT(!signing::open_bundle(text, *keys));  // nobody signed with a key that was just made
  (void)VerificationKey::load(text);
  static const signing::TrustParts nobody;
  SLP_ASSERT(!signing::open_keyless(text, nobody));  // whom nobody vouches for
  (void)TrustRoot::load(text);
  // One that is sealed costs a tenth of a second, whatever it holds.
  if (!text.contains("ENCRYPTED")) (void)SigningKey::load(text);
  return 0;
}
