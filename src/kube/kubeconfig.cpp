#include "kube/kubeconfig.h"

#include <cstdlib>

#include "base/encode.h"
#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::kube {
namespace {

doc::View named(const doc::View& list, std::string_view name) {
  for (const auto& item : list.items())
    if (item["name"].text() == name) return item;
  return list["?"];
}

// "certificate-authority-data" (base64) or the file in "certificate-authority".
Result<std::string> pem(const doc::View& in, const std::string& key, const fs::path& folder) {
  if (auto data = in[key + "-data"]; data.present()) {
    TRY(auto text, data.str());
    auto bytes = from_base64(text);
    if (!bytes) return data.wrong("want base64 text");
    return bytes;
  }
  if (!in[key].present()) return std::string();
  TRY(auto file, in[key].str());
  auto text = read_file(folder / file, std::size_t{1} << 20);
  if (!text) return in[key].wrong(text.error().what());
  return text;
}

const char* env(const char* name) { return std::getenv(name); }

Result<Kubeconfig> in_cluster() {
  const fs::path folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  const char *host = env("KUBERNETES_SERVICE_HOST"), *port = env("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || !path_exists(folder / "token"))
    return Fail(Error(Kind::not_found, "no kubeconfig: none is at $KUBECONFIG or ~/.kube/config, and this is no pod")
                    .with_hint("name one with --kubeconfig FILE"));
  Kubeconfig config;
  bool v6 = std::string_view(host).find(':') != std::string_view::npos;
  config.server = fmt::format(fmt::runtime(v6 ? "https://[{}]:{}" : "https://{}:{}"), host, port);
  config.token_file = folder / "token";
  TRY(config.ca_pem, read_file(folder / "ca.crt"));
  if (auto ns = read_file(folder / "namespace")) config.ns = trim(*ns);
  return config;
}

}  // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view yaml, const fs::path& folder, std::string_view wanted) {
  TRY(auto document, doc::parse_yaml(yaml, {.source = "kubeconfig"}));
  doc::View root(document, "kubeconfig");
  auto name = wanted.empty() ? root["current-context"].text() : std::string(wanted);
  if (name.empty())
    return Fail(Error(Kind::invalid, "kubeconfig: no current-context")
                    .with_hint("choose one: kubectl config use-context NAME"));
  auto context = named(root["contexts"], name)["context"];
  if (!context.present()) return fail(Kind::not_found, "kubeconfig: there is no context \"{}\"", name);
  auto cluster_name = context["cluster"].text(), user_name = context["user"].text();
  auto cluster = named(root["clusters"], cluster_name)["cluster"];
  if (!cluster.present())
    return fail(Kind::not_found, "kubeconfig: context \"{}\": there is no cluster \"{}\"", name, cluster_name);
  Kubeconfig config;
  TRY(config.server, cluster["server"].str());
  while (config.server.ends_with('/')) config.server.pop_back();
  TRY(config.ca_pem, pem(cluster, "certificate-authority", folder));
  config.verify = !cluster["insecure-skip-tls-verify"].bool_or(false);
  if (cluster["tls-server-name"].present())
    return cluster["tls-server-name"].wrong("a name other than the server's own is not supported yet");
  config.ns = context["namespace"].text();
  auto user = named(root["users"], user_name)["user"];
  if (!user.present()) return config;
  for (std::string_view plugin : {"exec", "auth-provider"})
    if (user[plugin].present())
      return Fail(Error(Kind::invalid, fmt::format("kubeconfig: user \"{}\" signs in by {}, which slipway does not run",
                                                   user_name, plugin))
                      .with_hint("give it a service account's token: kubectl create token NAME"));
  TRY(config.client_certificate_pem, pem(user, "client-certificate", folder));
  TRY(config.client_key_pem, pem(user, "client-key", folder));
  if (config.client_certificate_pem.empty() != config.client_key_pem.empty())
    return user.wrong("want both client-certificate and client-key, or neither");
  config.token = user["token"].text();
  if (auto file = user["tokenFile"].text(); !file.empty()) config.token_file = folder / file;
  config.user = user["username"].text(), config.password = user["password"].text();
  config.impersonate = user["as"].text();
  return config;
}

Result<Kubeconfig> load_kubeconfig(const fs::path& path, std::string_view context) {
  fs::path file = path;
  if (file.empty())
    if (const char* set = env("KUBECONFIG"); set != nullptr && *set != 0)
      file = std::string(std::string_view(set).substr(0, std::string_view(set).find(':')));
  if (file.empty())
    if (const char* home = env("HOME"); home != nullptr && path_exists(fs::path(home) / ".kube/config"))
      file = fs::path(home) / ".kube/config";
  if (file.empty()) return in_cluster();
  TRY(auto text, read_file(file, std::size_t{8} << 20));
  TRY_IN(auto config, file.native(), parse_kubeconfig(text, file.parent_path(), context));
  return config;
}

}  // namespace slipway::kube
