#include "cli/app_objects.h"

#include "base/hash.h"
#include "base/text.h"
#include "gitops/keys.h"
#include "gitops/repository_login.h"

namespace slipway::cli {
namespace {

constexpr std::string_view house_url = "http://slipway/git/";

class Repositories final : public gitops::Repositories {
 public:
  // `client` may be null: nothing is known of sign-ins then.
  Repositories(const Arguments& arguments, std::shared_ptr<kube::Client> client, fs::path mirrors)
      : arguments_(arguments), data_(data_dir(arguments)), mirrors_(std::move(mirrors)) {
    if (client) logins_ = std::make_unique<gitops::RepositoryLogins>(std::move(client));
  }
  Result<git::Repository> open(const Ctx& ctx, const std::string& url) override {
    if (auto name = embedded(url); !name.empty()) return git::Repository::open(data_ / "git" / (name + ".git"));
    auto folder = mirrors_ / sha256_hex(url).substr(0, 16);
    if (url.starts_with(house_url)) {
      TRY(auto config, kubeconfig_for(arguments_));
      git::Access access{.password = config.token, .ca_pem = config.ca_pem, .insecure = !config.verify};
      if (!access.password.empty()) access.user = "slipway";
      return git::Repository::mirror(ctx, fmt::format("{}/git/{}", config.server, url.substr(house_url.size())), folder,
                                     access);
    }
    if (gitops::url_of_apart(url) != url) return git::Repository::open(folder);
    TRY(auto access, this->access(ctx, url));
    return git::Repository::mirror(ctx, url, folder, access);
  }
  Result<> refresh(const Ctx& ctx, const std::string& url, const git::Access* access) override {
    if (access == nullptr) return {};  // open() fetches
    TRY(auto fetched, git::Repository::mirror(ctx, std::string(gitops::url_of_apart(url)),
                                              mirrors_ / sha256_hex(url).substr(0, 16), *access));
    return {};
  }
  Result<git::Access> access(const Ctx& ctx, const std::string& url) override {
    if (!logins_ || url.starts_with(house_url) || !embedded(url).empty()) return git::Access();
    return logins_->access(ctx, url);
  }

 private:
  // http://slipway/git/NAME.git, or the address that the running slipway has.
  std::string embedded(std::string_view url) const {
    auto address = read_file(data_ / "address").value_or("");
    for (const std::string& prefix : {std::string(house_url), std::string(trim(address)) + "/git/"}) {
      if (!url.starts_with(prefix)) continue;
      auto name = std::string(url.substr(prefix.size()));
      if (name.ends_with(".git")) name.erase(name.size() - 4);
      bool plain = !name.empty() && !name.starts_with('.') && name.find("..") == std::string::npos;
      if (plain && path_exists(data_ / "git" / (name + ".git"))) return name;
    }
    return "";
  }
  const Arguments& arguments_;
  fs::path data_, mirrors_;
  std::unique_ptr<gitops::RepositoryLogins> logins_;
};

}  // namespace

Result<git::Repository> repository_at(const Ctx& ctx, const Arguments& arguments, const std::string& place,
                                      const fs::path& mirrors) {
  if (place.find("://") != std::string::npos) return Repositories(arguments, nullptr, mirrors).open(ctx, place);
  if (auto hosted = data_dir(arguments) / "git" / (place + ".git"); path_exists(hosted))
    return git::Repository::open(hosted);
  for (const auto& folder : {fs::path(place) / ".git", fs::path(place)})
    if (path_exists(folder)) return git::Repository::open(folder);
  return Fail(Error(Kind::not_found, fmt::format("{}: no such repository here", place))
                  .with_hint("--repository takes a URL or a folder as well"));
}

Result<std::vector<doc::Value>> rendered_at(const Ctx& ctx, const Arguments& arguments,
                                            const std::shared_ptr<kube::Client>& client, gitops::Application app,
                                            const std::string& revision) {
  if (!revision.empty() && app.sources.size() != 1)
    return fail(Kind::unavailable, "{}: not there yet for an Application with {} sources", app.key.name,
                app.sources.size());
  if (!revision.empty()) app.sources[0].target_revision = revision;
  if (!app.keys && client)
    app.keys = [client, ns = app.key.ns, project = app.project](const Ctx& inner) {
      return gitops::keys_for_project(inner, *client, ns, project);
    };
  TRY(auto mirrors, TempDir::make("slipway-app"));
  Repositories repositories(arguments, client, mirrors.path());
  gitops::Renderer renderer(repositories);
  TRY(auto rendered, renderer.render(ctx, app));
  return rendered->objects->list();
}

}  // namespace slipway::cli
