#pragma once
// Keys and certificates for the embedded API server and its clients.
#include <string>
#include <vector>

#include "base/result.h"

namespace slipway::net {

struct KeyPair {
  std::string certificate_pem, key_pem;
};
// ECDSA P-256, ten years.
Result<KeyPair> make_ca(std::string_view common_name);
struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> organizations;  // Kubernetes groups for a client
  std::vector<std::string> dns_names, ip_addresses;
  bool server = true;  // else a client certificate
};
Result<KeyPair> issue(const KeyPair& ca, const CertificateRequest& request);

}  // namespace slipway::net
