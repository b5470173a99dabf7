#include "gitops/appset/forge_access.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "cloud/github_app.h"
#include "gitops/application.h"
#include "gitops/cluster_secret.h"
#include "gitops/repository_login.h"

namespace slipway::gitops::appset::detail {
namespace {

constexpr std::string_view secret_type = "argocd.argoproj.io/secret-type";

// What the installation allows. Absent settings are Argo CD's defaults: everything, of any Secret.
struct Rules {
  bool enabled = true, strict = false;
  std::vector<std::string> allowed;
};
Result<Rules> rules_of(const Call& call) {
  TRY(auto map,
      call.world.client.get(call.ctx, {"v1", "ConfigMap"}, {std::string(home_namespace), "argocd-cmd-params-cm"}));
  Rules rules;
  if (!map) return rules;
  auto says = [&](std::string_view name) {
    return (*map)["data"][fmt::format("applicationsetcontroller.{}", name)].text();
  };
  auto enabled = says("enable.scm.providers"), strict = says("enable.tokenref.strict.mode");
  rules.enabled = !iequals(trim(enabled), "false");
  rules.strict = iequals(trim(strict), "true");
  auto list = says("allowed.scm.providers");
  for (auto one : split(list, ','))
    if (!trim(one).empty()) rules.allowed.emplace_back(trim(one));
  return rules;
}

Result<std::string> token_of(const Call& call, doc::View reference, bool strict) {
  if (!reference.present()) return std::string();
  auto name = reference["secretName"].text(), key = reference["key"].text();
  TRY(auto secret, call.world.client.get(call.ctx, {"v1", "Secret"}, {call.world.ns, name}));
  if (!secret) return reference.wrong(fmt::format("there is no Secret {}/{}", call.world.ns, name));
  if (strict && secret->label(secret_type) != "scm-creds")
    return reference.wrong(
        fmt::format("Secret {}/{} is not for this: want its label {}=scm-creds", call.world.ns, name, secret_type));
  if (!(*secret)["data"][key].present() && !(*secret)["stringData"][key].present())
    return reference.wrong(fmt::format("Secret {} has no entry {}", name, key));
  TRY_IN(auto token, fmt::format("Secret {}/{}", call.world.ns, name), secret_text(*secret, key));
  return std::string(trim(token));
}

// The Secret is one of Argo CD's own: repo-creds with a GitHub App. Sets of other namespaces name it as well, and its
// token must not go where they say: `anywhere` is for sets beside it and for addresses that the installation allows.
Result<> sign_in_as_app(const Call& call, doc::View name, const std::string& owner, bool anywhere,
                        ForgeAccess& access) {
  kube::Key key{std::string(home_namespace), name.text()};
  TRY(auto secret, call.world.client.get(call.ctx, {"v1", "Secret"}, key));
  if (!secret) return name.wrong(fmt::format("there is no Secret {}", key.str()));
  auto login = secret->label(secret_type) == "repo-creds" ? repository_login_from(*secret) : RepositoryLogin();
  if (!login.unusable.empty()) return name.wrong(login.unusable);
  if (!login.app) return name.wrong(fmt::format("Secret {} is no repo-creds with a GitHub App", key.str()));
  login.app->owner = owner;
  if (!access.api.empty() && access.api != login.app->api) {
    if (!anywhere)
      return Fail(Error(Kind::denied, fmt::format("{}: api {} is not that of the GitHub App in Secret {}", name.path(),
                                                  access.api, key.str()))
                      .with_hint("have it in applicationsetcontroller.allowed.scm.providers"));
    login.app->api = access.api;
  }
  auto place = cloud::Place::here();
  net::Client http({.ca_pem = access.ca_pem, .verify = access.verify});
  TRY_IN(auto token, "GitHub App", cloud::github_app_token({call.ctx, http, place}, *login.app));
  access.token = token.text;
  access.api = login.app->api;
  return {};
}

// Argo CD takes the forge's address, without the path of its API.
std::string api_of(forge::Service service, std::string api) {
  while (api.ends_with('/')) api.pop_back();
  if (api.empty()) return api;
  switch (service) {
    case forge::Service::bitbucket_server:
      return api.ends_with("/rest") ? api : api + "/rest";
    case forge::Service::azure_devops:
    case forge::Service::bitbucket:
      return api;
    default:
      break;
  }
  if (api.contains("/api/") || api.starts_with("https://api.")) return api;
  if (service == forge::Service::gitlab) return api + "/api/v4";
  return api + (service == forge::Service::gitea ? "/api/v1" : "/api/v3");
}

}  // namespace

Result<std::string> config_entry(const Call& call, doc::View reference) {
  if (!reference.present()) return std::string();
  auto name = reference["configMapName"].text(), key = reference["key"].text();
  TRY(auto map, call.world.client.get(call.ctx, {"v1", "ConfigMap"}, {call.world.ns, name}));
  if (!map) return reference.wrong(fmt::format("there is no ConfigMap {}/{}", call.world.ns, name));
  auto value = (*map)["data"][key];
  if (!value.present()) return reference.wrong(fmt::format("ConfigMap {} has no entry {}", name, key));
  return value.text();
}

Result<ForgeAccess> forge_access(const Call& call, forge::Service service, doc::View view, const std::string& owner) {
  TRY(auto rules, rules_of(call));
  if (!rules.enabled)
    return fail(Kind::denied, "{}: scm providers are disabled by applicationsetcontroller.enable.scm.providers",
                view.path());
  ForgeAccess access;
  auto api = view["api"];
  bool allowed = std::find(rules.allowed.begin(), rules.allowed.end(), api.text()) != rules.allowed.end();
  if (!api.text().empty() && !rules.allowed.empty() && !allowed)
    return fail(Kind::denied, "{}: scm provider \"{}\" not allowed, must use one of the following: {}", api.path(),
                api.text(), join(rules.allowed, ", "));
  access.api = api_of(service, api.text());
  access.verify = !view["insecure"].bool_or(false);
  TRY(access.ca_pem, config_entry(call, view["caRef"]));
  if (auto app = view["appSecretName"]; !app.text().empty()) {
    bool anywhere = call.world.ns == home_namespace || (allowed && !api.text().empty());
    TRY_OK(sign_in_as_app(call, app, owner, anywhere, access));
    return access;
  }
  auto basic = view["basicAuth"];
  access.user = basic.present() ? basic["username"].text() : view["user"].text();
  for (auto reference : {view["tokenRef"], view["accessTokenRef"], view["appPasswordRef"],
                         view["bearerToken"]["tokenRef"], basic["passwordRef"]}) {
    if (!access.token.empty()) break;
    TRY(access.token, token_of(call, reference, rules.strict));
  }
  return access;
}

}  // namespace slipway::gitops::appset::detail
