#include "secret/ssh_signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/encode.h"
#include "base/fd.h"
#include "base/text.h"
#include "secret/openpgp.h"

namespace slipway::secret {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Digester = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Number = Owned<BIGNUM, BN_free>;
using Parameters = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using Builder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using EcdsaSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

constexpr std::string_view begin = "-----BEGIN SSH SIGNATURE-----", end = "-----END SSH SIGNATURE-----";
constexpr std::string_view magic = "SSHSIG", purpose = "git";
constexpr int least_rsa_bits = 2048, most_rsa_bits = 16384;

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Fields one behind the other; after one that is not there all are empty and it is broken.
struct Wire {
  std::string_view rest;
  bool broken = false;

  std::uint32_t number() {
    if (rest.size() < 4) return broken = true, 0;
    std::uint32_t value = 0;
    for (char c : rest.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
    rest.remove_prefix(4);
    return value;
  }
  std::string_view text() {
    auto size = number();
    if (broken || size > rest.size()) return broken = true, std::string_view();
    auto field = rest.substr(0, size);
    rest.remove_prefix(size);
    return field;
  }
  bool ended() const { return !broken && rest.empty(); }
};

std::string field(std::string_view text) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(text.size() >> shift & 0xff);
  return out.append(text);
}

std::string digest(const EVP_MD* how, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), &size, how, nullptr);
  return out.substr(0, size);
}

std::string fingerprint(std::string_view blob) {
  auto text = to_base64(digest(EVP_sha256(), blob));
  return "SHA256:" + text.substr(0, text.find('='));
}

struct Curve {
  std::string_view type, name;
  const char* group;
  const EVP_MD* (*hash)();
};
constexpr Curve curves[] = {{"ecdsa-sha2-nistp256", "nistp256", "P-256", EVP_sha256},
                            {"ecdsa-sha2-nistp384", "nistp384", "P-384", EVP_sha384},
                            {"ecdsa-sha2-nistp521", "nistp521", "P-521", EVP_sha512}};
const Curve* curve_of(std::string_view type) {
  const auto* found = std::ranges::find(curves, type, &Curve::type);
  return found == std::end(curves) ? nullptr : found;
}

Key key_from(const char* kind, OSSL_PARAM_BLD* builder) {
  Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* made = nullptr;
  if (parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1 &&
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    made = nullptr;
  ERR_clear_error();
  return Key(made);
}

Key rsa_key(std::string_view exponent, std::string_view modulus) {
  if (modulus.size() > most_rsa_bits / 8 + 1 || exponent.size() > 8) return {};
  Number e(BN_bin2bn(raw(exponent), static_cast<int>(exponent.size()), nullptr));
  Number n(BN_bin2bn(raw(modulus), static_cast<int>(modulus.size()), nullptr));
  Builder builder(OSSL_PARAM_BLD_new());
  if (!e || !n || !builder || BN_num_bits(n.get()) < least_rsa_bits ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return {};
  return key_from("RSA", builder.get());
}

Key curve_key(const Curve& curve, std::string_view point) {
  Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return {};
  return key_from("EC", builder.get());
}

// Null for what is no key, or none of those that are understood.
Key key_of(std::string_view blob) {
  Wire wire{blob};
  auto type = wire.text();
  Key key;
  if (type == "ssh-ed25519") {
    auto bytes = wire.text();
    if (wire.ended() && bytes.size() == 32)
      key.reset(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(bytes), bytes.size()));
  } else if (type == "ssh-rsa") {
    auto exponent = wire.text(), modulus = wire.text();
    if (wire.ended()) key = rsa_key(exponent, modulus);
  } else if (const auto* curve = curve_of(type)) {
    auto name = wire.text(), point = wire.text();
    if (wire.ended() && name == curve->name) key = curve_key(*curve, point);
  }
  ERR_clear_error();
  return key;
}

// Two numbers, as OpenSSL wants them.
std::string ecdsa_der(std::string_view signature) {
  Wire wire{signature};
  auto first = wire.text(), second = wire.text();
  EcdsaSignature both(ECDSA_SIG_new());
  Number r(BN_bin2bn(raw(first), static_cast<int>(first.size()), nullptr));
  Number s(BN_bin2bn(raw(second), static_cast<int>(second.size()), nullptr));
  if (!wire.ended() || !both || !r || !s || first.size() > 67 || second.size() > 67) return "";
  ECDSA_SIG_set0(both.get(), r.release(), s.release());
  unsigned char* out = nullptr;
  int size = i2d_ECDSA_SIG(both.get(), &out);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

bool verified(EVP_PKEY* key, std::string_view type, std::string_view key_type, std::string_view bytes,
              std::string_view text) {
  const EVP_MD* hash = nullptr;
  std::string signature(bytes);
  if (key_type == "ssh-rsa") {
    // With SHA-1 ("ssh-rsa") nobody signs any more.
    if (type != "rsa-sha2-256" && type != "rsa-sha2-512") return false;
    hash = type == "rsa-sha2-256" ? EVP_sha256() : EVP_sha512();
  } else if (type != key_type) {
    return false;
  } else if (const auto* curve = curve_of(type)) {
    hash = curve->hash();
    signature = ecdsa_der(bytes);
  }
  Digester digester(EVP_MD_CTX_new());
  bool good = digester && EVP_DigestVerifyInit(digester.get(), nullptr, hash, nullptr, key) == 1 &&
              EVP_DigestVerify(digester.get(), raw(signature), signature.size(), raw(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

Fail no_signature(std::string_view why) { return fail(Kind::invalid, "no SSH signature: {}", why); }

// Of what somebody wrote, as much as an error may say.
std::string quoted(std::string_view text) { return fmt::format("{:?}", text.substr(0, 40)); }

Result<std::string> unarmor(std::string_view text) {
  if (text.size() > largest_signature)
    return fail(Kind::invalid, "a signature of {} bytes is too large, want at most {}", text.size(), largest_signature);
  text = trim(text);
  if (!text.starts_with(begin) || !text.ends_with(end) || text.size() < begin.size() + end.size())
    return no_signature("its armor does not begin, or end");
  auto bytes = from_base64(text.substr(begin.size(), text.size() - begin.size() - end.size()));
  return bytes ? bytes : Result<std::string>(no_signature("its base64 is broken"));
}

// The key in a line of authorized_keys: the first two words that are one, for options stand before them.
Result<std::string> key_in(std::string_view line) {
  std::string_view type, rest = line;
  while (!rest.empty()) {
    auto word = rest.substr(0, rest.find_first_of(" \t"));
    rest = trim(rest.substr(word.size()));
    auto blob = from_base64(word);
    if (blob && !type.empty() && Wire{*blob}.text() == type) {
      if (!key_of(*blob)) return fail(Kind::invalid, "a key of {} that is not understood", quoted(type));
      return *std::move(blob);
    }
    type = word;
  }
  return fail(Kind::invalid, "no SSH public key, want TYPE BASE64");
}

}  // namespace

bool is_ssh_signature(std::string_view text) { return trim(text).starts_with(begin); }

Result<> SshKeys::add(std::string_view text) {
  std::vector<std::string> blobs;
  std::size_t number = 0;
  for (auto line : lines(text)) {
    ++number;
    if (line = trim(line); line.empty() || line.starts_with('#')) continue;
    TRY_IN(auto blob, fmt::format("line {}", number), key_in(line));
    blobs.push_back(std::move(blob));
  }
  blobs_.insert(blobs_.end(), blobs.begin(), blobs.end());
  return {};
}

Result<std::string> SshKeys::check(std::string_view payload, std::string_view signature) const {
  TRY(auto bytes, unarmor(signature));
  Wire wire{bytes};
  if (!wire.rest.starts_with(magic)) return no_signature("it does not say that it is one");
  wire.rest.remove_prefix(magic.size());
  auto version = wire.number();
  auto blob = wire.text(), name_space = wire.text(), reserved = wire.text(), hash = wire.text(),
       signed_by = wire.text();
  if (!wire.ended()) return no_signature("its fields are broken");
  if (version != 1) return no_signature(fmt::format("of version {}, want 1", version));
  if (hash != "sha256" && hash != "sha512")
    return no_signature(fmt::format("of a hash {}, want sha256 or sha512", quoted(hash)));
  auto key = key_of(blob);
  if (!key) return no_signature(fmt::format("of a key {} that is not understood", quoted(Wire{blob}.text())));
  Wire of{signed_by};
  auto type = of.text(), value = of.text();
  if (!of.ended()) return no_signature("its fields are broken");
  auto print = fingerprint(blob);
  if (std::ranges::find(blobs_, blob) == blobs_.end()) return fail(Kind::denied, "signed with another key, {}", print);
  if (name_space != purpose) return fail(Kind::denied, "signed for {}, want \"{}\"", quoted(name_space), purpose);
  auto text = fmt::format("{}{}{}{}{}", magic, field(name_space), field(reserved), field(hash),
                          field(digest(hash == "sha256" ? EVP_sha256() : EVP_sha512(), payload)));
  if (!verified(key.get(), type, Wire{blob}.text(), value, text))
    return fail(Kind::denied, "bad signature of key {}", print);
  return print;
}

}  // namespace slipway::secret
