// Keys and values of SealedSecrets.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "base/hash.h"
#include "secret/detail/crypt.h"
#include "secret/sealed.h"

namespace slipway::secret {
namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

constexpr std::size_t session_size = 32, gcm_tag = 16;
constexpr int ten_years = 10 * 365 * 24 * 3600;
const std::string zero_nonce(12, '\0');

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
EVP_PKEY* key_of(void* key) { return static_cast<EVP_PKEY*>(key); }

Owned<BIO> reader(std::string_view text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}
int no_passphrase(char*, int, int, void*) { return -1; }

Owned<X509> certificate_of(std::string_view pem) {
  Owned<X509> certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  return certificate;
}

template <class Write>
std::string written(Write write) {
  Owned<BIO> out(BIO_new(BIO_s_mem()));
  char* data = nullptr;
  if (!out || write(out.get()) != 1) return {};
  auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// RSA-OAEP with SHA-256 for the hash and for the mask.
Owned<EVP_PKEY_CTX> oaep(EVP_PKEY* key, bool sealing, std::string_view label) {
  Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key, nullptr));
  bool ready = context &&
               (sealing ? EVP_PKEY_encrypt_init(context.get()) : EVP_PKEY_decrypt_init(context.get())) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) == 1;
  if (ready && !label.empty()) {
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(label.data(), label.size()));
    ready = EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), copy, static_cast<int>(label.size())) == 1;
    if (!ready) OPENSSL_free(copy);
  }
  if (!ready) context.reset();
  return context;
}

std::optional<Secret> open_session(EVP_PKEY* key, std::string_view sealed, std::string_view label) {
  auto context = oaep(key, false, label);
  std::string out(static_cast<std::size_t>(EVP_PKEY_size(key)), '\0');
  auto size = out.size();
  bool good = context && EVP_PKEY_decrypt(context.get(), raw(out), &size, raw(sealed), sealed.size()) == 1 &&
              size == session_size;
  ERR_clear_error();
  if (!good) return {};
  out.resize(size);
  return Secret(std::move(out));
}

}  // namespace

SealingKey::SealingKey(SealingKey&& other) noexcept
    : key_(std::exchange(other.key_, nullptr)),
      certificate_(std::move(other.certificate_)),
      not_before_(other.not_before_) {}
SealingKey& SealingKey::operator=(SealingKey&& other) noexcept {
  std::swap(key_, other.key_);
  certificate_ = std::move(other.certificate_), not_before_ = other.not_before_;
  return *this;
}
SealingKey::~SealingKey() { EVP_PKEY_free(key_of(key_)); }

Result<SealingKey> SealingKey::generate(WallTime now) {
  Owned<EVP_PKEY> key(EVP_RSA_gen(4096));
  Owned<X509> certificate(X509_new());
  auto seconds = std::chrono::system_clock::to_time_t(now);
  auto serial = random_bytes(8);
  auto* number = X509_get_serialNumber(certificate.get());
  bool made = key && certificate && X509_set_version(certificate.get(), 2) == 1 &&
              ASN1_STRING_set(number, raw(serial), static_cast<int>(serial.size())) == 1 &&
              ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds + ten_years) != nullptr &&
              X509_set_pubkey(certificate.get(), key.get()) == 1 &&
              X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0;
  if (!made) return fail(Kind::internal, "make a sealing key: OpenSSL refuses");
  SealingKey result(key.release());
  result.certificate_ = written([&](BIO* out) { return PEM_write_bio_X509(out, certificate.get()); });
  result.not_before_ = now;
  return result;
}

Result<SealingKey> SealingKey::load(std::string_view certificate_pem, std::string_view key_pem) {
  auto certificate = certificate_of(certificate_pem);
  if (!certificate) return fail(Kind::invalid, "sealing key: tls.crt is no certificate in PEM");
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(reader(key_pem).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!key || EVP_PKEY_id(key.get()) != EVP_PKEY_RSA)
    return fail(Kind::invalid, "sealing key: tls.key is no RSA key in PEM");
  SealingKey result(key.release());
  result.certificate_ = certificate_pem;
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate.get()), &time) == 1)
    result.not_before_ = std::chrono::system_clock::from_time_t(::timegm(&time));
  return result;
}

Secret SealingKey::key_pem() const {
  return Secret(written(
      [&](BIO* out) { return PEM_write_bio_PrivateKey(out, key_of(key_), nullptr, nullptr, 0, nullptr, nullptr); }));
}

Result<std::string> seal_value(std::string_view certificate_pem, std::string_view plain, std::string_view label) {
  auto certificate = certificate_of(certificate_pem);
  EVP_PKEY* key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
  if (key == nullptr || EVP_PKEY_id(key) != EVP_PKEY_RSA)
    return fail(Kind::invalid, "the certificate is none in PEM with an RSA key");
  Secret session(random_bytes(session_size));
  auto context = oaep(key, true, label);
  std::string wrapped(static_cast<std::size_t>(EVP_PKEY_size(key)), '\0');
  auto size = wrapped.size();
  std::string data, tag;
  if (!context || EVP_PKEY_encrypt(context.get(), raw(wrapped), &size, raw(session.bytes()), session_size) != 1 ||
      !detail::crypt_gcm(true, {session.bytes(), zero_nonce, ""}, plain, data, tag)) {
    ERR_clear_error();
    return fail(Kind::invalid, "the certificate's key cannot seal (too small)");
  }
  wrapped.resize(size);
  std::string out{static_cast<char>(size >> 8U), static_cast<char>(size & 0xffU)};
  return to_base64(out + wrapped + data + tag);
}

Result<Secret> unseal_value(std::span<const SealingKey> keys, std::string_view sealed, std::string_view label) {
  auto bytes = from_base64(sealed);
  auto size = bytes && bytes->size() > 2 ? static_cast<std::size_t>(static_cast<unsigned char>((*bytes)[0]) << 8U |
                                                                    static_cast<unsigned char>((*bytes)[1]))
                                         : 0;
  if (size == 0 || bytes->size() < 2 + size + gcm_tag) return fail(Kind::invalid, "is no sealed value");
  auto wrapped = std::string_view(*bytes).substr(2, size), rest = std::string_view(*bytes).substr(2 + size);
  for (const auto& key : keys) {
    auto session = open_session(key_of(key.handle()), wrapped, label);
    if (!session) continue;
    std::string plain, tag(rest.substr(rest.size() - gcm_tag));
    if (!detail::crypt_gcm(false, {session->bytes(), zero_nonce, ""}, rest.substr(0, rest.size() - gcm_tag), plain,
                           tag))
      return fail(Kind::corrupt, "was changed after it was sealed");
    return Secret(std::move(plain));
  }
  return fail(Kind::denied, "none of {} keys opens it{}", keys.size(),
              label.empty() ? "" : fmt::format(", or it was not sealed for {}", label));
}

}  // namespace slipway::secret
