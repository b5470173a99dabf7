#include "kube/kubeconfig.h"

#include <cstdlib>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::kube {
namespace {

// One file of those that make a kubeconfig together.
struct Part {
  doc::Value document;
  std::string source;
  fs::path folder;
  doc::View root() const { return doc::View(document, source); }
};
struct Entry {
  doc::View view;
  fs::path folder;
};

// Of two entries of a name the first counts.
std::optional<Entry> find(const std::vector<Part>& parts, std::string_view list, std::string_view key,
                          std::string_view name) {
  for (const auto& part : parts)
    for (const auto& item : part.root()[list].items())
      if (item["name"].text() == name && item[key].present()) return Entry{item[key], part.folder};
  return {};
}

// "certificate-authority-data" (base64) or the file in "certificate-authority".
Result<std::string> pem(const Entry& entry, const std::string& key) {
  const auto& in = entry.view;
  if (auto data = in[key + "-data"]; data.present()) {
    TRY(auto text, data.str());
    auto bytes = from_base64(text);
    if (!bytes) return data.wrong("want base64 text");
    return bytes;
  }
  if (!in[key].present()) return std::string();
  TRY(auto file, in[key].str());
  auto text = read_file(entry.folder / file, std::size_t{1} << 20);
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

Result<> read_cluster(const Entry& entry, Kubeconfig& into) {
  const auto& cluster = entry.view;
  TRY(into.server, cluster["server"].str());
  while (into.server.ends_with('/')) into.server.pop_back();
  TRY(into.ca_pem, pem(entry, "certificate-authority"));
  into.verify = !cluster["insecure-skip-tls-verify"].bool_or(false);
  into.server_name = cluster["tls-server-name"].text();
  into.proxy = cluster["proxy-url"].text();
  return {};
}

// What a program that signs in is told of the cluster: spec.cluster of its ExecCredential.
std::string cluster_info(const Entry& entry, const Kubeconfig& config) {
  doc::Map info{{"server", config.server}};
  if (!config.server_name.empty()) info.set("tls-server-name", config.server_name);
  if (!config.verify) info.set("insecure-skip-tls-verify", true);
  if (!config.ca_pem.empty()) info.set("certificate-authority-data", to_base64(config.ca_pem));
  if (!config.proxy.empty()) info.set("proxy-url", config.proxy);
  for (const auto& extension : entry.view["extensions"].items())
    if (extension["name"].text() == "client.authentication.k8s.io/exec")
      info.set("config", extension["extension"].value());
  return doc::print_json(info);
}

Result<> read_user(const Entry& entry, const std::string& name, const Entry& cluster, Kubeconfig& into) {
  const auto& user = entry.view;
  if (user["auth-provider"].present())
    return Fail(
        Error(Kind::invalid,
              fmt::format("kubeconfig: user \"{}\" signs in by auth-provider, which kubectl gave up as well", name))
            .with_hint("give it a program (exec), or a service account's token: kubectl create token NAME"));
  TRY(into.client_certificate_pem, pem(entry, "client-certificate"));
  TRY(into.client_key_pem, pem(entry, "client-key"));
  if (into.client_certificate_pem.empty() != into.client_key_pem.empty())
    return user.wrong("want both client-certificate and client-key, or neither");
  into.token = user["token"].text();
  if (auto file = user["tokenFile"].text(); !file.empty()) into.token_file = entry.folder / file;
  into.user = user["username"].text(), into.password = user["password"].text();
  into.impersonate = user["as"].text();
  if (user["as-groups"].present()) {
    TRY(into.impersonate_groups, user["as-groups"].strings());
  }
  if (auto exec = user["exec"]; exec.present()) {
    TRY(into.program, sign_in_program_from(exec, entry.folder));
    if (exec["provideClusterInfo"].bool_or(false)) into.program->cluster_info = cluster_info(cluster, into);
  }
  return {};
}

Result<Kubeconfig> read(const std::vector<Part>& parts, std::string_view wanted) {
  std::string name(wanted);
  for (const auto& part : parts)
    if (name.empty()) name = part.root()["current-context"].text();
  if (name.empty())
    return Fail(Error(Kind::invalid, "kubeconfig: no current-context")
                    .with_hint("choose one: kubectl config use-context NAME"));
  auto context = find(parts, "contexts", "context", name);
  if (!context) return fail(Kind::not_found, "kubeconfig: there is no context \"{}\"", name);
  auto cluster_name = context->view["cluster"].text(), user_name = context->view["user"].text();
  auto cluster = find(parts, "clusters", "cluster", cluster_name);
  if (!cluster)
    return fail(Kind::not_found, "kubeconfig: context \"{}\": there is no cluster \"{}\"", name, cluster_name);
  Kubeconfig config;
  TRY_OK(read_cluster(*cluster, config));
  config.ns = context->view["namespace"].text();
  if (auto user = find(parts, "users", "user", user_name)) TRY_OK(read_user(*user, user_name, *cluster, config));
  return config;
}

Result<Part> part_of(std::string_view yaml, std::string source, fs::path folder) {
  TRY(auto document, doc::parse_yaml(yaml, {.source = source}));
  return Part{std::move(document), std::move(source), std::move(folder)};
}

// $KUBECONFIG, or ~/.kube/config: what is there of it.
std::vector<fs::path> usual_files() {
  std::vector<fs::path> files;
  if (const char* set = env("KUBECONFIG"); set != nullptr && *set != 0)
    for (auto file : split(set, ':'))
      if (!file.empty()) files.emplace_back(file);
  if (const char* home = env("HOME"); files.empty() && home != nullptr)
    files.push_back(fs::path(home) / ".kube/config");
  std::erase_if(files, [](const fs::path& file) { return !path_exists(file); });
  return files;
}

}  // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view yaml, const fs::path& folder, std::string_view context) {
  std::vector<Part> parts;
  TRY(parts.emplace_back(), part_of(yaml, "kubeconfig", folder));
  return read(parts, context);
}

Result<Kubeconfig> load_kubeconfig(const fs::path& path, std::string_view context) {
  auto files = path.empty() ? usual_files() : std::vector{path};
  if (files.empty()) return in_cluster();
  std::vector<Part> parts;
  for (const auto& file : files) {
    TRY(auto text, read_file(file, std::size_t{8} << 20));
    TRY(parts.emplace_back(), part_of(text, file, fs::absolute(file).parent_path()));
  }
  return read(parts, context);
}

}  // namespace slipway::kube
