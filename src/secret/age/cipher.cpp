// What age computes: key derivation, wrapped keys, the payload's chunks.
#include <sodium.h>

#include "base/hash.h"
#include "secret/detail/age.h"

namespace slipway::secret::detail {
namespace {

constexpr std::size_t chunk = 65536, tag = crypto_aead_chacha20poly1305_ietf_ABYTES;
using Nonce = std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string seal(std::string_view key, const Nonce& nonce, std::string_view plain) {
  std::string out(plain.size() + tag, '\0');
  crypto_aead_chacha20poly1305_ietf_encrypt(raw(out), nullptr, raw(plain), plain.size(), nullptr, 0, nullptr,
                                            nonce.data(), raw(key));
  return out;
}
bool open(std::string_view key, const Nonce& nonce, std::string_view sealed, std::string& out) {
  if (sealed.size() < tag) return false;
  std::string plain(sealed.size() - tag, '\0');
  if (crypto_aead_chacha20poly1305_ietf_decrypt(raw(plain), nullptr, nullptr, raw(sealed), sealed.size(), nullptr, 0,
                                                nonce.data(), raw(key)) != 0)
    return false;
  out += plain;
  return true;
}

// 11 bytes of counter, one that marks the last chunk.
Nonce nonce_of(std::uint64_t number, bool last) {
  Nonce nonce{};
  for (int i = 10; i >= 3; --i, number >>= 8U) nonce[static_cast<std::size_t>(i)] = number & 0xffU;
  nonce[11] = last ? 1 : 0;
  return nonce;
}

}  // namespace

std::string hkdf(std::string_view key, std::string_view salt, std::string_view info) {
  auto extracted = hmac_sha256(salt.empty() ? std::string(32, '\0') : std::string(salt), key);
  return hmac_sha256(extracted, std::string(info) + '\x01');
}

std::string seal_key(std::string_view wrapping, std::string_view file_key) { return seal(wrapping, {}, file_key); }

std::optional<std::string> open_key(std::string_view wrapping, std::string_view body) {
  std::string key;
  if (body.size() != 16 + tag || !open(wrapping, {}, body, key)) return {};
  return key;
}

std::string seal_payload(std::string_view key, std::string_view plain) {
  std::string out;
  std::uint64_t number = 0;
  do {
    auto piece = plain.substr(0, chunk);
    plain.remove_prefix(piece.size());
    out += seal(key, nonce_of(number++, plain.empty()), piece);
  } while (!plain.empty());
  return out;
}

Result<std::string> open_payload(std::string_view key, std::string_view sealed) {
  std::string out;
  std::uint64_t number = 0;
  do {
    auto piece = sealed.substr(0, chunk + tag);
    sealed.remove_prefix(piece.size());
    bool empty_end = sealed.empty() && piece.size() == tag && number > 0;
    if (empty_end || !open(key, nonce_of(number++, sealed.empty()), piece, out))
      return fail(Kind::corrupt, "age file: was cut or changed after it was encrypted");
  } while (!sealed.empty());
  return out;
}

}  // namespace slipway::secret::detail
