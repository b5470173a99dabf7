#pragma once
// Signed JSON Web Tokens (RFC 7519) in their compact form, by ECDSA P-256 (ES256) or RSA (RS256; RFC 7518 sections 3.3
// and 3.4). What the claims say, and whether they still hold, is for the caller.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::net {

enum class KeyKind : std::uint8_t { p256, rsa2048 };
// A private key, PEM (PKCS #8). An RSA key takes a tenth of a second and more.
Result<std::string> make_signing_key(KeyKind kind = KeyKind::p256);

class SigningKey {
 public:
  // Errors: invalid: neither a P-256 nor an RSA private key (2048 bits and more) in PEM, or one with a passphrase.
  static Result<SigningKey> load(std::string_view private_key_pem);
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();
  // `claims`: a JSON object.
  Result<std::string> sign(std::string_view claims) const;
  // The claims of a token that this key signed. Errors: denied: another key, another algorithm, changed, no token.
  Result<std::string> verify(std::string_view token) const;
  std::string_view algorithm() const { return rsa_ ? "RS256" : "ES256"; }
  const std::string& key_id() const { return key_id_; }  // of the public key: base64url of its sha256
  std::string jwk() const;                               // the public key as JSON (RFC 7517), for others to verify

 private:
  explicit SigningKey(void* key) : key_(key) {}
  void* key_ = nullptr;  // EVP_PKEY; OpenSSL's headers stay out of ours
  bool rsa_ = false;
  std::string key_id_, header_;
};

}  // namespace slipway::net
