#include "net/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/text.h"

namespace slipway::net {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Bio = Owned<BIO, BIO_free_all>;
using Digester = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Signature = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using Bytes = std::vector<unsigned char>;

constexpr int half = 32;  // bytes of r and of s

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Fail broken(std::string_view doing) {
  ERR_clear_error();
  return fail(Kind::internal, "{}: OpenSSL refuses", doing);
}

// A token has r and s side by side where OpenSSL has a DER sequence.
Result<std::string> to_raw(const Bytes& der) {
  const auto* at = der.data();
  Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!signature) return broken("signature");
  unsigned char raw[2 * half];
  if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw, half) != half ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw + half, half) != half)
    return broken("signature");
  return std::string(reinterpret_cast<char*>(raw), sizeof raw);
}

std::optional<Bytes> to_der(std::string_view raw) {
  if (raw.size() != 2 * half) return std::nullopt;
  Signature signature(ECDSA_SIG_new());
  auto* r = BN_bin2bn(bytes_of(raw), half, nullptr);
  auto* s = BN_bin2bn(bytes_of(raw) + half, half, nullptr);
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r), BN_free(s);
    return std::nullopt;
  }
  unsigned char* out = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &out);
  if (size <= 0) return std::nullopt;
  Bytes der(out, out + size);
  OPENSSL_free(out);
  return der;
}

// A passphrase is never asked for: nobody sits there.
int no_passphrase(char*, int, int, void*) { return -1; }

// The number n or e of an RSA key as RFC 7518 has it.
std::string number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  bool read = EVP_PKEY_get_bn_param(key, name, &number) == 1;
  SLP_ASSERT(read);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  BN_free(number);
  return to_base64url(bytes);
}

}  // namespace

Result<std::string> make_signing_key(KeyKind kind) {
  Key key(kind == KeyKind::p256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048));
  Bio out(BIO_new(BIO_s_mem()));
  if (!key || PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return broken("signing key");
  char* data = nullptr;
  auto size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<SigningKey> SigningKey::load(std::string_view private_key_pem) {
  Bio in(BIO_new_mem_buf(private_key_pem.data(), static_cast<int>(private_key_pem.size())));
  SigningKey loaded(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  auto* key = static_cast<EVP_PKEY*>(loaded.key_);
  char group[32] = "";
  loaded.rsa_ = key != nullptr && EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) >= 2048;
  bool p256 = key != nullptr && !loaded.rsa_ && EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 &&
              std::string_view(group) == "prime256v1";
  if (!loaded.rsa_ && !p256) {
    ERR_clear_error();
    return fail(Kind::invalid,
                "signing key: want a P-256 or an RSA private key (2048 bits and more) in PEM without a passphrase");
  }
  unsigned char* der = nullptr;
  int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return broken("public key");
  Hasher hasher;
  hasher.update({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  auto digest = from_hex(hasher.finish_hex());
  loaded.key_id_ = to_base64url(digest ? *digest : std::string());
  loaded.header_ =
      to_base64url(fmt::format(R"({{"alg":"{}","kid":"{}","typ":"JWT"}})", loaded.algorithm(), loaded.key_id_));
  return loaded;
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : key_(std::exchange(other.key_, nullptr)),
      rsa_(other.rsa_),
      key_id_(std::move(other.key_id_)),
      header_(std::move(other.header_)) {}
SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  std::swap(key_, other.key_), std::swap(rsa_, other.rsa_);
  std::swap(key_id_, other.key_id_), std::swap(header_, other.header_);
  return *this;
}
SigningKey::~SigningKey() { EVP_PKEY_free(static_cast<EVP_PKEY*>(key_)); }

Result<std::string> SigningKey::sign(std::string_view claims) const {
  auto text = header_ + "." + to_base64url(claims);
  Digester digester(EVP_MD_CTX_new());
  auto* key = static_cast<EVP_PKEY*>(key_);
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  auto size = signature.size();
  if (!digester || EVP_DigestSignInit(digester.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(digester.get(), signature.data(), &size, bytes_of(text), text.size()) != 1)
    return broken("sign");
  signature.resize(size);
  if (rsa_) return text + "." + to_base64url({reinterpret_cast<char*>(signature.data()), signature.size()});
  TRY(auto raw, to_raw(signature));
  return text + "." + to_base64url(raw);
}

// The header must be ours to the letter: no algorithm is chosen by the one who shows the token.
Result<std::string> SigningKey::verify(std::string_view token) const {
  auto parts = split(token, '.');
  if (parts.size() != 3 || parts[0] != header_) return fail(Kind::denied, "token: not signed by this server");
  auto raw = from_base64(parts[2]);
  std::optional<Bytes> signature;
  if (raw) signature = rsa_ ? Bytes(bytes_of(*raw), bytes_of(*raw) + raw->size()) : to_der(*raw);
  auto signed_text = token.substr(0, parts[0].size() + 1 + parts[1].size());
  Digester digester(EVP_MD_CTX_new());
  bool good = signature && digester &&
              EVP_DigestVerifyInit(digester.get(), nullptr, EVP_sha256(), nullptr, static_cast<EVP_PKEY*>(key_)) == 1 &&
              EVP_DigestVerify(digester.get(), signature->data(), signature->size(), bytes_of(signed_text),
                               signed_text.size()) == 1;
  ERR_clear_error();
  if (!good) return fail(Kind::denied, "token: its signature does not fit");
  auto claims = from_base64(parts[1]);
  if (!claims) return fail(Kind::denied, "token: its claims are no base64url");
  return *std::move(claims);
}

std::string SigningKey::jwk() const {
  auto* key = static_cast<EVP_PKEY*>(key_);
  if (rsa_)
    return fmt::format(R"({{"kty":"RSA","use":"sig","alg":"RS256","kid":"{}","n":"{}","e":"{}"}})", key_id_,
                       number_of(key, OSSL_PKEY_PARAM_RSA_N), number_of(key, OSSL_PKEY_PARAM_RSA_E));
  unsigned char point[1 + 2 * half];  // 4, x, y
  std::size_t size = 0;
  bool read = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size) == 1;
  SLP_ASSERT(read && size == sizeof point && point[0] == POINT_CONVERSION_UNCOMPRESSED);
  std::string_view bytes(reinterpret_cast<char*>(point) + 1, 2 * half);
  return fmt::format(R"({{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"{}","x":"{}","y":"{}"}})", key_id_,
                     to_base64url(bytes.substr(0, half)), to_base64url(bytes.substr(half)));
}

}  // namespace slipway::net
