#pragma once
// How repositories elsewhere are signed in to, as Argo CD's Secrets say it (labels argocd.argoproj.io/secret-type:
// repository and repo-creds), with the hosts that argocd-ssh-known-hosts-cm and argocd-tls-certs-cm know.
#include <optional>
#include <string>

#include "base/guarded.h"
#include "cloud/github_app.h"
#include "git/access.h"
#include "kube/client.h"

namespace slipway::gitops {

inline constexpr std::string_view repository_secrets = "argocd.argoproj.io/secret-type in (repository,repo-creds)";

struct RepositoryLogin {
  std::string url, project;  // project "": all may read it
  bool prefix = false;       // of all repositories whose URL begins so (repo-creds)
  git::Access access;
  std::optional<cloud::GithubApp> app;  // gives the password
  bool azure = false;                   // Azure Repos by the workload's identity
  std::string unusable;                 // why nothing can be done with it, "" when it can; never a secret
  bool signs_in() const { return access.signs_in() || app || azure; }
};
RepositoryLogin repository_login_from(const kube::Object& secret);

// Lower case, without scheme of ssh and ".git": what Argo CD compares.
std::string same_repository(std::string_view url);

// Threads: any.
class RepositoryLogins {
 public:
  explicit RepositoryLogins(std::shared_ptr<kube::Client> client, cloud::Place place = cloud::Place::here())
      : client_(std::move(client)), place_(std::move(place)) {}
  // What signs in to this URL: a Secret of the repository, or else the one of the longest prefix. Nothing signs in:
  // only what is known of its host. Errors: invalid (the Secret), those of what gives a token, of a list.
  Result<git::Access> access(const Ctx& ctx, const std::string& url);
  // Whether Applications of the project may read it: its Secrets may all be of other projects. Errors: denied.
  Result<> permit(const Ctx& ctx, const std::string& url, const std::string& project);

 private:
  Result<std::optional<RepositoryLogin>> find(const Ctx& ctx, const std::string& url) const;
  Result<> add_hosts(const Ctx& ctx, const std::string& url, git::Access& access) const;
  Result<std::string> token(const Ctx& ctx, const cloud::GithubApp& app);
  std::shared_ptr<kube::Client> client_;
  cloud::Place place_;
  net::Client http_;
  Guarded<std::vector<std::pair<cloud::GithubApp, cloud::Token>>> tokens_;
};

}  // namespace slipway::gitops
