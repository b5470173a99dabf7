#pragma once
// The parts of age: bech32, armor, the header's stanzas, the payload's chunks.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "secret/age.h"

namespace slipway::secret::detail {

// BIP 173 without its limit of length. Errors: invalid.
struct Bech32 {
  std::string prefix, bytes;
};
Result<Bech32> decode_bech32(std::string_view text);
std::string encode_bech32(std::string_view prefix, std::string_view bytes);  // lower case

inline constexpr std::string_view armor_begin = "-----BEGIN AGE ENCRYPTED FILE-----";
inline constexpr std::string_view armor_end = "-----END AGE ENCRYPTED FILE-----";
std::string put_armor(std::string_view bytes);
// Strict: lines of 64, the last one shorter, canonical base64. Errors: invalid.
Result<std::string> take_armor(std::string_view text);

std::string encode_base64_plain(std::string_view bytes);  // no padding
// Canonical and without padding only.
std::optional<std::string> decode_base64_plain(std::string_view text);

struct Stanza {
  std::vector<std::string> arguments;  // the type first
  std::string body;
};
struct Header {
  std::vector<Stanza> stanzas;
  std::string mac;             // 32 bytes
  std::size_t signed_end = 0;  // how much of the file the mac covers
  std::size_t end = 0;         // where the payload starts
};
std::string print_stanza(const Stanza& stanza);
Result<Header> parse_header(std::string_view file);

std::string hkdf(std::string_view key, std::string_view salt, std::string_view info);  // SHA-256, 32 bytes
std::string seal_key(std::string_view wrapping, std::string_view file_key);
std::optional<std::string> open_key(std::string_view wrapping, std::string_view body);  // a file key of 16 bytes

// Chunks of 64 KiB, each under ChaCha20-Poly1305 with its number, the last one marked.
std::string seal_payload(std::string_view key, std::string_view plain);
Result<std::string> open_payload(std::string_view key, std::string_view sealed);

}  // namespace slipway::secret::detail
