#include "gitops/source.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"
#include "gitops/flux/generate.h"
#include "gitops/flux/substitute.h"
#include "gitops/sealed_source.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"

namespace slipway::gitops {
namespace {

// The kustomize block of an Application, as fields of a kustomization laid over the path's own.
doc::Value overrides_of(const doc::Value& block) {
  doc::Map over;
  doc::View view(block);
  for (auto key : {"namePrefix", "nameSuffix", "namespace", "commonAnnotations", "patches", "components"})
    if (view[key].present()) over.set(key, view[key].value());
  if (auto labels = view["commonLabels"]; labels.present()) {
    bool without = view["labelWithoutSelector"].bool_or(false);
    if (without)
      over.set("labels", doc::List{doc::Map{{"pairs", labels.value()},
                                            {"includeTemplates", view["labelIncludeTemplates"].bool_or(false)}}});
    else
      over.set("commonLabels", labels.value());
  }
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
    bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash) &&
                  (at == std::string::npos || colon < at);
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

std::string spec_print(const SourceSpec& source) {
  auto text =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", source.repo_url, source.path, source.recurse, source.include,
                  source.exclude, doc::print_json(source.kustomize), source.generate, doc::print_json(source.overlay),
                  doc::print_json(source.metadata), source.variables.has_value());
  if (source.variables)
    for (const auto& [name, value] : *source.variables) text += fmt::format("{}={}\n", name, value);
  return sha256_hex(text);
}

// What stands at paths of one commit, folder by folder.
class TreeIds {
 public:
  TreeIds(const git::Repository& repository, git::Oid commit) : repository_(repository), commit_(std::move(commit)) {}
  // "" when there is nothing; no value when a link stands in the way, whose target the id would not tell.
  Result<std::optional<std::string>> at(std::string_view path) {
    std::string folder;
    std::string id;
    if (path.empty()) {
      TRY(auto tree, repository_.tree_of(commit_));
      return std::optional(tree);
    }
    for (auto step : split(path, '/')) {
      TRY(const auto* entries, entries_of(folder));
      auto found = entries->find(step);
      if (found == entries->end()) return std::optional<std::string>("");
      if (found->second.is_link()) return std::optional<std::string>();
      id = found->second.id;
      if (!folder.empty()) folder += '/';
      folder += step;
    }
    return std::optional(id);
  }

 private:
  using Entries = std::map<std::string, git::TreeEntry, std::less<>>;
  Result<const Entries*> entries_of(const std::string& folder) {
    auto known = folders_.find(folder);
    if (known != folders_.end()) return &known->second;
    Entries entries;
    auto list = repository_.list(commit_, folder, false);
    // A file where a folder was asked for has nothing below it.
    if (!list && !list.error().is(Kind::not_found)) return Fail(std::move(list).error());
    if (list)
      for (auto& entry : *list) {
        auto name = entry.path;
        entries.emplace(std::move(name), std::move(entry));
      }
    return &folders_.emplace(folder, std::move(entries)).first->second;
  }
  const git::Repository& repository_;
  git::Oid commit_;
  std::map<std::string, Entries> folders_;
};

struct RenderedSource {
  std::vector<doc::Value> objects;
  std::string type;
  std::set<std::string> paths;
};

struct Sealed {
  FindKeys keys;
  std::function<void(std::string_view)> learned;
};

// A kustomization, or one of everything below the folder; Flux's fields over it.
Result<std::vector<doc::Value>> build(const Ctx& ctx, manifest::FileSource& files, const std::string& folder,
                                      const SourceSpec& source, bool there) {
  manifest::KustomizeOptions options;
  options.overrides = source.overlay.is_null() ? overrides_of(source.kustomize) : source.overlay;
  if (there) return manifest::kustomize_build(ctx, files, folder, options);
  TRY(auto text, flux::generate_kustomization(ctx, files, folder));
  flux::WithKustomization with(files, folder, std::move(text));
  return manifest::kustomize_build(ctx, with, folder, options);
}

Result<RenderedSource> render_source(const Ctx& ctx, const git::Repository& repository, const git::Oid& commit,
                                     const SourceSpec& source, const Sealed& sealed) {
  manifest::GitSource plain(repository, commit);
  SealedSource opened(plain, sealed.keys, sealed.learned);
  manifest::RecordingSource files(opened);
  RenderedSource result;
  auto folder = manifest::join_path("", source.path.empty() ? "." : source.path);
  if (!folder)
    return fail(Kind::invalid, "{}: {}: leaves the repository, want a folder in it", source.repo_url, source.path);
  TRY(auto there, files.is_dir(*folder));
  if (!there)
    return fail(Kind::not_found, "{}: {}: app path does not exist at {}", source.repo_url, source.path,
                commit.substr(0, 12));
  TRY(auto kustomization, manifest::find_kustomization(files, *folder));
  if (kustomization || source.generate) {
    result.type = "Kustomize";
    TRY(result.objects, build(ctx, files, *folder, source, kustomization.has_value()));
    flux::set_metadata(result.objects, source.metadata);
    if (source.variables) TRY_OK(flux::substitute(result.objects, *source.variables));
  } else {
    if (!source.kustomize.is_null() && !overrides_of(source.kustomize).is_null())
      return fail(Kind::invalid, "{}: {}: has no kustomization for the Application's kustomize block", source.repo_url,
                  source.path);
    result.type = "Directory";
    TRY(auto loaded, manifest::load_folder(ctx, files, *folder, {source.recurse, source.include, source.exclude}));
    for (auto& entry : loaded) result.objects.push_back(std::move(entry.object));
  }
  result.paths = files.paths();
  return result;
}

}  // namespace

Result<git::Repository> Repositories::at(const Ctx& ctx, const std::string& url, const git::Oid&) {
  return open(ctx, url);
}
Result<Artifact> Repositories::artifact(const Ctx&, const ArtifactRequest& request) {
  return fail(Kind::unavailable, "{}: OCI artifacts are not read here", request.url);
}

// Whether what was read stands unchanged in another commit.
Result<bool> Renderer::holds(const Read& read, const git::Repository& repository, const git::Oid& commit,
                             const git::Oid& tree) {
  if (read.tree == tree) return true;
  if (!read.complete) return false;
  TreeIds ids(repository, commit);
  for (const auto& [path, id] : read.ids) {
    TRY(auto now, ids.at(path));
    if (!now || *now != id) return false;
  }
  return true;
}

Result<std::shared_ptr<const Rendered>> Renderer::render(const Ctx& ctx, const Application& app) {
  Cached before, next;
  {
    auto cache = cache_.lock();
    if (auto found = cache->find(app.key); found != cache->end()) before = found->second;
  }
  for (const auto& source : app.sources) next.spec += spec_print(source);
  bool same = before.spec == next.spec;
  auto rendered = std::make_shared<Rendered>();
  std::vector<git::Repository> repositories;
  for (std::size_t i = 0; i < app.sources.size(); ++i) {
    const auto& source = app.sources[i];
    bool pinned = source.target_revision.size() == 40 && from_hex(source.target_revision);
    TRY(auto repository, pinned ? repositories_.at(ctx, source.repo_url, source.target_revision)
                                : repositories_.open(ctx, source.repo_url));
    TRY(auto commit, repository.resolve(source.target_revision));
    if (!commit) return fail(Kind::not_found, "{}: no revision {}", source.repo_url, source.target_revision);
    TRY(auto tree, repository.tree_of(*commit));
    if (same) {
      TRY(same, holds(before.reads[i], repository, *commit, tree));
    }
    rendered->revisions.push_back(*commit);
    next.reads.push_back({tree, {}, false});
    repositories.push_back(std::move(repository));
  }
  if (same && before.rendered->revisions == rendered->revisions) return before.rendered;
  if (same) {
    rendered->types = before.rendered->types, rendered->objects = before.rendered->objects;
    for (std::size_t i = 0; i < next.reads.size(); ++i)
      next.reads[i].ids = before.reads[i].ids, next.reads[i].complete = before.reads[i].complete;
  } else {
    auto objects = std::make_shared<std::vector<doc::Value>>();
    for (std::size_t i = 0; i < app.sources.size(); ++i) {
      FindKeys keys;
      if (app.keys) keys = [&] { return app.keys(ctx); };
      TRY(auto one,
          render_source(ctx, repositories[i], rendered->revisions[i], app.sources[i], {std::move(keys), learned_}));
      rendered->types.push_back(std::move(one.type));
      for (auto& object : one.objects) objects->push_back(std::move(object));
      TreeIds ids(repositories[i], rendered->revisions[i]);
      next.reads[i].complete = true;
      for (const auto& path : one.paths) {
        TRY(auto id, ids.at(path));
        if (!id) next.reads[i].complete = false;
        next.reads[i].ids.emplace(path, id.value_or(""));
      }
    }
    rendered->objects = std::move(objects);
  }
  next.rendered = rendered;
  (*cache_.lock())[app.key] = std::move(next);
  return std::shared_ptr<const Rendered>(std::move(rendered));
}

void Renderer::forget(const kube::Key& application) { cache_.lock()->erase(application); }

}  // namespace slipway::gitops
