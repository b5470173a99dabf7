// Bech32 (BIP 173), as age writes keys with it.
#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "secret/detail/age.h"

namespace slipway::secret::detail {
namespace {

constexpr std::string_view letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

std::uint32_t step(std::uint32_t sum, std::uint8_t value) {
  static constexpr std::uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  auto top = sum >> 25U;
  sum = ((sum & 0x1ffffffU) << 5U) ^ value;
  for (unsigned i = 0; i < 5; ++i)
    if ((top >> i) & 1U) sum ^= generator[i];
  return sum;
}

std::uint32_t start(std::string_view prefix) {
  std::uint32_t sum = 1;
  for (unsigned char c : prefix) sum = step(sum, c >> 5U);
  sum = step(sum, 0);
  for (unsigned char c : prefix) sum = step(sum, c & 31U);
  return sum;
}

}  // namespace

std::string encode_bech32(std::string_view prefix, std::string_view bytes) {
  std::string out(prefix);
  out += '1';
  auto sum = start(prefix);
  std::uint32_t held = 0;
  int bits = 0;
  auto put = [&](std::uint32_t five) {
    out += letters[five];
    sum = step(sum, static_cast<std::uint8_t>(five));
  };
  for (unsigned char c : bytes) {
    held = (held << 8U) | c;
    for (bits += 8; bits >= 5; bits -= 5) put((held >> static_cast<unsigned>(bits - 5)) & 31U);
  }
  if (bits > 0) put((held << static_cast<unsigned>(5 - bits)) & 31U);
  for (int i = 0; i < 6; ++i) sum = step(sum, 0);
  sum ^= 1U;
  for (int i = 0; i < 6; ++i) out += letters[(sum >> static_cast<unsigned>(5 * (5 - i))) & 31U];
  return out;
}

Result<Bech32> decode_bech32(std::string_view text) {
  auto folded = lower(text);
  bool has_lower = std::any_of(text.begin(), text.end(), [](unsigned char c) { return std::islower(c) != 0; });
  if (folded != text && has_lower) return fail(Kind::invalid, "a key mixes upper and lower case");
  auto one = folded.rfind('1');
  if (one == std::string::npos || one == 0 || folded.size() - one < 7 || folded.size() > 1000)
    return fail(Kind::invalid, "a key is not complete");
  Bech32 result{folded.substr(0, one), {}};
  auto sum = start(result.prefix);
  std::uint32_t held = 0;
  int bits = 0;
  for (std::size_t i = one + 1; i < folded.size(); ++i) {
    auto value = letters.find(folded[i]);
    if (value == std::string_view::npos) return fail(Kind::invalid, "a key has a letter that does not belong there");
    sum = step(sum, static_cast<std::uint8_t>(value));
    if (i + 6 >= folded.size()) continue;
    held = ((held << 5U) | static_cast<std::uint32_t>(value)) & 0xfffU;
    if ((bits += 5) >= 8) {
      bits -= 8;
      result.bytes += static_cast<char>((held >> static_cast<unsigned>(bits)) & 0xffU);
    }
  }
  if (sum != 1) return fail(Kind::invalid, "a key's check sum is wrong: a letter is missing or mistyped");
  if (bits >= 5 || (held & ((1U << static_cast<unsigned>(bits)) - 1U)) != 0)
    return fail(Kind::invalid, "a key's end is wrong");
  return result;
}

}  // namespace slipway::secret::detail
