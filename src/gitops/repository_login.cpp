// Rules: Argo CD's declarative setup ("Repositories", "Repository Credentials"), util/db and util/git/git.go.
#include "gitops/repository_login.h"

#include "base/encode.h"
#include "base/text.h"
#include "gitops/application.h"
#include "gitops/cluster_secret.h"
#include "net/http.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view secret_type = "argocd.argoproj.io/secret-type";
// Azure DevOps, as Entra names it.
constexpr std::string_view azure_repos = "499b84ac-1321-427f-aa17-267ca6975798";

bool is_ssh(std::string_view url) {
  return url.starts_with("ssh://") || url.starts_with("git+ssh://") ||
         (!url.contains("://") && url.find('@') != url.npos && url.find(':') != url.npos);
}

// github.com of https://github.com/o/r, ssh://git@github.com:22/o/r and git@github.com:o/r.
std::string host_of(std::string_view url) {
  if (auto scheme = url.find("://"); scheme != url.npos) {
    auto parsed = net::parse_url(url);
    return parsed ? lower(parsed->host) : "";
  }
  auto rest = url.substr(0, url.find(':'));
  if (auto at = rest.rfind('@'); at != rest.npos) rest = rest.substr(at + 1);
  return lower(rest);
}

std::string owner_of(std::string_view url) {
  auto parsed = net::parse_url(url);
  if (!parsed) return "";
  auto parts = split(std::string_view(parsed->path).substr(parsed->path.starts_with('/') ? 1 : 0), '/');
  return parts.empty() ? "" : std::string(parts[0]);
}

Result<bool> flag(std::string_view name, std::string_view text) {
  if (text.empty() || iequals(text, "false")) return false;
  if (iequals(text, "true")) return true;
  return fail(Kind::invalid, "{}: got \"{}\", want true or false", name, text.substr(0, 20));
}

Result<> read(const kube::Object& secret, RepositoryLogin& into) {
  auto text = [&](std::string_view key) -> Result<std::string> {
    auto found = secret_text(secret, key);
    if (!found) return Fail(std::move(found).error().in(key));
    return std::string(trim(*found));
  };
  into.prefix = secret.label(secret_type) == "repo-creds";
  TRY(into.url, text("url"));
  if (into.url.empty()) return fail(Kind::invalid, "url: is empty, want the repository's URL");
  TRY(into.project, text("project"));
  TRY(into.access.user, text("username"));
  TRY(into.access.password, text("password"));
  TRY(into.access.bearer, text("bearerToken"));
  TRY(into.access.ssh_key, text("sshPrivateKey"));
  TRY(into.access.certificate_pem, text("tlsClientCertData"));
  TRY(into.access.key_pem, text("tlsClientCertKey"));
  if (into.access.certificate_pem.empty() != into.access.key_pem.empty())
    return fail(Kind::invalid, "want both tlsClientCertData and tlsClientCertKey, or neither");
  TRY(into.access.proxy, text("proxy"));
  for (auto key : {"insecure", "insecureIgnoreHostKey"}) {
    TRY(auto said, text(key));
    TRY(auto insecure, flag(key, said));
    into.access.insecure |= insecure;
  }
  TRY(auto azure, text("useAzureWorkloadIdentity"));
  TRY(into.azure, flag("useAzureWorkloadIdentity", azure));
  TRY(auto google, text("gcpServiceAccountKey"));
  if (!google.empty()) return fail(Kind::invalid, "gcpServiceAccountKey: is not supported, want username and password");
  TRY(auto app, text("githubAppPrivateKey"));
  if (app.empty()) return {};
  into.app.emplace().key_pem = app;
  TRY(into.app->id, text("githubAppID"));
  TRY(into.app->installation, text("githubAppInstallationID"));
  TRY(auto base, text("githubAppEnterpriseBaseUrl"));
  while (base.ends_with('/')) base.pop_back();
  if (!base.empty()) into.app->api = base;
  if (into.app->id.empty()) return fail(Kind::invalid, "githubAppID: is empty, want the App's id");
  return {};
}

}  // namespace

RepositoryLogin repository_login_from(const kube::Object& secret) {
  RepositoryLogin login;
  if (auto done = read(secret, login); !done) {
    login.unusable = fmt::format("{}: {}", secret.describe(), done.error().what());
    login.access = {}, login.app.reset();
  }
  return login;
}

std::string same_repository(std::string_view url) {
  auto text = lower(trim(url));
  if (is_ssh(text) && !text.contains("://"))
    if (auto colon = text.find(':'); colon != text.npos) text[colon] = '/';
  if (text.starts_with("ssh://")) text.erase(0, 6);
  while (text.ends_with('/')) text.pop_back();
  if (text.ends_with(".git")) text.resize(text.size() - 4);
  return text;
}

Result<std::optional<RepositoryLogin>> RepositoryLogins::find(const Ctx& ctx, const std::string& url) const {
  std::optional<RepositoryLogin> own, shared;
  auto wanted = same_repository(url);
  auto look = [&](const kube::Object& secret) -> Result<> {
    auto login = repository_login_from(secret);
    auto named = same_repository(login.url);
    if (login.prefix) {
      bool longer = !shared || named.size() > same_repository(shared->url).size();
      if (!named.empty() && wanted.starts_with(named) && longer) shared = std::move(login);
    } else if (named == wanted && (!own || login.project.empty())) {
      own = std::move(login);
    }
    return {};
  };
  TRY(auto version,
      client_->for_each(ctx, {"v1", "Secret"},
                        {.ns = std::string(home_namespace), .label_selector = std::string(repository_secrets)}, look));
  if (!own || (own->unusable.empty() && !own->signs_in() && shared)) {
    // A repository that is registered without a sign-in takes that of its prefix, and keeps what else it says.
    if (shared && own) shared->access.insecure |= own->access.insecure;
    if (shared && own && !own->access.proxy.empty()) shared->access.proxy = own->access.proxy;
    return shared;
  }
  return own;
}

Result<> RepositoryLogins::add_hosts(const Ctx& ctx, const std::string& url, git::Access& access) const {
  if (access.insecure) return {};
  bool ssh = is_ssh(url);
  TRY(auto map, client_->get(ctx, {"v1", "ConfigMap"},
                             {std::string(home_namespace), ssh ? "argocd-ssh-known-hosts-cm" : "argocd-tls-certs-cm"}));
  if (!map) return {};
  if (ssh)
    access.known_hosts = (*map)["data"]["ssh_known_hosts"].text();
  else
    access.ca_pem = (*map)["data"][host_of(url)].text();
  return {};
}

Result<std::string> RepositoryLogins::token(const Ctx& ctx, const cloud::GithubApp& app) {
  auto tokens = tokens_.lock();
  auto now = ctx.clock->wall();
  std::erase_if(*tokens, [&](const auto& kept) { return kept.second.until <= now; });
  for (const auto& [of, token] : *tokens)
    if (of == app) return token.text;
  TRY(auto fresh, cloud::github_app_token({ctx, http_, place_}, app));
  return tokens->emplace_back(app, std::move(fresh)).second.text;
}

Result<git::Access> RepositoryLogins::access(const Ctx& ctx, const std::string& url) {
  TRY(auto login, find(ctx, url));
  git::Access access;
  if (login) {
    if (!login->unusable.empty()) return fail(Kind::invalid, "{}", login->unusable);
    access = std::move(login->access);
    if (login->app) {
      login->app->owner = owner_of(url);
      access.user = "x-access-token";
      TRY(access.password, token(ctx, *login->app));
    } else if (login->azure) {
      TRY(auto token, cloud::azure_token({ctx, http_, place_}, cloud::AzureCloud::global, std::string(azure_repos)));
      if (!token) return fail(Kind::denied, "{}: nothing here signs in to Azure", url);
      access.bearer = token->text;
    } else if (access.user.empty() && !access.password.empty()) {
      access.user = "git";  // a token: hosts take any name
    }
  }
  TRY_OK(add_hosts(ctx, url, access));
  return access;
}

Result<> RepositoryLogins::permit(const Ctx& ctx, const std::string& url, const std::string& project) {
  auto wanted = same_repository(url);
  std::string other;
  bool free = false;
  auto look = [&](const kube::Object& secret) -> Result<> {
    auto login = repository_login_from(secret);
    if (same_repository(login.url) != wanted) return {};
    free |= login.project.empty() || login.project == project;
    if (!login.project.empty()) other = login.project;
    return {};
  };
  TRY(auto version,
      client_->for_each(
          ctx, {"v1", "Secret"},
          {.ns = std::string(home_namespace), .label_selector = fmt::format("{}=repository", secret_type)}, look));
  if (free || other.empty()) return {};
  return fail(Kind::denied, "repository {} is one of project '{}' alone", url, other);
}

}  // namespace slipway::gitops
