#pragma once
// Signed JSON Web Tokens (RFC 7519) in their compact form, by ECDSA P-256 (ES256, RFC 7518 section 3.4). What the
// claims say, and whether they still hold, is for the caller.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::net {

// A private key for es256, PEM (PKCS #8).
Result<std::string> make_signing_key();

class Es256 {
 public:
  // Errors: invalid: not a P-256 private key in PEM.
  static Result<Es256> load(std::string_view private_key_pem);
  Es256(Es256&&) noexcept;
  Es256& operator=(Es256&&) noexcept;
  ~Es256();
  // `claims`: a JSON object.
  Result<std::string> sign(std::string_view claims) const;
  // The claims of a token that this key signed. Errors: denied: another key, another algorithm, changed, no token.
  Result<std::string> verify(std::string_view token) const;
  const std::string& key_id() const { return key_id_; }  // of the public key: base64url of its sha256
  std::string jwk() const;                               // the public key as JSON (RFC 7517), for others to verify

 private:
  explicit Es256(void* key) : key_(key) {}
  void* key_ = nullptr;  // EVP_PKEY; OpenSSL's headers stay out of ours
  std::string key_id_, header_;
};

}  // namespace slipway::net
