// Groups of GitLab, API v4. The questions are those that Argo CD asks, so that the answers are as well.
#include "base/encode.h"
#include "forge/detail/catalog.h"

namespace slipway::forge {
namespace {

class Gitlab final : public Catalog {
 public:
  explicit Gitlab(const CatalogOptions& options)
      : rest_(rest_options(options), gitlab_headers(rest_options(options))), options_(options) {}

  Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) override {
    TRY_OK(parts(options_.owner));
    auto list = fmt::format("/groups/{}/projects?per_page=100&include_subgroups={}&with_shared={}",
                            percent_encode(options_.owner), options_.subgroups, options_.shared);
    if (!options_.topic.empty()) list += "&topic=" + percent_encode(options_.topic);
    if (options_.archived) list += "&archived=true";
    std::vector<CatalogRepository> all;
    TRY_OK_IN(fmt::format("projects of {}", options_.owner), rest_.each(ctx, list, [&](doc::View item) -> Result<> {
      CatalogRepository one;
      TRY(one.organization, said(item["namespace"]["full_path"]));
      TRY(one.name, said(item["path"]));
      TRY(one.ssh_url, said_or_none(item["ssh_url_to_repo"]));
      TRY(one.http_url, said_or_none(item["http_url_to_repo"]));
      TRY(one.default_branch, said_or_none(item["default_branch"]));
      if (one.default_branch.empty()) return {};  // nothing was pushed yet
      // tag_list: before 14.5
      auto topics = item["topics"];
      TRY(one.labels, labels_from(topics.items().empty() ? item["tag_list"] : topics));
      TRY(auto id, item["id"].num());
      one.address = std::to_string(id), one.id = id;
      all.push_back(std::move(one));
      return {};
    }));
    return all;
  }

  Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository, bool all) override {
    auto list = fmt::format("/projects/{}/repository/branches", repository.address);
    std::vector<CatalogBranch> out;
    auto take = [&](doc::View item) -> Result<> {
      TRY(auto branch, branch_from(item["name"], item["commit"]["id"]));
      out.push_back(std::move(branch));
      return {};
    };
    auto what = fmt::format("branches of {}/{}", repository.organization, repository.name);
    if (all) {
      auto done = rest_.each(ctx, list + "?per_page=100", take);
      if (!done && !(done.error().is(Kind::not_found) && out.empty())) return Fail(std::move(done).error().in(what));
      return out;
    }
    TRY(auto name, part(repository.default_branch));
    auto reply = rest_.get(ctx, fmt::format("{}/{}", list, name));
    if (!reply && reply.error().is(Kind::not_found)) return out;
    if (!reply) return Fail(std::move(reply).error().in(what));
    TRY_OK_IN(what, take(reply->view()));
    return out;
  }

  // A file has a page of its own, a folder a list of what is in it.
  Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                        const std::string& path) override {
    TRY_OK(parts(path));
    auto at = fmt::format("/projects/{}/repository", repository.address);
    auto ref = percent_encode(branch.name), encoded = percent_encode(path);
    TRY(auto file, there(rest_.get(ctx, fmt::format("{}/files/{}?ref={}", at, encoded, ref))));
    if (file) return true;
    auto folder = rest_.get(ctx, fmt::format("{}/tree?path={}&ref={}&per_page=1", at, encoded, ref));
    if (!folder) return there(std::move(folder));
    return !folder->view().items().empty();  // before 15.0 one that is not there was an empty list
  }

 private:
  Rest rest_;
  CatalogOptions options_;
};

}  // namespace

std::unique_ptr<Catalog> gitlab_catalog(const CatalogOptions& options) { return std::make_unique<Gitlab>(options); }

}  // namespace slipway::forge
