#pragma once
// SealedSecret objects, as kubeseal makes them: a Secret whose values only the holder of an RSA key can read.
// Format: bitnami-labs/sealed-secrets v1alpha1 (RSA-OAEP with SHA-256 around an AES-256-GCM session key).
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "doc/value.h"
#include "secret/age.h"

namespace slipway::secret {

// Who seals needs the certificate, who unseals the key. Threads: any.
class SealingKey {
 public:
  static Result<SealingKey> generate(WallTime now);  // RSA 4096, ten years
  // PEM texts. Errors: invalid.
  static Result<SealingKey> load(std::string_view certificate_pem, std::string_view key_pem);
  SealingKey(SealingKey&&) noexcept;
  SealingKey& operator=(SealingKey&&) noexcept;
  ~SealingKey();
  const std::string& certificate_pem() const { return certificate_; }
  Secret key_pem() const;
  WallTime not_before() const { return not_before_; }
  void* handle() const { return key_; }

 private:
  explicit SealingKey(void* key) : key_(key) {}
  void* key_ = nullptr;  // EVP_PKEY
  std::string certificate_;
  WallTime not_before_{};
};

// Where a sealed value may be used: only under its name, in its namespace, anywhere.
enum class SealScope { strict, namespace_wide, cluster_wide };
std::string sealing_label(SealScope scope, std::string_view ns, std::string_view name);
SealScope scope_of(const doc::Value& object);  // by its annotations

// One value, in base64. Errors: invalid (the certificate).
Result<std::string> seal_value(std::string_view certificate_pem, std::string_view plain, std::string_view label);
// Errors: invalid (no such value), denied (no key fits, or it was sealed for another name or namespace).
Result<Secret> unseal_value(std::span<const SealingKey> keys, std::string_view sealed, std::string_view label);

// A Secret as a SealedSecret, and back. Errors: invalid, with the field; denied, naming the key of the value.
Result<doc::Value> seal_secret(const doc::Value& secret, std::string_view certificate_pem, SealScope scope);
Result<doc::Value> unseal_secret(const doc::Value& sealed, std::span<const SealingKey> keys);

}  // namespace slipway::secret
