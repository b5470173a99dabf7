// Team projects of Azure DevOps, REST 7.0. A personal access token signs in as the password of nobody.
#include "base/encode.h"
#include "forge/detail/catalog.h"

namespace slipway::forge {
namespace {

constexpr std::string_view heads = "refs/heads/";
constexpr auto version = azure_version;

class Azure final : public Catalog {
 public:
  explicit Azure(const CatalogOptions& options)
      : rest_(rest_options(options), azure_headers(rest_options(options))), options_(options) {}

  Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) override {
    TRY(auto organization, part(options_.owner));
    TRY(auto project, part(options_.project));
    auto list = fmt::format("/{}/{}/_apis/git/repositories", organization, project);
    std::vector<CatalogRepository> all;
    TRY_OK_IN(fmt::format("repositories of {}/{}", options_.owner, options_.project),
              rest_.each(ctx, fmt::format("{}?{}", list, version), [&](doc::View item) -> Result<> {
                // Nothing was pushed yet.
                if (!item["defaultBranch"].present() || !item["remoteUrl"].present()) return {};
                CatalogRepository one;
                one.organization = options_.owner;
                TRY(one.name, said(item["name"]));
                TRY(one.http_url, said(item["remoteUrl"]));
                one.ssh_url = one.http_url;  // Argo CD knows this address alone, whatever the protocol
                TRY(one.default_branch, said(item["defaultBranch"]));
                if (one.default_branch.starts_with(heads)) one.default_branch.erase(0, heads.size());
                TRY(auto id, said(item["id"]));
                TRY(auto encoded, part(id));
                one.address = fmt::format("{}/{}", list, encoded);
                one.id = std::move(id);
                all.push_back(std::move(one));
                return {};
              }));
    return all;
  }

  Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository, bool all) override {
    auto stats = fmt::format("{}/stats/branches?{}", repository.address, version);
    std::vector<CatalogBranch> out;
    auto take = [&](doc::View item) -> Result<> {
      TRY(auto branch, branch_from(item["name"], item["commit"]["commitId"]));
      out.push_back(std::move(branch));
      return {};
    };
    auto done = all ? rest_.each(ctx, stats, take)
                    : one(ctx, stats + "&name=" + percent_encode(repository.default_branch), take);
    // One that is switched off is listed, and not there.
    if (!done && done.error().what().contains("GitRepositoryNotFoundException")) return out;
    if (!done)
      return Fail(
          std::move(done).error().in(fmt::format("branches of {}/{}", repository.organization, repository.name)));
    return out;
  }

  Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                        const std::string& path) override {
    TRY_OK(parts(path));
    auto reply =
        rest_.get(ctx, fmt::format("{}/items?{}&$format=json&path={}&versionDescriptor.version={}", repository.address,
                                   version, percent_encode(path), percent_encode(branch.name)));
    if (!reply && reply.error().what().contains("GitItemNotFoundException")) return false;
    if (!reply) return Fail(std::move(reply).error());
    return true;
  }

 private:
  Result<> one(const Ctx& ctx, const std::string& path, const std::function<Result<>(doc::View)>& take) const {
    TRY(auto reply, rest_.get(ctx, path));
    return take(reply.view());
  }
  Rest rest_;
  CatalogOptions options_;
};

}  // namespace

net::Headers azure_headers(const ForgeOptions& options) {
  net::Headers headers{{"Accept", "application/json"}};
  if (!options.token.empty()) headers.set("Authorization", "Basic " + to_base64(":" + options.token));
  return headers;
}

std::unique_ptr<Catalog> azure_catalog(const CatalogOptions& options) { return std::make_unique<Azure>(options); }

}  // namespace slipway::forge
