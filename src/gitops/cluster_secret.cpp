#include "gitops/cluster_secret.h"

#include <array>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::gitops {
namespace {

// A misspelt field would be a sign-in without it.
Result<> only(doc::View view, std::span<const std::string> known) {
  for (const auto& [key, value] : view.members()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    auto near = nearest(key, known);
    return value.wrong(fmt::format("no such field{}", near ? fmt::format(", did you mean {}?", *near) : ""));
  }
  return {};
}

Result<std::string> pem(doc::View view) {
  if (!view.present()) return std::string();
  TRY(auto text, view.str());
  auto bytes = from_base64(text);
  if (!bytes) return view.wrong("want base64 text");
  return bytes;
}

Result<> read_tls(doc::View tls, kube::Kubeconfig& into) {
  static const std::vector<std::string> known{"insecure", "serverName", "caData", "certData", "keyData"};
  if (tls.present() && !tls.value().is_map()) return tls.wrong("want a map");
  TRY_OK(only(tls, known));
  if (tls["insecure"].present()) {
    TRY(auto insecure, tls["insecure"].boolean());
    into.verify = !insecure;
  }
  into.server_name = tls["serverName"].text();
  TRY(into.ca_pem, pem(tls["caData"]));
  TRY(into.client_certificate_pem, pem(tls["certData"]));
  TRY(into.client_key_pem, pem(tls["keyData"]));
  if (into.client_certificate_pem.empty() != into.client_key_pem.empty())
    return tls.wrong("want both certData and keyData, or neither");
  if (!into.verify && !into.ca_pem.empty())
    return tls["insecure"].wrong("is true and there is caData, want one of them");
  return {};
}

// Argo CD's own form: env is a map. It asks for v1beta1 where nothing is said.
Result<kube::SignInProgram> program_from(doc::View exec) {
  static const std::vector<std::string> known{"command", "args", "env", "apiVersion", "installHint"};
  if (!exec.value().is_map()) return exec.wrong("want a map");
  TRY_OK(only(exec, known));
  kube::SignInProgram program;
  program.api_version = exec["apiVersion"].str_or("client.authentication.k8s.io/v1beta1");
  TRY(program.command, exec["command"].str());
  if (program.command.empty()) return exec["command"].wrong("is empty");
  if (exec["args"].present()) {
    TRY(program.args, exec["args"].strings());
  }
  for (const auto& [name, value] : exec["env"].members()) program.env[name] = value.text();
  program.install_hint = exec["installHint"].text();
  return program;
}

// What Argo CD runs for it.
Result<kube::SignInProgram> program_of_aws(doc::View aws) {
  static const std::vector<std::string> known{"clusterName", "roleARN", "profile"};
  if (!aws.value().is_map()) return aws.wrong("want a map");
  TRY_OK(only(aws, known));
  kube::SignInProgram program{.api_version = "client.authentication.k8s.io/v1beta1", .command = "argocd-k8s-auth"};
  TRY(auto cluster, aws["clusterName"].str());
  program.args = {"aws", "--cluster-name", cluster};
  for (auto [field, flag] : {std::pair("roleARN", "--role-arn"), std::pair("profile", "--profile")})
    if (auto text = aws[field].text(); !text.empty()) program.args.insert(program.args.end(), {flag, text});
  return program;
}

Result<> read_config(doc::View config, kube::Kubeconfig& into) {
  static const std::vector<std::string> known{"username",        "password",          "bearerToken",
                                              "tlsClientConfig", "awsAuthConfig",     "execProviderConfig",
                                              "proxyUrl",        "disableCompression"};
  if (!config.value().is_map()) return config.wrong("want a map");
  TRY_OK(only(config, known));
  for (auto [key, field] : {std::pair{"username", &into.user}, std::pair{"password", &into.password},
                            std::pair{"bearerToken", &into.token}})
    if (config[key].present()) {
      TRY(*field, config[key].str());
    }
  if (!into.token.empty() && !into.user.empty())
    return config["bearerToken"].wrong("there is a username as well, want one of them");
  for (const auto& text : {into.token, into.user, into.password})
    if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return config.wrong("a username, password or bearerToken has a line break");
  into.proxy = config["proxyUrl"].text();
  auto aws = config["awsAuthConfig"], exec = config["execProviderConfig"];
  if (aws.present() && exec.present()) return exec.wrong("there is awsAuthConfig as well, want one of them");
  if (aws.present()) {
    TRY(into.program, program_of_aws(aws));
  } else if (exec.present()) {
    TRY(into.program, program_from(exec));
  }
  return read_tls(config["tlsClientConfig"], into);
}

Result<> read(const kube::Object& secret, ClusterSecret& into) {
  auto text = [&](std::string_view key) -> Result<std::string> {
    auto found = secret_text(secret, key);
    if (!found) return Fail(std::move(found).error().in(key));
    return found;
  };
  TRY(into.name, text("name"));
  TRY(into.server, text("server"));
  while (into.server.ends_with('/')) into.server.pop_back();
  TRY(into.project, text("project"));
  TRY(auto namespaces, text("namespaces"));
  for (auto ns : split(namespaces, ','))
    if (ns = trim(ns); !ns.empty()) into.namespaces.emplace_back(ns);
  TRY(auto all, text("clusterResources"));
  if (!all.empty() && all != "true" && all != "false")
    return fail(Kind::invalid, "clusterResources: got \"{}\", want true or false", all.substr(0, 20));
  into.cluster_resources = all == "true";
  if (into.server.empty()) return fail(Kind::invalid, "server: is empty, want the address of the cluster's API");
  if (!into.server.starts_with("https://") && !into.server.starts_with("http://"))
    return fail(Kind::invalid, "server: want https://HOST[:PORT]");
  into.sign_in.server = into.server;
  TRY(auto config, text("config"));
  if (trim(config).empty()) return {};
  auto document = doc::parse_json(config, "config");
  // Where it is wrong, not what stands there: that may be a secret.
  if (!document) return fail(Kind::invalid, "config: is no JSON document");
  return read_config(doc::View(*document, "config"), into.sign_in);
}

}  // namespace

Result<std::string> secret_text(const kube::Object& secret, std::string_view key) {
  auto plain = secret["stringData"][key].text();
  return plain.empty() ? from_base64(secret["data"][key].text()) : Result<std::string>(std::move(plain));
}

ClusterSecret cluster_secret_from(const kube::Object& secret) {
  ClusterSecret cluster;
  if (auto done = read(secret, cluster); !done) {
    cluster.unusable = fmt::format("{}: {}", secret.describe(), done.error().what());
    cluster.sign_in = {};
  }
  return cluster;
}

}  // namespace slipway::gitops
