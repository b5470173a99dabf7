#include "engine/pki.h"

#include "base/encode.h"
#include "net/jwt.h"

namespace slipway::engine {
namespace {

Result<std::optional<net::KeyPair>> load(const fs::path& dir, std::string_view name) {
  auto certificate = dir / fmt::format("{}.crt", name), key = dir / fmt::format("{}.key", name);
  if (!path_exists(certificate) || !path_exists(key)) return std::optional<net::KeyPair>();
  net::KeyPair pair;
  TRY(pair.certificate_pem, read_file(certificate));
  TRY(pair.key_pem, read_file(key));
  return std::optional(std::move(pair));
}

Result<> save(const fs::path& dir, std::string_view name, const net::KeyPair& pair) {
  TRY_OK(write_file(dir / fmt::format("{}.key", name), pair.key_pem, 0600, Durable::yes));
  return write_file(dir / fmt::format("{}.crt", name), pair.certificate_pem, 0644, Durable::yes);
}

bool is_address(std::string_view host) {
  return host.find_first_not_of("0123456789.:abcdef") == std::string_view::npos;
}

}  // namespace

Result<Pki> open_pki(const fs::path& data, const std::string& host, const std::string& service_ip) {
  auto dir = data / "pki";
  TRY_OK(make_dirs(dir, 0700));
  Pki pki;
  TRY(auto ca, load(dir, "ca"));
  if (ca) {
    pki.ca = *std::move(ca);
  } else {
    TRY(pki.ca, net::make_ca("slipway"));
    TRY_OK(save(dir, "ca", pki.ca));
  }
  auto token_key = dir / "service-accounts.key";
  if (!path_exists(token_key)) {
    TRY(auto made, net::make_signing_key());
    TRY_OK(write_file(token_key, made, 0600, Durable::yes));
  }
  TRY(pki.token_key_pem, read_file(token_key));
  auto names_file = dir / "server.names";
  auto names = read_file(names_file);
  TRY(auto server, load(dir, "server"));
  if (server && names && *names == host + " " + service_ip) {
    pki.server = *std::move(server);
    return pki;
  }
  net::CertificateRequest request{
      .common_name = "slipway-api",
      .dns_names = {"localhost", "slipway", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
      .ip_addresses = {"127.0.0.1", service_ip}};
  if (is_address(host)) {
    if (host != "127.0.0.1" && host != "0.0.0.0") request.ip_addresses.push_back(host);
  } else if (host != "localhost") {
    request.dns_names.push_back(host);
  }
  TRY(pki.server, net::issue(pki.ca, request));
  TRY_OK(save(dir, "server", pki.server));
  TRY_OK(write_file(names_file, host + " " + service_ip, 0644));
  return pki;
}

std::string kubeconfig_text(const std::string& host, int port, const std::string& ca_pem, const std::string& token) {
  auto reach = host == "0.0.0.0" ? std::string("127.0.0.1") : host;
  return fmt::format(
      "apiVersion: v1\nkind: Config\ncurrent-context: slipway\nclusters:\n- name: slipway\n  cluster:\n    server: "
      "https://{}:{}\n"
      "    certificate-authority-data: {}\ncontexts:\n- name: slipway\n  context:\n    cluster: slipway\n    user: "
      "admin\nusers:\n- name: admin\n  user:\n    token: {}\n",
      reach, port, to_base64(ca_pem), token);
}

}  // namespace slipway::engine
