#include "base/encode.h"
#include "base/text.h"
#include "secret/detail/pgp_packets.h"
#include "secret/openpgp.h"

namespace slipway::secret {
namespace {

constexpr std::string_view begins[] = {"-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----"};
constexpr std::size_t most_packets = 8;
constexpr unsigned signature_tag = 2;

Fail no_signature(std::string_view why) { return fail(Kind::invalid, "no OpenPGP signature: {}", why); }

// Big-endian, and eaten.
std::size_t number(std::string_view& rest, std::size_t size) {
  std::size_t value = 0;
  for (char c : rest.substr(0, size)) value = value << 8 | static_cast<unsigned char>(c);
  rest.remove_prefix(size);
  return value;
}

// The length of a packet's body, behind its first byte, which says how it is written.
Result<std::size_t> body_length(unsigned char first, std::string_view& rest) {
  std::size_t size = 1;
  if ((first & 0x40) == 0) {
    if ((first & 3) == 3) return no_signature("a packet of no known length");
    size <<= first & 3;
  } else if (!rest.empty() && static_cast<unsigned char>(rest[0]) >= 192) {
    auto lead = static_cast<unsigned char>(rest[0]);
    if (lead == 255)
      rest.remove_prefix(1), size = 4;
    else if (lead >= 224)
      return no_signature("a packet in parts");
    else if (rest.size() >= 2)
      return number(rest, 2) - (std::size_t{192} << 8) + 192;
    else
      return no_signature("ends in a packet");
  }
  if (rest.size() < size) return no_signature("ends in a packet");
  return number(rest, size);
}

Result<> check_packets(std::string_view rest) {
  for (std::size_t count = 0; !rest.empty(); ++count) {
    if (count == most_packets) return no_signature("more than eight packets");
    auto first = static_cast<unsigned char>(rest[0]);
    rest.remove_prefix(1);
    unsigned tag = (first & 0x40) != 0 ? first & 0x3f : first >> 2 & 0xf;
    if ((first & 0x80) == 0 || tag != signature_tag) return no_signature("something else is in it");
    TRY(auto length, body_length(first, rest));
    if (length > rest.size()) return no_signature("ends in a packet");
    rest.remove_prefix(length);
  }
  return {};
}

// What stands between the armor's lines, without its headers and checksum.
Result<std::string> armored_base64(std::string_view armored) {
  enum class At { before, headers, body, sum, after } at = At::before;
  std::string text;
  for (auto line : lines(armored)) {
    line = trim(line);
    bool begin = std::ranges::find(begins, line) != std::end(begins);
    if (at == At::before || at == At::after) {
      if (line.empty()) continue;
      if (!begin || at == At::after) return no_signature("something else stands beside it");
      at = At::headers;
    } else if (at == At::headers) {
      if (line.empty())
        at = At::body;
      else if (!line.contains(": ") && !line.ends_with(':'))
        return no_signature("want an empty line behind the armor's headers");
    } else if (line.starts_with("-----END PGP ")) {
      at = At::after;
    } else if (line.starts_with('=')) {
      at = At::sum;
    } else if (at == At::sum && !line.empty()) {
      return no_signature("something stands behind its checksum");
    } else {
      text += line;
    }
  }
  if (at != At::after) return no_signature("its armor does not end");
  return text;
}

}  // namespace

bool is_pgp_signature(std::string_view text) {
  return std::ranges::any_of(begins, [&](std::string_view begin) { return trim(text).starts_with(begin); });
}

std::string pgp_key_id(std::string_view text) {
  if (text.size() != 16 && text.size() != 40) return "";
  std::string id(text.substr(text.size() - 16));
  for (char& c : id) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos ? id : "";
}

namespace detail {

Result<std::string> signature_packets(std::string_view armored) {
  if (armored.size() > largest_signature)
    return fail(Kind::invalid, "a signature of {} bytes is too large, want at most {}", armored.size(),
                largest_signature);
  TRY(auto text, armored_base64(armored));
  auto packets = from_base64(text);
  if (!packets) return no_signature("its base64 is broken");
  if (packets->empty()) return no_signature("nothing is in it");
  TRY_OK(check_packets(*packets));
  return *std::move(packets);
}

}  // namespace detail
}  // namespace slipway::secret
