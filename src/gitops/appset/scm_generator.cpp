// Repositories of an organisation, each by its branches. Rules: Argo CD's SCM provider generator and
// applicationset/services/scm_provider.
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/text.h"
#include "gitops/appset/forge_access.h"

namespace slipway::gitops::appset::detail {
namespace {

using forge::CatalogBranch;
using forge::CatalogRepository;

constexpr std::size_t most = 10'000;  // of branches: each would be an Application

// Our own host as a Catalog: nobody is asked, and no branch is away.
class EmbeddedCatalog final : public forge::Catalog {
 public:
  explicit EmbeddedCatalog(Repositories& repositories) : repositories_(repositories) {}
  Result<std::vector<CatalogRepository>> repositories(const Ctx& ctx) override {
    TRY(auto hosted, repositories_.hosted(ctx));
    std::vector<CatalogRepository> all;
    for (auto& [name, url] : hosted) {
      TRY(auto repository, repositories_.open(ctx, url));
      TRY(auto head, repository.head());
      auto slash = name.rfind('/');
      CatalogRepository one;
      if (slash != std::string::npos) one.organization = name.substr(0, slash);
      one.name = slash == std::string::npos ? name : name.substr(slash + 1);
      one.address = one.ssh_url = one.http_url = url;
      one.default_branch = head.substr(std::min(head.size(), heads.size()));
      one.id = name;
      all.push_back(std::move(one));
    }
    return all;
  }
  Result<std::vector<CatalogBranch>> branches(const Ctx& ctx, const CatalogRepository& repository, bool all) override {
    TRY(auto opened, repositories_.open(ctx, repository.address));
    TRY(auto refs, opened.refs(heads));
    std::vector<CatalogBranch> out;
    for (const auto& [ref, commit] : refs)
      if (auto name = ref.substr(heads.size()); all || name == repository.default_branch) out.push_back({name, commit});
    return out;
  }
  Result<bool> has_path(const Ctx& ctx, const CatalogRepository& repository, const CatalogBranch& branch,
                        const std::string& path) override {
    TRY(auto opened, repositories_.open(ctx, repository.address));
    auto slash = path.rfind('/');
    auto folder = slash == std::string::npos ? std::string() : path.substr(0, slash);
    auto listed = opened.list(branch.commit, folder, false);
    if (!listed && listed.error().is(Kind::not_found)) return false;
    if (!listed) return Fail(std::move(listed).error());
    auto name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    return std::any_of(listed->begin(), listed->end(), [&](const git::TreeEntry& e) { return e.path == name; });
  }

 private:
  static constexpr std::string_view heads = "refs/heads/";
  Repositories& repositories_;
};

struct Provider {
  std::string_view field;
  forge::Service service;
  std::string_view owner;
};
constexpr std::array providers{
    Provider{"github", forge::Service::github, "organization"},
    Provider{"gitlab", forge::Service::gitlab, "group"},
    Provider{"gitea", forge::Service::gitea, "owner"},
    Provider{"bitbucket", forge::Service::bitbucket, "owner"},
    Provider{"bitbucketServer", forge::Service::bitbucket_server, "project"},
    Provider{"azureDevOps", forge::Service::azure_devops, "organization"},
};

struct Source {
  std::unique_ptr<forge::Catalog> catalog;
  std::string called;         // in errors
  bool all_branches = false;  // else each repository's default one
  bool has_ssh = true;
};

Result<Source> source_of(const Call& call, doc::View scm) {
  Source source;
  if (auto own = scm["slipway"]; own.exists()) {
    source.catalog = std::make_unique<EmbeddedCatalog>(call.world.repositories);
    source.called = "the embedded host", source.has_ssh = false;
    source.all_branches = own["allBranches"].bool_or(false);
    return source;
  }
  for (const auto& [field, service, owner] : providers) {
    auto view = scm[field];
    if (!view.present()) continue;
    forge::CatalogOptions options;
    options.service = service;
    TRY(options.owner, view[owner].str());
    TRY(auto access, forge_access(call, service, view, options.owner));
    options.api = access.api, options.user = access.user, options.token = access.token;
    options.ca_pem = access.ca_pem, options.verify = access.verify;
    options.project = view["teamProject"].text();
    options.without_archived = view["excludeArchivedRepos"].bool_or(false);
    options.subgroups = view["includeSubgroups"].bool_or(false);
    options.shared = view["includeSharedProjects"].bool_or(true);
    options.archived = view["includeArchivedRepos"].bool_or(false);
    options.topic = view["topic"].text();
    source.called = to_string(service);
    source.all_branches = view["allBranches"].bool_or(false);
    TRY_IN(source.catalog, "scmProvider", forge::open_catalog(std::move(options)));
    return source;
  }
  for (auto absent : {"awsCodeCommit"})
    if (scm[absent].present())
      return scm[absent].wrong(
          "this provider is not supported, want github, gitlab, gitea, bitbucket, bitbucketServer, azureDevOps or "
          "slipway");
  return scm.wrong(
      "want one of github, gitlab, gitea, bitbucket, bitbucketServer, azureDevOps, slipway (the embedded host)");
}

Result<std::string> clone_url(const Source& source, doc::View protocol, const CatalogRepository& repository) {
  auto said = protocol.text();
  if (said == "https" || (said.empty() && !source.has_ssh)) return repository.http_url;
  if (source.has_ssh && (said.empty() || said == "ssh")) return repository.ssh_url;
  return protocol.wrong(fmt::format("unknown clone protocol for {} {}", source.called, said));
}

struct Filter {
  std::unique_ptr<re2::RE2> repository, label, branch;
  std::vector<std::string> present, absent;
  bool of_branches = false, of_anything = false;
};

Result<std::unique_ptr<re2::RE2>> regex_of(doc::View view) {
  if (!view.present()) return nullptr;
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  auto regex = std::make_unique<re2::RE2>(view.text(), quiet);
  if (!regex->ok()) return view.wrong(regex->error());
  return regex;
}

std::vector<std::string> paths_of(doc::View list) {
  std::vector<std::string> paths;
  for (const auto& item : list.items()) {
    auto path = item.text();
    while (path.ends_with('/')) path.pop_back();
    if (path.starts_with("./")) path.erase(0, 2);
    paths.push_back(std::move(path));
  }
  return paths;
}

// Filters that speak of branches are asked once the branches are known, the others before. Of each sort one must hold,
// in all it says.
Result<std::vector<Filter>> filters_of(doc::View list) {
  std::vector<Filter> filters;
  for (const auto& item : list.items()) {
    Filter one;
    TRY(one.repository, regex_of(item["repositoryMatch"]));
    TRY(one.label, regex_of(item["labelMatch"]));
    TRY(one.branch, regex_of(item["branchMatch"]));
    one.present = paths_of(item["pathsExist"]), one.absent = paths_of(item["pathsDoNotExist"]);
    one.of_branches = one.branch || item["pathsExist"].present() || item["pathsDoNotExist"].present();
    one.of_anything = one.of_branches || one.repository || one.label;
    filters.push_back(std::move(one));
  }
  return filters;
}

class Filters {
 public:
  Filters(const Ctx& ctx, forge::Catalog& catalog, std::vector<Filter> all)
      : ctx_(ctx), catalog_(catalog), all_(std::move(all)) {}
  // `branch` null: of the repository alone.
  Result<bool> pass(const CatalogRepository& repository, const CatalogBranch* branch) const {
    bool none = true;
    for (const auto& filter : all_) {
      if (!filter.of_anything || filter.of_branches != (branch != nullptr)) continue;
      none = false;
      TRY(auto holds, holds_for(filter, repository, branch));
      if (holds) return true;
    }
    return none;
  }

 private:
  Result<bool> holds_for(const Filter& filter, const CatalogRepository& repository, const CatalogBranch* branch) const {
    if (filter.repository && !re2::RE2::PartialMatch(repository.name, *filter.repository)) return false;
    if (filter.branch && !re2::RE2::PartialMatch(branch->name, *filter.branch)) return false;
    auto labelled = [&](const std::string& label) { return re2::RE2::PartialMatch(label, *filter.label); };
    if (filter.label && !std::any_of(repository.labels.begin(), repository.labels.end(), labelled)) return false;
    for (const auto& path : filter.present) {
      TRY(auto there, catalog_.has_path(ctx_, repository, *branch, path));
      if (!there) return false;
    }
    for (const auto& path : filter.absent) {
      TRY(auto there, catalog_.has_path(ctx_, repository, *branch, path));
      if (there) return false;
    }
    return true;
  }
  const Ctx& ctx_;
  forge::Catalog& catalog_;
  std::vector<Filter> all_;
};

Result<doc::Map> params_of(const Call& call, doc::View scm, const CatalogRepository& repository,
                           const CatalogBranch& branch, const std::string& url) {
  doc::Map params{{"organization", repository.organization},
                  {"repository", repository.name},
                  {"repository_id", call.renderer.go() ? repository.id : doc::Value(doc::View(repository.id).text())},
                  {"url", url},
                  {"branch", branch.name},
                  {"branchNormalized", normalized(branch.name)},
                  {"sha", branch.commit},
                  {"short_sha", branch.commit.substr(0, 8)},
                  {"short_sha_7", branch.commit.substr(0, 7)},
                  {"labels", join(repository.labels, ",")}};
  TRY_OK(add_values(call, scm["values"], params));
  return params;
}

}  // namespace

Result<Params> from_scm(const Call& call, doc::View scm) {
  TRY(auto source, source_of(call, scm));
  TRY(auto written, filters_of(scm["filters"]));
  Filters filters(call.ctx, *source.catalog, std::move(written));
  TRY_IN(auto repositories, "scmProvider", source.catalog->repositories(call.ctx));
  Params out;
  for (const auto& repository : repositories) {
    TRY(auto url, clone_url(source, scm["cloneProtocol"], repository));
    TRY(auto wanted, filters.pass(repository, nullptr));
    if (!wanted) continue;
    TRY_IN(auto branches, "scmProvider", source.catalog->branches(call.ctx, repository, source.all_branches));
    for (const auto& branch : branches) {
      TRY_IN(auto passes, "scmProvider", filters.pass(repository, &branch));
      if (!passes) continue;
      TRY(auto params, params_of(call, scm, repository, branch, url));
      out.push_back(std::move(params));
      if (out.size() > most) return scm.wrong(fmt::format("gives more than {} branches", most));
    }
  }
  return out;
}

}  // namespace slipway::gitops::appset::detail
