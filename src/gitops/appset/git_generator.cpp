// Folders and files of a repository, one set of parameters each. Rules: Argo CD's git generator.
#include <algorithm>

#include "base/text.h"
#include "doc/yaml.h"
#include "gitops/appset/detail.h"
#include "gitops/detail/projects.h"
#include "gitops/signatures.h"

namespace slipway::gitops::appset::detail {
namespace {

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

// What `path` and its parts are called: {path: {path, basename, ...}} in Go templates, else path, path.basename,
// path[0].
void add_path(const Call& call, std::string_view prefix, const std::string& folder, const std::string& file,
              doc::Map& params) {
  doc::List segments;
  for (auto part : split(folder, '/')) segments.emplace_back(part);
  auto base = base_name(folder), name = base_name(file);
  if (call.renderer.go()) {
    doc::Map path{{"path", folder},
                  {"basename", base},
                  {"basenameNormalized", normalized(base)},
                  {"segments", std::move(segments)}};
    if (!file.empty()) path.set("filename", name), path.set("filenameNormalized", normalized(name));
    auto& into = prefix.empty() ? params : params[prefix].map();
    into.set("path", std::move(path));
    return;
  }
  auto key = prefix.empty() ? std::string("path") : fmt::format("{}.path", prefix);
  params.set(key, folder);
  params.set(key + ".basename", base);
  params.set(key + ".basenameNormalized", normalized(base));
  for (std::size_t i = 0; i < segments.size(); ++i) params.set(fmt::format("{}[{}]", key, i), segments[i]);
  if (!file.empty()) params.set(key + ".filename", name), params.set(key + ".filenameNormalized", normalized(name));
}

// What an unsigned commit says makes no Applications of a project that wants signatures, as far as the project is known
// before: Argo CD's rule.
Result<> check_signed(const Call& call, const git::Repository& repository, const std::string& url,
                      const std::string& revision, const git::Oid& commit) {
  if (call.project.empty()) return {};
  kube::Key key{std::string(home_namespace), call.project};
  TRY(auto project, call.world.client.get(call.ctx, gitops::detail::project_type, key));
  if (!project) return {};
  TRY(auto rules, SignatureRules::read((*project)["spec"]));
  TRY(auto problems, rules.problems_of(call.ctx, call.world.client, repository, url, revision, commit));
  if (problems.empty()) return {};
  return fail(Kind::denied, "{}: GIT/GPG: {}", shown(url), join(problems, "\n"));
}

struct Tree {
  git::Repository repository;
  git::Oid commit;
  std::vector<git::TreeEntry> entries;
};
Result<Tree> tree_of(const Call& call, doc::View git) {
  TRY(auto url, git["repoURL"].str());
  if (url.contains('#')) return git["repoURL"].wrong("want an address without a fragment (#)");
  auto revision = git["revision"].text();
  if (revision.empty()) revision = "HEAD";
  TRY(auto repository, call.world.repositories.open(call.ctx, url));
  TRY(auto commit, repository.resolve(revision));
  if (!commit) return fail(Kind::not_found, "{}: no revision {}", url, revision);
  TRY_OK(check_signed(call, repository, url, revision, *commit));
  TRY(auto entries, repository.list(*commit));
  return Tree{std::move(repository), *commit, std::move(entries)};
}

// Every folder that holds something, but for hidden ones and what is below them.
std::set<std::string> folders_of(const Tree& tree) {
  std::set<std::string> folders;
  for (const auto& entry : tree.entries) {
    if (entry.is_tree()) continue;
    for (auto slash = entry.path.find('/'); slash != std::string::npos; slash = entry.path.find('/', slash + 1))
      folders.insert(entry.path.substr(0, slash));
  }
  std::erase_if(folders, [](const std::string& folder) { return folder.starts_with('.') || folder.contains("/."); });
  return folders;
}

Result<Params> documents(const Call& call, const std::string& path, const std::string& content,
                         std::string_view prefix) {
  TRY(auto value, doc::parse_yaml(content, {.source = path, .max_nodes = 100'000}));
  doc::List list;
  if (value.is_list())
    list = *value.if_list();
  else if (!value.is_null())
    list.push_back(std::move(value));
  auto slash = path.rfind('/');
  auto folder = slash == std::string::npos ? std::string(".") : path.substr(0, slash);
  Params out;
  for (auto& item : list) {
    if (!item.is_map()) return fail(Kind::invalid, "{}: want a map, or a list of maps", path);
    auto params = call.renderer.go() ? *item.if_map() : flattened(*item.if_map());
    add_path(call, prefix, folder, path, params);
    out.push_back(std::move(params));
  }
  return out;
}

}  // namespace

Result<Params> from_git(const Call& call, doc::View git) {
  auto folders = git["directories"], files = git["files"];
  if (folders.items().empty() && files.items().empty()) return git.wrong("want directories or files");
  TRY(auto tree, tree_of(call, git));
  auto prefix = git["pathParamPrefix"].text();
  Params out;
  if (!folders.items().empty()) {
    for (const auto& folder : folders_of(tree)) {
      if (!takes(folders, folder)) continue;
      doc::Map params;
      add_path(call, prefix, folder, "", params);
      out.push_back(std::move(params));
    }
  } else {
    std::vector<std::string> paths;
    for (const auto& entry : tree.entries)
      if (!entry.is_tree() && takes(files, entry.path)) paths.push_back(entry.path);
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      TRY(auto content, tree.repository.read(tree.commit, path));
      TRY(auto some, documents(call, path, content.value_or(""), prefix));
      std::move(some.begin(), some.end(), std::back_inserter(out));
    }
  }
  for (auto& params : out) TRY_OK(add_values(call, git["values"], params));
  return out;
}

}  // namespace slipway::gitops::appset::detail
