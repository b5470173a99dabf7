#include "secret/age.h"

#include <sodium.h>

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "secret/detail/age.h"

namespace slipway::secret {
namespace {

using namespace detail;

constexpr std::string_view x25519_info = "age-encryption.org/v1/X25519", scrypt_label = "age-encryption.org/v1/scrypt";
constexpr int most_cost = 22;  // 4 GiB of memory; what a file may ask for

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// The shared secret; nothing for points that give none.
std::optional<std::string> agree(std::string_view scalar, std::string_view point) {
  std::string shared(crypto_scalarmult_curve25519_BYTES, '\0');
  if (crypto_scalarmult_curve25519(raw(shared), raw(scalar), raw(point)) != 0) return {};
  return shared;
}
std::string point_of(std::string_view scalar) {
  std::string point(crypto_scalarmult_curve25519_BYTES, '\0');
  crypto_scalarmult_curve25519_base(raw(point), raw(scalar));
  return point;
}

Result<std::string> scrypt(std::string_view passphrase, std::string_view salt, int cost) {
  auto salted = std::string(scrypt_label) + std::string(salt);
  std::string key(32, '\0');
  if (crypto_pwhash_scryptsalsa208sha256_ll(raw(passphrase), passphrase.size(), raw(salted), salted.size(),
                                            std::uint64_t{1} << static_cast<unsigned>(cost), 8, 1, raw(key),
                                            key.size()) != 0)
    return fail(Kind::unavailable, "age file: not enough memory for its passphrase (2^{} KiB)", cost);
  return key;
}

std::string assemble(std::string_view file_key, std::string_view plain, std::span<const Stanza> stanzas, Armor armor) {
  std::string out = "age-encryption.org/v1\n";
  for (const auto& stanza : stanzas) out += print_stanza(stanza);
  out += "---";
  auto mac = hmac_sha256(hkdf(file_key, "", "header"), out);
  auto nonce = random_bytes(16);
  out += " " + encode_base64_plain(mac) + "\n" + nonce + seal_payload(hkdf(file_key, nonce, "payload"), plain);
  return armor == Armor::yes ? put_armor(out) : out;
}

Result<> unpack(std::string_view file, std::string& bytes, Header& header) {
  std::string_view text = file;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  if (text.starts_with(armor_begin)) {
    TRY(bytes, take_armor(text));
  } else {
    bytes = file;
  }
  TRY(header, parse_header(bytes));
  return {};
}

Result<std::string> finish(const std::string& bytes, const Header& header, std::string_view file_key) {
  auto mac = hmac_sha256(hkdf(file_key, "", "header"), std::string_view(bytes).substr(0, header.signed_end));
  if (!same_secret(mac, header.mac)) return fail(Kind::corrupt, "age file: its header was changed");
  auto payload = std::string_view(bytes).substr(header.end);
  if (payload.size() < 16) return fail(Kind::corrupt, "age file: is cut short");
  return open_payload(hkdf(file_key, payload.substr(0, 16), "payload"), payload.substr(16));
}

// The file key in one stanza, if it is for this identity. Errors: invalid (a stanza that nobody can have written).
Result<std::optional<std::string>> open_stanza(const Stanza& stanza, const AgeIdentity& identity) {
  if (stanza.arguments[0] != "X25519") return std::nullopt;
  auto share = stanza.arguments.size() == 2 ? decode_base64_plain(stanza.arguments[1]) : std::nullopt;
  if (!share || share->size() != 32 || stanza.body.size() != 32)
    return fail(Kind::invalid, "age file: an X25519 recipient is not well formed");
  auto shared = agree(identity.scalar().bytes(), *share);
  if (!shared) return fail(Kind::invalid, "age file: an X25519 recipient has a point of low order");
  return open_key(hkdf(*shared, *share + identity.point(), x25519_info), stanza.body);
}

bool is_passphrase(const Header& header) {
  return std::any_of(header.stanzas.begin(), header.stanzas.end(),
                     [](const Stanza& stanza) { return stanza.arguments[0] == "scrypt"; });
}

}  // namespace

void Secret::wipe() {
  sodium_memzero(bytes_.data(), bytes_.size());
  bytes_.clear();
}
Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = other.bytes_;
  other.wipe();
  return *this;
}

Result<AgeRecipient> AgeRecipient::parse(std::string_view text) {
  auto trimmed = trim(text);
  auto decoded = decode_bech32(trimmed);
  if (!decoded) return Fail(std::move(decoded).error().in(trimmed));
  if (decoded->prefix != "age" || decoded->bytes.size() != 32)
    return fail(Kind::invalid, "{}: want an age recipient, age1 and 58 letters", trimmed);
  return AgeRecipient(encode_bech32("age", decoded->bytes), decoded->bytes);
}

AgeIdentity::AgeIdentity(Secret scalar)
    : scalar_(std::move(scalar)), point_(point_of(scalar_.bytes())), recipient_(encode_bech32("age", point_)) {}

AgeIdentity AgeIdentity::generate() { return AgeIdentity(Secret(random_bytes(32))); }

Result<AgeIdentity> AgeIdentity::parse(std::string_view text) {
  auto trimmed = trim(text);
  auto decoded = decode_bech32(trimmed);
  if (!decoded) return Fail(std::move(decoded).error().in("age identity"));
  if (decoded->prefix != "age-secret-key-" || decoded->bytes.size() != 32 || trimmed.front() != 'A')
    return fail(Kind::invalid, "age identity: want AGE-SECRET-KEY-1 and 58 letters, in upper case");
  return AgeIdentity(Secret(std::move(decoded->bytes)));
}

std::string AgeIdentity::text() const {
  auto text = encode_bech32("age-secret-key-", scalar_.bytes());
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

Result<std::vector<AgeIdentity>> parse_identities(std::string_view text, std::string_view source) {
  std::vector<AgeIdentity> identities;
  int number = 0;
  for (auto line : lines(text)) {
    ++number;
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto identity = AgeIdentity::parse(line);
    if (!identity) return Fail(std::move(identity).error().in(fmt::format("{}:{}", source, number)));
    identities.push_back(*std::move(identity));
  }
  return identities;
}

Result<std::string> age_encrypt(std::string_view plain, std::span<const AgeRecipient> recipients, Armor armor) {
  if (recipients.empty()) return fail(Kind::invalid, "age file: want at least one recipient");
  Secret file_key(random_bytes(16));
  std::vector<Stanza> stanzas;
  for (const auto& recipient : recipients) {
    Secret scalar(random_bytes(32));
    auto share = point_of(scalar.bytes());
    auto shared = agree(scalar.bytes(), recipient.point());
    if (!shared) return fail(Kind::invalid, "{}: is a point of low order, want a recipient", recipient.text());
    auto wrapping = hkdf(*shared, share + recipient.point(), x25519_info);
    stanzas.push_back({{"X25519", encode_base64_plain(share)}, seal_key(wrapping, file_key.bytes())});
  }
  return assemble(file_key.bytes(), plain, stanzas, armor);
}

Result<std::string> age_encrypt(std::string_view plain, std::string_view passphrase, Armor armor, int cost) {
  if (passphrase.empty()) return fail(Kind::invalid, "age file: want a passphrase");
  Secret file_key(random_bytes(16));
  auto salt = random_bytes(16);
  TRY(auto wrapping, scrypt(passphrase, salt, cost));
  Stanza stanza{{"scrypt", encode_base64_plain(salt), std::to_string(cost)}, seal_key(wrapping, file_key.bytes())};
  return assemble(file_key.bytes(), plain, {&stanza, 1}, armor);
}

Result<std::string> age_decrypt(std::string_view file, std::span<const AgeIdentity> identities) {
  std::string bytes;
  Header header;
  TRY_OK(unpack(file, bytes, header));
  if (is_passphrase(header)) {
    if (header.stanzas.size() > 1) return fail(Kind::invalid, "age file: has a passphrase and other recipients");
    return fail(Kind::denied, "age file: wants a passphrase, not a key");
  }
  for (const auto& stanza : header.stanzas) {
    for (const auto& identity : identities) {
      TRY(auto file_key, open_stanza(stanza, identity));
      if (file_key) return finish(bytes, header, Secret(*std::move(file_key)).bytes());
    }
  }
  return fail(Kind::denied, "age file: none of {} keys opens it", identities.size());
}

Result<std::string> age_decrypt(std::string_view file, std::string_view passphrase) {
  std::string bytes;
  Header header;
  TRY_OK(unpack(file, bytes, header));
  if (!is_passphrase(header)) return fail(Kind::denied, "age file: wants a key, not a passphrase");
  const auto& stanza = header.stanzas.front();
  auto salt = stanza.arguments.size() == 3 ? decode_base64_plain(stanza.arguments[1]) : std::nullopt;
  auto cost = stanza.arguments.size() == 3 ? to_int(stanza.arguments[2]) : std::nullopt;
  if (header.stanzas.size() != 1 || !salt || salt->size() != 16 || !cost || *cost < 1 ||
      std::to_string(*cost) != stanza.arguments[2] || stanza.body.size() != 32)
    return fail(Kind::invalid, "age file: its passphrase recipient is not well formed");
  if (*cost > most_cost)
    return fail(Kind::denied, "age file: wants 2^{} rounds of scrypt, at most 2^{} here", *cost, most_cost);
  TRY(auto wrapping, scrypt(passphrase, *salt, static_cast<int>(*cost)));
  auto file_key = open_key(wrapping, stanza.body);
  if (!file_key) return fail(Kind::denied, "age file: the passphrase does not open it");
  return finish(bytes, header, Secret(*std::move(file_key)).bytes());
}

bool is_age_file(std::string_view text) {
  return text.starts_with("age-encryption.org/v1\n") || trim(text).starts_with(armor_begin);
}

}  // namespace slipway::secret
