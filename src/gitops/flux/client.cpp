// As whom, and where, a Kustomization's objects are applied.
#include <algorithm>
#include <array>

#include "base/encode.h"
#include "base/text.h"
#include "doc/yaml.h"
#include "gitops/flux/objects.h"

namespace slipway::gitops::flux {
namespace {

// A kubeconfig from a Secret is somebody else's: it must not make us read our own files.
Result<> names_no_files(const doc::Value& value) {
  static constexpr std::array files{std::string_view("certificate-authority"), std::string_view("client-certificate"),
                                    std::string_view("client-key"), std::string_view("tokenFile")};
  if (const auto* map = value.if_map()) {
    for (const auto& [key, member] : *map) {
      if (std::find(files.begin(), files.end(), key) != files.end())
        return fail(Kind::denied, "a kubeconfig in a Secret may not name files ({}), want {}-data", key, key);
      TRY_OK(names_no_files(member));
    }
  }
  if (const auto* list = value.if_list())
    for (const auto& item : *list) TRY_OK(names_no_files(item));
  return {};
}

// A ConfigMap of kubeConfig.configMapRef: data.provider (aws, azure or gcp), cluster, address, ca.crt. Flux would ask
// the cloud for an address that is missing.
Result<kube::Kubeconfig> by_cloud(const kube::Object& map) {
  auto data = map["data"];
  auto provider = data["provider"].text(), cluster = data["cluster"].text();
  kube::Kubeconfig config;
  config.server = data["address"].text();
  if (config.server.empty())
    return data["address"].wrong("missing: want https://HOST[:PORT] of the cluster's API, it is not looked up");
  if (!config.server.contains("://")) config.server.insert(0, "https://");
  while (config.server.ends_with('/')) config.server.pop_back();
  config.ca_pem = data["ca.crt"].text();
  auto& program = config.program.emplace();
  program.command = "argocd-k8s-auth";
  if (provider == "aws") {
    // arn:aws:eks:REGION:ACCOUNT:cluster/NAME
    auto parts = split(cluster, ':');
    auto name = cluster.rfind("cluster/");
    if (parts.size() != 6 || parts[2] != "eks" || name == std::string::npos)
      return data["cluster"].wrong("want arn:aws:eks:REGION:ACCOUNT:cluster/NAME");
    program.args = {"aws", "--cluster-name", cluster.substr(name + 8)};
    program.env["AWS_REGION"] = parts[3];
  } else if (provider == "azure" || provider == "gcp") {
    program.args = {provider};
  } else {
    return data["provider"].wrong(
        fmt::format("got \"{}\", want aws, azure or gcp; generic sign-in is not there yet", provider));
  }
  if (!data["serviceAccountName"].text().empty())
    return data["serviceAccountName"].wrong("identities of service accounts here are not there yet: ours is used");
  return config;
}

Result<kube::Kubeconfig> kubeconfig_of(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization) {
  auto ref = kustomization["spec"]["kubeConfig"]["secretRef"];
  if (auto map = kustomization["spec"]["kubeConfig"]["configMapRef"]["name"].text(); !map.empty()) {
    TRY(auto found, home.get(ctx, {"v1", "ConfigMap"}, {kustomization.ns(), map}));
    if (!found) return fail(Kind::not_found, "ConfigMap '{}/{}' of kubeConfig not found", kustomization.ns(), map);
    TRY_IN(auto config, found->describe(), by_cloud(*found));
    return config;
  }
  if (ref["name"].text().empty()) return kustomization["spec"]["kubeConfig"].wrong("want secretRef or configMapRef");
  TRY(auto secret, home.get(ctx, {"v1", "Secret"}, {kustomization.ns(), ref["name"].text()}));
  if (!secret)
    return fail(Kind::not_found, "Secret '{}/{}' of kubeConfig not found", kustomization.ns(), ref["name"].text());
  auto data = (*secret)["data"];
  auto key = ref["key"].text();
  if (key.empty()) key = data["value"].present() ? "value" : "value.yaml";
  TRY_IN(auto text, secret->describe() + " " + key, from_base64(data[key].text()));
  TRY(auto document, doc::parse_yaml(text, {.source = secret->describe()}));
  TRY_OK_IN(secret->describe(), names_no_files(document));
  TRY_IN(auto config, secret->describe(), kube::parse_kubeconfig(text, "/"));
  // As Flux, unless it is started with --insecure-kubeconfig-exec.
  if (config.program)
    return fail(Kind::denied, "{}: a kubeconfig in a Secret may not run a program ({}), want a token or a certificate",
                secret->describe(), config.program->command);
  return config;
}

// Asked before the first call, and again when it is time: what is known to be away costs no waiting.
Result<std::shared_ptr<kube::Client>> client_there(const Ctx& ctx, Remote& remote, const std::string& user) {
  if (remote.due()) remote.check(ctx);
  if (auto why = remote.away(); !why.empty()) return fail(Kind::unavailable, "{}", why);
  return user.empty() ? Result<std::shared_ptr<kube::Client>>(remote.client()) : remote.as(user);
}

}  // namespace

Result<std::shared_ptr<Remote>> Remotes::of(const Ctx& ctx, const kube::Key& kustomization,
                                            const kube::Kubeconfig& config) {
  auto entries = entries_.lock();
  auto& mine = (*entries)[kustomization];
  if (mine.remote && mine.config == config) return mine.remote;
  mine = {config, nullptr};
  for (const auto& [key, other] : *entries)
    if (other.remote && other.config == config) return mine.remote = other.remote;
  TRY(mine.remote, Remote::open("cluster " + config.server, config, connect_, *ctx.clock, patience_));
  return mine.remote;
}

Result<std::shared_ptr<kube::Client>> client_of(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization,
                                                const AsUser& as_user, Remotes& remotes) {
  auto spec = kustomization["spec"];
  auto account = spec["serviceAccountName"].text();
  auto user = account.empty() ? "" : fmt::format("system:serviceaccount:{}:{}", kustomization.ns(), account);
  if (spec["kubeConfig"].present()) {
    TRY(auto config, kubeconfig_of(ctx, home, kustomization));
    TRY(auto remote, remotes.of(ctx, kustomization.key(), config));
    return client_there(ctx, *remote, user);
  }
  if (user.empty()) return std::shared_ptr<kube::Client>();
  if (!as_user) return spec["serviceAccountName"].wrong("nobody can be impersonated here");
  TRY(auto there, home.get(ctx, {"v1", "ServiceAccount"}, {kustomization.ns(), account}));
  if (!there) return fail(Kind::not_found, "ServiceAccount '{}/{}' not found", kustomization.ns(), account);
  return as_user(user);
}

}  // namespace slipway::gitops::flux
