#pragma once
// The certificate authority of one data directory and the kubeconfig that goes with it.
#include "base/files.h"
#include "net/tls.h"

namespace slipway::engine {

struct Pki {
  net::KeyPair ca, server;
  std::string token_key_pem;  // signs tokens of service accounts
};
// DIR/pki, made when absent; the server's certificate is made anew when `host` or `service_ip` (the address that pods
// know the API by) is not in it.
Result<Pki> open_pki(const fs::path& data, const std::string& host, const std::string& service_ip);
// kubectl's configuration for this server. Also written to DIR/kubeconfig (0600) by `up`.
std::string kubeconfig_text(const std::string& host, int port, const std::string& ca_pem, const std::string& token);

}  // namespace slipway::engine
