// Organisations of GitHub (REST API 2022-11-28) and of Gitea/Forgejo (API v1), which differs where it is named here.
#include "base/encode.h"
#include "forge/detail/catalog.h"

namespace slipway::forge {
namespace {

class Github : public Catalog {
 public:
  Github(const CatalogOptions& options, net::Headers headers)
      : rest_(rest_options(options), std::move(headers)), options_(options) {}

  Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) override {
    TRY(auto owner, part(options_.owner));
    std::vector<CatalogRepository> all;
    // per_page is GitHub's, limit Gitea's, which gives no more than 50.
    auto list = fmt::format("/orgs/{}/repos?per_page=100&limit=50", owner);
    TRY_OK_IN(fmt::format("repositories of {}", options_.owner), rest_.each(ctx, list, [&](doc::View item) -> Result<> {
      if (options_.without_archived && item["archived"].bool_or(false)) return {};
      if (nothing_in(item)) return {};
      TRY(auto one, read(item));
      TRY_OK(add_labels(ctx, item, one));
      all.push_back(std::move(one));
      return {};
    }));
    return all;
  }

  Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository, bool all) override {
    auto list = fmt::format("/repos/{}/branches", repository.address);
    std::vector<CatalogBranch> out;
    auto take = [&](doc::View item) -> Result<> {
      TRY(auto branch, branch_from(item["name"], commit_of(item)));
      out.push_back(std::move(branch));
      return {};
    };
    auto what = fmt::format("branches of {}/{}", repository.organization, repository.name);
    if (all) {
      TRY_OK_IN(what, rest_.each(ctx, list + "?per_page=100&limit=50", take));
      return out;
    }
    TRY(auto name, part(repository.default_branch));
    auto reply = rest_.get(ctx, fmt::format("{}/{}", list, name));
    if (!reply && reply.error().is(Kind::not_found) && missing_is_empty()) return out;
    if (!reply) return Fail(std::move(reply).error().in(what));
    TRY_OK_IN(what, take(reply->view()));
    return out;
  }

  Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                        const std::string& path) override {
    TRY(auto at, parts(path));
    return there(rest_.get(
        ctx, fmt::format("/repos/{}/contents/{}?ref={}", repository.address, at, percent_encode(branch.name))));
  }

 protected:
  virtual bool nothing_in(doc::View) const { return false; }
  // Without its default branch a repository of GitHub is empty.
  virtual bool missing_is_empty() const { return true; }
  virtual doc::View commit_of(doc::View branch) const { return branch["commit"]["sha"]; }
  virtual Result<> add_labels(const Ctx&, doc::View item, CatalogRepository& into) {
    TRY(into.labels, labels_from(item["topics"]));
    return {};
  }
  virtual Result<CatalogRepository> read(doc::View item) const {
    CatalogRepository one;
    TRY(one.organization, said(item["owner"]["login"]));
    TRY(one.name, said(item["name"]));
    TRY(one.ssh_url, said_or_none(item["ssh_url"]));
    TRY(one.http_url, said_or_none(item["clone_url"]));
    TRY(one.default_branch, said(item["default_branch"]));
    TRY_OK(address(one));
    one.id = item["id"].num_or(0);
    return one;
  }
  static Result<> address(CatalogRepository& one) {
    TRY(auto owner, part(one.organization));
    TRY(auto name, part(one.name));
    one.address = owner + "/" + name;
    return {};
  }
  Rest rest_;
  CatalogOptions options_;
};

class Gitea final : public Github {
 public:
  using Github::Github;

 private:
  bool nothing_in(doc::View item) const override { return item["empty"].bool_or(false); }
  bool missing_is_empty() const override { return false; }
  doc::View commit_of(doc::View branch) const override { return branch["commit"]["id"]; }
  // Argo CD gives the labels of a repository's issues, and its page as the address by HTTPS.
  Result<> add_labels(const Ctx& ctx, doc::View, CatalogRepository& into) override {
    return rest_.each(ctx, fmt::format("/repos/{}/labels?limit=50", into.address), [&](doc::View label) -> Result<> {
      TRY(auto name, said(label["name"]));
      into.labels.push_back(std::move(name));
      return {};
    });
  }
  Result<CatalogRepository> read(doc::View item) const override {
    CatalogRepository one;
    one.organization = options_.owner;
    TRY(one.name, said(item["name"]));
    TRY(one.ssh_url, said_or_none(item["ssh_url"]));
    TRY(one.http_url, said_or_none(item["html_url"]));
    TRY(one.default_branch, said(item["default_branch"]));
    TRY_OK(address(one));
    one.id = item["id"].num_or(0);
    return one;
  }
};

}  // namespace

std::unique_ptr<Catalog> github_catalog(const CatalogOptions& options) {
  return std::make_unique<Github>(options, github_headers(rest_options(options)));
}
std::unique_ptr<Catalog> gitea_catalog(const CatalogOptions& options) {
  return std::make_unique<Gitea>(options, gitea_headers(rest_options(options)));
}

}  // namespace slipway::forge
