// Workspaces of Bitbucket Cloud (API 2.0) and projects of Bitbucket Data Center (REST 1.0, base URL ending in /rest).
#include "base/encode.h"
#include "forge/detail/catalog.h"

namespace slipway::forge {
namespace {

// Both list the addresses to clone from by name.
Result<std::string> clone_link(doc::View item, std::string_view name) {
  for (const auto& link : item["links"]["clone"].items())
    if (link["name"].text() == name) return said_or_none(link["href"]);
  return std::string();
}

class Cloud final : public Catalog {
 public:
  explicit Cloud(const CatalogOptions& options)
      : rest_(rest_options(options), bitbucket_headers(rest_options(options))), options_(options) {}

  Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) override {
    TRY(auto owner, part(options_.owner));
    std::vector<CatalogRepository> all;
    auto take = [&](doc::View item) -> Result<> {
      if (!item["mainbranch"].present()) return {};  // nothing was pushed yet
      CatalogRepository one;
      one.organization = options_.owner;
      TRY(one.name, said(item["slug"]));
      TRY(one.default_branch, said(item["mainbranch"]["name"]));
      TRY(one.ssh_url, clone_link(item, "ssh"));
      TRY(one.http_url, clone_link(item, "https"));
      TRY(auto name, part(one.name));
      one.address = owner + "/" + name;
      TRY(auto id, said_or_none(item["uuid"]));
      one.id = std::move(id);
      all.push_back(std::move(one));
      return {};
    };
    TRY_OK_IN(fmt::format("repositories of {}", options_.owner),
              rest_.each(ctx, fmt::format("/repositories/{}?role=member&pagelen=100", owner), take));
    return all;
  }

  Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository, bool all) override {
    auto list = fmt::format("/repositories/{}/refs/branches", repository.address);
    std::vector<CatalogBranch> out;
    auto take = [&](doc::View item) -> Result<> {
      TRY(auto branch, branch_from(item["name"], item["target"]["hash"]));
      out.push_back(std::move(branch));
      return {};
    };
    auto what = fmt::format("branches of {}/{}", repository.organization, repository.name);
    if (all) {
      TRY_OK_IN(what, rest_.each(ctx, list + "?pagelen=100", take));
      return out;
    }
    TRY(auto name, part(repository.default_branch));
    TRY_IN(auto reply, what, rest_.get(ctx, fmt::format("{}/{}", list, name)));
    TRY_OK_IN(what, take(reply.view()));
    return out;
  }

  // By the commit: a branch's name may hold a slash, which this call does not take.
  Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                        const std::string& path) override {
    TRY(auto at, parts(path));
    return there(
        rest_.get(ctx, fmt::format("/repositories/{}/src/{}/{}?format=meta", repository.address, branch.commit, at)));
  }

 private:
  Rest rest_;
  CatalogOptions options_;
};

net::Headers server_headers(const ForgeOptions& options) {
  auto headers = bitbucket_headers(options);
  headers.set("X-Atlassian-Token", "no-check");
  return headers;
}

class Server final : public Catalog {
 public:
  explicit Server(const CatalogOptions& options)
      : rest_(rest_options(options), server_headers(rest_options(options))), options_(options) {}

  Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) override {
    TRY(auto owner, part(options_.owner));
    std::vector<CatalogRepository> all;
    TRY_OK_IN(
        fmt::format("repositories of {}", options_.owner),
        rest_.each(ctx, fmt::format("/api/1.0/projects/{}/repos?limit=100", owner), [&](doc::View item) -> Result<> {
          CatalogRepository one;
          TRY(one.organization, said(item["project"]["key"]));
          TRY(one.name, said(item["name"]));
          TRY(auto slug, said(item["slug"].present() ? item["slug"] : item["name"]));
          TRY(auto project, part(one.organization));
          TRY(auto name, part(slug));
          one.address = fmt::format("/api/1.0/projects/{}/repos/{}", project, name);
          TRY(one.ssh_url, clone_link(item, "ssh"));
          TRY(one.http_url, clone_link(item, "http"));
          one.id = item["id"].num_or(0);
          all.push_back(std::move(one));
          return {};
        }));
    return all;
  }

  Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository, bool all) override {
    std::vector<CatalogBranch> out;
    auto take = [&](doc::View item) -> Result<> {
      TRY(auto branch, branch_from(item["displayId"], item["latestCommit"]));
      out.push_back(std::move(branch));
      return {};
    };
    auto what = fmt::format("branches of {}/{}", repository.organization, repository.name);
    // One without a default branch, or with one that is not there, is left out whatever was asked, as Argo CD does.
    auto reply = rest_.get(ctx, repository.address + "/branches/default");
    if (!reply && reply.error().is(Kind::not_found)) return out;
    if (!reply) return Fail(std::move(reply).error().in(what));
    if (reply->body.is_null()) return out;
    auto done = all ? rest_.each(ctx, repository.address + "/branches?limit=100", take) : take(reply->view());
    if (!done) return Fail(std::move(done).error().in(what));
    return out;
  }

  Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                        const std::string& path) override {
    TRY(auto at, parts(path));
    return there(rest_.get(
        ctx, fmt::format("{}/browse/{}?limit=1&type=true&at={}", repository.address, at, percent_encode(branch.name))));
  }

 private:
  Rest rest_;
  CatalogOptions options_;
};

}  // namespace

std::unique_ptr<Catalog> bitbucket_catalog(const CatalogOptions& options) { return std::make_unique<Cloud>(options); }
std::unique_ptr<Catalog> bitbucket_server_catalog(const CatalogOptions& options) {
  return std::make_unique<Server>(options);
}

}  // namespace slipway::forge
