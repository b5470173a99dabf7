#include "gitops/source.h"

#include "base/hash.h"
#include "doc/json.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"

namespace slipway::gitops {
namespace {

// The kustomize block of an Application, as fields of a kustomization laid over the path's own.
doc::Value overrides_of(const doc::Value& block) {
  doc::Map over;
  doc::View view(block);
  for (auto key : {"namePrefix", "nameSuffix", "namespace", "commonLabels", "commonAnnotations", "patches", "components"})
    if (view[key].present()) over.set(key, view[key].value());
  doc::List images;
  for (const auto& image : view["images"].items()) {
    // [old=]name[:tag][@digest], as `kustomize edit set image` takes it.
    auto text = image.text();
    doc::Map entry;
    auto equals = text.find('=');
    auto target = equals == std::string::npos ? text : text.substr(equals + 1);
    auto at = target.find('@');
    auto colon = target.rfind(':', at == std::string::npos ? std::string::npos : at);
    auto slash = target.rfind('/');
    bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash) && (at == std::string::npos || colon < at);
    auto name = target.substr(0, tagged ? colon : at);
    entry.set("name", equals == std::string::npos ? name : text.substr(0, equals));
    if (equals != std::string::npos) entry.set("newName", name);
    if (tagged) entry.set("newTag", target.substr(colon + 1, at == std::string::npos ? at : at - colon - 1));
    if (at != std::string::npos) entry.set("digest", target.substr(at + 1));
    images.emplace_back(std::move(entry));
  }
  if (!images.empty()) over.set("images", std::move(images));
  doc::List replicas;
  for (const auto& item : view["replicas"].items()) replicas.emplace_back(item.value());
  if (!replicas.empty()) over.set("replicas", std::move(replicas));
  return over.empty() ? doc::Value() : doc::Value(std::move(over));
}

std::string folder_of(const SourceSpec& source) {
  auto folder = manifest::join_path("", source.path.empty() ? "." : source.path);
  return folder.value_or("");
}

std::string fingerprint(const SourceSpec& source, const std::string& tree) {
  return fmt::format("{}|{}|{}|{}|{}|{}", tree, source.path, source.recurse, source.include, source.exclude, doc::print_json(source.kustomize));
}

Result<std::vector<doc::Value>> render_source(const Ctx& ctx, const git::Repository& repository, const git::Oid& commit, const SourceSpec& source) {
  manifest::GitSource files(repository, commit);
  auto folder = folder_of(source);
  TRY(auto there, files.is_dir(folder));
  if (!there) return fail(Kind::not_found, "{}: {}: app path does not exist at {}", source.repo_url, source.path, commit.substr(0, 12));
  TRY(auto kustomization, manifest::find_kustomization(files, folder));
  if (kustomization) {
    manifest::KustomizeOptions options;
    options.overrides = overrides_of(source.kustomize);
    return manifest::kustomize_build(ctx, files, folder, options);
  }
  TRY(auto loaded, manifest::load_folder(ctx, files, folder, {source.recurse, source.include, source.exclude}));
  std::vector<doc::Value> objects;
  for (auto& entry : loaded) objects.push_back(std::move(entry.object));
  return objects;
}

}  // namespace

Result<std::shared_ptr<const Rendered>> Renderer::render(const Ctx& ctx, const Application& app) {
  std::vector<git::Repository> repositories;
  std::vector<std::string> commits;
  std::string print;
  for (const auto& source : app.sources) {
    TRY(auto repository, repositories_.open(ctx, source.repo_url));
    TRY(auto commit, repository.resolve(source.target_revision));
    if (!commit) return fail(Kind::not_found, "{}: no revision {}", source.repo_url, source.target_revision);
    TRY(auto tree, repository.tree_of(*commit));
    print += fingerprint(source, tree) + "\n";
    repositories.push_back(std::move(repository));
    commits.push_back(*commit);
  }
  auto key = app.key.str();
  std::shared_ptr<const Rendered> known;
  {
    auto cache = cache_.lock();
    if (auto found = cache->find(key); found != cache->end() && found->second.fingerprint == print) known = found->second.rendered;
  }
  if (known && known->revisions == commits) return known;
  auto rendered = std::make_shared<Rendered>();
  rendered->revisions = commits;
  if (known) {
    rendered->objects = known->objects;  // another commit with the same tree
  } else {
    for (std::size_t i = 0; i < app.sources.size(); ++i) {
      TRY(auto objects, render_source(ctx, repositories[i], commits[i], app.sources[i]));
      for (auto& object : objects) rendered->objects.push_back(std::move(object));
    }
  }
  (*cache_.lock())[key] = {print, rendered};
  return std::shared_ptr<const Rendered>(std::move(rendered));
}

}  // namespace slipway::gitops
