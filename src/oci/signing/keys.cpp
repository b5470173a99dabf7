// Keys, and cosign's file of one: JSON in PEM, the key under scrypt and NaCl's secretbox.
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/signing.h"

namespace slipway::oci {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Bio = Owned<BIO, BIO_free_all>;
using Digester = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

constexpr std::string_view sealed_label = "ENCRYPTED SIGSTORE PRIVATE KEY", old_label = "ENCRYPTED COSIGN PRIVATE KEY";
struct Scrypt {
  std::uint64_t n = 65536;
  std::uint32_t r = 8, p = 1;
};

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
EVP_PKEY* key_of(void* key) { return static_cast<EVP_PKEY*>(key); }

Fail refused(std::string_view doing) {
  ERR_clear_error();
  return fail(Kind::internal, "{}: OpenSSL refuses", doing);
}

// Nobody sits there to be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

// The base64 between the lines of PEM, decoded; nothing when it is not this block.
std::optional<std::string> pem_block(std::string_view text, std::string_view label) {
  auto begin = fmt::format("-----BEGIN {}-----", label), end = fmt::format("-----END {}-----", label);
  auto from = text.find(begin);
  auto to = from == std::string_view::npos ? from : text.find(end, from);
  if (to == std::string_view::npos) return {};
  std::string body;
  for (char c : text.substr(from + begin.size(), to - from - begin.size()))
    if (!std::isspace(static_cast<unsigned char>(c))) body += c;
  auto decoded = from_base64(body);
  return decoded ? std::optional(*decoded) : std::nullopt;
}

std::string to_pem(std::string_view label, std::string_view bytes) {
  auto body = to_base64(bytes);
  std::string out = fmt::format("-----BEGIN {}-----\n", label);
  for (std::size_t i = 0; i < body.size(); i += 64) out += body.substr(i, 64) + "\n";
  return out + fmt::format("-----END {}-----\n", label);
}

Result<std::string> derive(std::string_view password, std::string_view salt, const Scrypt& cost) {
  // What a file asks for is bounded: 1 GB of memory.
  if (cost.n < 2 || cost.n > (1U << 20) || (cost.n & (cost.n - 1)) != 0 || cost.r != 8 || cost.p != 1)
    return fail(Kind::invalid, "scrypt with N={}, r={}, p={}: not what cosign writes", cost.n, cost.r, cost.p);
  std::string key(crypto_secretbox_KEYBYTES, '\0');
  if (sodium_init() < 0 ||
      crypto_pwhash_scryptsalsa208sha256_ll(bytes_of(password), password.size(), bytes_of(salt), salt.size(), cost.n,
                                            cost.r, cost.p, bytes_of(key), key.size()) != 0)
    return fail(Kind::unavailable, "scrypt: not enough memory");
  return key;
}

// The DER (PKCS #8) inside of cosign's file.
Result<std::string> unseal(std::string_view json, std::string_view password) {
  TRY(auto value, doc::parse_json(json, "cosign.key"));
  doc::View view(value, "cosign.key");
  if (view["kdf"]["name"].str_or("") != "scrypt") return view["kdf"]["name"].wrong("want scrypt");
  if (view["cipher"]["name"].str_or("") != "nacl/secretbox") return view["cipher"]["name"].wrong("want nacl/secretbox");
  auto cost = view["kdf"]["params"];
  auto salt = from_base64(view["kdf"]["salt"].str_or("")), nonce = from_base64(view["cipher"]["nonce"].str_or(""));
  auto box = from_base64(view["ciphertext"].str_or(""));
  if (!salt || !nonce || nonce->size() != crypto_secretbox_NONCEBYTES || !box ||
      box->size() <= crypto_secretbox_MACBYTES)
    return fail(Kind::invalid, "cosign.key: salt, nonce or ciphertext is broken");
  TRY(auto key,
      derive(password, *salt,
             {static_cast<std::uint64_t>(cost["N"].num_or(0)), static_cast<std::uint32_t>(cost["r"].num_or(0)),
              static_cast<std::uint32_t>(cost["p"].num_or(0))}));
  std::string der(box->size() - crypto_secretbox_MACBYTES, '\0');
  if (crypto_secretbox_open_easy(bytes_of(der), bytes_of(*box), box->size(), bytes_of(*nonce), bytes_of(key)) != 0)
    return Fail(Error(Kind::denied, "cosign.key: the password does not open it")
                    .with_hint("COSIGN_PASSWORD holds the password of a key file"));
  return der;
}

Key read_der(std::string_view der) {
  const auto* at = bytes_of(der);
  Key key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return key;
}

template <class Write>
std::string written(Write write) {
  Bio out(BIO_new(BIO_s_mem()));
  char* data = nullptr;
  if (!out || write(out.get()) != 1) return {};
  auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// Ed25519 has its hash within.
const EVP_MD* hash_for(EVP_PKEY* key) { return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256(); }

}  // namespace

Result<SigningKey> SigningKey::generate() {
  EVP_PKEY* made = EVP_EC_gen("P-256");
  if (made == nullptr) return refused("make a key");
  return SigningKey(made);
}

Result<SigningKey> SigningKey::load(std::string_view text, std::string_view password) {
  Key key;
  auto sealed = pem_block(text, sealed_label);
  if (!sealed) sealed = pem_block(text, old_label);
  if (sealed) {
    TRY(auto der, unseal(*sealed, password));
    key = read_der(der);
  } else {
    Bio in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    key = Key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
  }
  if (!key)
    return Fail(
        Error(Kind::invalid, "no private key that can be read: want a file of cosign's, or PEM without a passphrase"));
  return SigningKey(key.release());
}

SigningKey::SigningKey(SigningKey&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  std::swap(key_, other.key_);
  return *this;
}
SigningKey::~SigningKey() { EVP_PKEY_free(key_of(key_)); }

Result<std::string> SigningKey::sealed(std::string_view password) const {
  auto der = written(
      [&](BIO* out) { return i2d_PKCS8PrivateKey_bio(out, key_of(key_), nullptr, nullptr, 0, nullptr, nullptr); });
  if (der.empty()) return refused("write a key");
  Scrypt cost;
  auto salt = random_bytes(32), nonce = random_bytes(crypto_secretbox_NONCEBYTES);
  TRY(auto key, derive(password, salt, cost));
  std::string box(der.size() + crypto_secretbox_MACBYTES, '\0');
  crypto_secretbox_easy(bytes_of(box), bytes_of(der), der.size(), bytes_of(nonce), bytes_of(key));
  auto json = doc::print_json(doc::Map{
      {"kdf", doc::Map{{"name", "scrypt"},
                       {"params", doc::Map{{"N", static_cast<std::int64_t>(cost.n)}, {"r", cost.r}, {"p", cost.p}}},
                       {"salt", to_base64(salt)}}},
      {"cipher", doc::Map{{"name", "nacl/secretbox"}, {"nonce", to_base64(nonce)}}},
      {"ciphertext", to_base64(box)}});
  return to_pem(sealed_label, json);
}

std::string SigningKey::public_pem() const {
  return written([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key_of(key_)); });
}

Result<std::string> SigningKey::sign(std::string_view bytes) const {
  Digester digester(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (EVP_DigestSignInit(digester.get(), nullptr, hash_for(key_of(key_)), nullptr, key_of(key_)) != 1 ||
      EVP_DigestSign(digester.get(), nullptr, &size, bytes_of(bytes), bytes.size()) != 1)
    return refused("sign");
  std::string out(size, '\0');
  if (EVP_DigestSign(digester.get(), bytes_of(out), &size, bytes_of(bytes), bytes.size()) != 1) return refused("sign");
  out.resize(size);
  return out;
}

Result<VerificationKey> VerificationKey::load(std::string_view pem) {
  Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PUBKEY(in.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key)
    return Fail(Error(Kind::invalid, "no public key that can be read: want PEM (BEGIN PUBLIC KEY), as cosign.pub is"));
  return VerificationKey(key.release());
}

VerificationKey::VerificationKey(VerificationKey&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
VerificationKey& VerificationKey::operator=(VerificationKey&& other) noexcept {
  std::swap(key_, other.key_);
  return *this;
}
VerificationKey::~VerificationKey() { EVP_PKEY_free(key_of(key_)); }

bool VerificationKey::verifies(std::string_view bytes, std::string_view signature) const {
  Digester digester(EVP_MD_CTX_new());
  bool good =
      EVP_DigestVerifyInit(digester.get(), nullptr, hash_for(key_of(key_)), nullptr, key_of(key_)) == 1 &&
      EVP_DigestVerify(digester.get(), bytes_of(signature), signature.size(), bytes_of(bytes), bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

std::string VerificationKey::hint() const {
  auto der = written([&](BIO* out) { return i2d_PUBKEY_bio(out, key_of(key_)); });
  return to_base64(Hasher().update(der).finish_raw());
}

}  // namespace slipway::oci
