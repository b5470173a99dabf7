#include "gitops/source.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/semver.h"
#include "base/text.h"
#include "doc/json.h"
#include "gitops/detail/submodules.h"
#include "gitops/flux/generate.h"
#include "gitops/flux/ignoring.h"
#include "gitops/flux/substitute.h"
#include "gitops/jsonnet.h"
#include "gitops/kustomize_block.h"
#include "gitops/sealed_source.h"
#include "manifest/kustomize.h"
#include "manifest/load.h"

namespace slipway::gitops {
namespace {

std::string spec_print(const SourceSpec& source) {
  auto text =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", source.repo_url, source.path, source.recurse,
                  source.include, source.exclude, doc::print_json(source.kustomize), doc::print_json(source.jsonnet),
                  source.generate, doc::print_json(source.overlay), doc::print_json(source.metadata),
                  source.variables.has_value(), source.directory, source.load_anywhere, source.submodules);
  if (source.variables)
    for (const auto& [name, value] : *source.variables) text += fmt::format("{}={}\n", name, value);
  return sha256_hex(text);
}

// What kustomizations name beyond their repository comes from where all repositories do. It has no place in what a
// commit says: a render that used it is never taken for unchanged.
class Elsewhere final : public manifest::Remotes {
 public:
  Elsewhere(Repositories& repositories, const Renderer::Permit& permit, const Application& app)
      : repositories_(repositories), permit_(permit), app_(app) {}
  bool used() const { return used_; }

  Result<git::Repository> repository(const Ctx& ctx, const manifest::RemoteFolder& folder) override {
    used_ = true;
    if (folder.url.contains('#')) return fail(Kind::invalid, "{}: want no fragment (#)", folder.url);
    if (permit_) TRY_OK(permit_(folder.url));
    TRY_OK(repositories_.permit(ctx, folder.url, app_.project));
    auto bounded = ctx.within(folder.timeout);
    // Flux's sources have sign-ins of their own: what is read beside them has none.
    bool anonymous = !app_.source_name.empty();
    auto url = anonymous ? url_apart(folder.url, {}) : folder.url;
    git::Access none;
    if (anonymous) TRY_OK(repositories_.refresh(bounded, url, &none));
    TRY(auto known, repositories_.open(bounded, url));
    if (anonymous || (manifest::is_commit_id(folder.revision) && known.commit(folder.revision))) return known;
    TRY_OK(repositories_.refresh(bounded, url));
    return repositories_.open(bounded, url);
  }
  Result<std::string> file(const Ctx& ctx, const std::string& url) override {
    used_ = true;
    if (permit_) TRY_OK(permit_(url));
    return repositories_.file(ctx, url);
  }
  std::unique_ptr<manifest::Submodules> submodules(const Ctx& ctx, const manifest::RemoteFolder& folder) override {
    detail::SubmodulesOf of{.url = folder.url, .secrets = app_.source_name.empty(), .sign_in = {}};
    return detail::submodules_of(ctx, repositories_, permit_, app_, std::move(of), submodules_);
  }

 private:
  Repositories& repositories_;
  const Renderer::Permit& permit_;
  const Application& app_;
  bool used_ = false;
  std::set<std::string> submodules_;
};

struct RenderedSource {
  std::vector<doc::Value> objects;
  std::string type;
  std::set<std::string> paths;
  bool of_this_commit = false;  // another commit gives other objects though no file differs
};

struct Sealed {
  FindKeys keys;
  std::function<void(std::string_view)> learned;
};

// A kustomization, or one of everything below the folder; Flux's fields over it.
Result<std::vector<doc::Value>> build(const Ctx& ctx, manifest::FileSource& files, const std::string& folder,
                                      const SourceSpec& source, doc::Value overrides, bool there,
                                      manifest::Remotes& remotes) {
  manifest::KustomizeOptions options;
  options.remotes = &remotes;
  options.overrides = std::move(overrides);
  if (source.load_anywhere) options.load_restrictor = manifest::KustomizeOptions::LoadRestrictor::none;
  if (there) return manifest::kustomize_build(ctx, files, folder, options);
  TRY(auto text, flux::generate_kustomization(ctx, files, folder));
  flux::WithKustomization with(files, folder, std::move(text));
  return manifest::kustomize_build(ctx, with, folder, options);
}

Fail no_folder(const SourceSpec& source, const git::Oid& commit) {
  return fail(Kind::not_found, "{}: {}: app path does not exist at {}", shown(source.repo_url), source.path,
              commit.substr(0, 12));
}

// What `git clone` leaves empty is not what anybody means to deploy.
Result<> check_not_left_out(manifest::GitSource& files, const SourceSpec& source, const std::string& folder) {
  if (source.submodules || folder.empty()) return {};
  TRY(auto submodule, files.submodule_above(folder));
  if (submodule.empty()) return {};
  return Fail(Error(Kind::invalid, fmt::format("{}: {}: is in the submodule {}, and submodules are not read",
                                               shown(source.repo_url), source.path, submodule))
                  .with_hint("recurseSubmodules: true of the GitRepository reads them"));
}

Result<> check_no_chart(manifest::FileSource& files, const std::string& folder, const SourceSpec& source) {
  auto path = manifest::join_path(folder, "Chart.yaml");
  TRY(auto chart, path ? files.read(*path) : Result<std::optional<std::string>>(std::nullopt));
  if (!chart) return {};
  return fail(Kind::invalid, "{}: {}: is a Helm chart, and charts are not rendered yet", shown(source.repo_url),
              source.path);
}

Result<RenderedSource> render_source(const Ctx& ctx, const git::Oid& commit, manifest::GitSource& plain,
                                     const Application& app, const SourceSpec& asked, const Sealed& sealed,
                                     manifest::Remotes& remotes) {
  SealedSource opened(plain, sealed.keys, sealed.learned);
  manifest::RecordingSource recorded(opened);
  flux::IgnoringSource without(recorded, asked.ignore.value_or(""));
  manifest::FileSource& files = asked.ignore ? static_cast<manifest::FileSource&>(without) : recorded;
  RenderedSource result;
  auto folder = manifest::join_path("", asked.path.empty() ? "." : asked.path);
  if (!folder)
    return fail(Kind::invalid, "{}: {}: leaves the repository, want a folder in it", shown(asked.repo_url), asked.path);
  TRY_OK(check_not_left_out(plain, asked, *folder));
  TRY(auto there, files.is_dir(*folder));
  if (!there) return no_folder(asked, commit);
  bool of_argo = asked.overlay.is_null() && !asked.generate;
  TRY(auto source, of_argo ? with_override_files(files, *folder, asked, app.key.name) : Result<SourceSpec>(asked));
  TRY(auto kustomization, manifest::find_kustomization(files, *folder));
  if ((kustomization && !source.directory) || source.generate) {
    result.type = "Kustomize";
    auto overrides = source.overlay;
    if (overrides.is_null()) {
      TRY(auto block, with_components_that_are_there(files, *folder, source.kustomize));
      overrides = overrides_of(block, build_environment(app, source, commit));
    } else {
      TRY(overrides, with_components_that_are_there(files, *folder, overrides));
    }
    TRY(result.objects, build(ctx, files, *folder, source, std::move(overrides), kustomization.has_value(), remotes));
    flux::set_metadata(result.objects, source.metadata);
    if (source.variables) TRY_OK(flux::substitute(result.objects, *source.variables));
  } else {
    if (!source.kustomize.is_null() && !overrides_of(source.kustomize, {}).is_null())
      return fail(Kind::invalid, "{}: {}: has no kustomization for the Application's kustomize block",
                  shown(source.repo_url), source.path);
    if (!source.directory) TRY_OK(check_no_chart(files, *folder, source));
    result.type = "Directory";
    TRY(auto written, jsonnet_from(doc::View(source.jsonnet, "directory.jsonnet")));
    auto jsonnet = with_environment(std::move(written), build_environment(app, source, commit));
    TRY(auto loaded, manifest::load_folder(ctx, files, *folder,
                                           {.recursive = source.recurse,
                                            .include = source.include,
                                            .exclude = source.exclude,
                                            .argo = true,
                                            .jsonnet = jsonnet_evaluator(ctx, files, *folder, jsonnet)}));
    for (auto& entry : loaded) result.objects.push_back(std::move(entry.object));
  }
  result.paths = recorded.paths();
  result.of_this_commit = names_the_revision(source.kustomize) || names_the_revision(source.jsonnet);
  return result;
}

}  // namespace

RenderedObjects::RenderedObjects(const doc::List& objects) {
  for (const auto& object : objects) {
    doc::append_json(text_, object);
    text_ += '\n';
  }
  text_.shrink_to_fit();
}

Result<doc::List> RenderedObjects::list() const {
  doc::List objects;
  for (auto line : lines(text_)) {
    TRY(auto object, doc::parse_json_bare(line, "what was rendered"));
    objects.push_back(std::move(object));
  }
  return objects;
}

std::string shown(std::string_view url) {
  auto text = std::string(url_of_apart(url));
  auto scheme = text.find("://"), at = text.rfind('@');
  return scheme == std::string::npos || at == std::string::npos || at < scheme
             ? text
             : text.substr(0, scheme + 3) + text.substr(at + 1);
}

Result<git::Repository> Repositories::at(const Ctx& ctx, const std::string& url, const git::Oid&) {
  return open(ctx, url);
}
Result<Artifact> Repositories::artifact(const Ctx&, const ArtifactRequest& request) {
  return fail(Kind::unavailable, "{}: OCI artifacts are not read here", request.url);
}

std::string plain_url(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  return std::string(url);
}

std::string url_apart(std::string_view url, const git::Access& access) {
  std::string all;
  for (const auto* part : {&access.user, &access.password, &access.bearer, &access.ssh_key, &access.known_hosts,
                           &access.ca_pem, &access.certificate_pem, &access.key_pem})
    all += fmt::format("{}:{};", part->size(), *part);
  return fmt::format("{}#{}", url, access.signs_in() ? sha256_hex(all).substr(0, 16) : "anonymous");
}
std::string url_below(std::string_view url, std::string_view above) {
  return fmt::format("{}#below-{}", url, sha256_hex(above).substr(0, 16));
}
std::string_view url_of_apart(std::string_view url) { return url.substr(0, url.find('#')); }

void Renderer::State::leave(const kube::Key& application) {
  auto known = cache.find(application);
  auto forget_reads = [&](Base& base) {
    for (const auto& read : known->second->reads) {
      for (const auto& [path, id] : read.ids) {
        auto readers = base.readers.find(path);
        if (readers == base.readers.end()) continue;
        readers->second.erase(application);
        if (readers->second.empty()) base.readers.erase(readers);
      }
    }
  };
  for (auto& [key, base] : bases) {
    base.unsure.erase(application);
    if (base.members.erase(application) > 0 && known != cache.end()) forget_reads(base);
  }
  std::erase_if(bases, [](const auto& entry) { return entry.second.members.empty() && entry.second.unsure.empty(); });
}

// What was rendered at a commit that the base has left meanwhile may be out of date already.
void Renderer::State::join(const BaseKey& key, const std::string& tree, const kube::Key& application,
                           const Read& read) {
  auto& base = bases[key];
  if (base.tree.empty()) base.tree = tree;
  if (base.tree != tree || !read.complete) {
    base.unsure.insert(application);
    return;
  }
  for (const auto& [path, id] : read.ids) base.readers[path].insert(application);
  base.members.insert(application);
}

bool Renderer::stands_on(const BaseKey& key, const git::Oid& tree, const kube::Key& application) const {
  auto state = state_.lock();
  auto base = state->bases.find(key);
  return base != state->bases.end() && base->second.tree == tree && base->second.members.contains(application) &&
         !base->second.unsure.contains(application);
}

// Moves a base to another tree. Who read a file that differs, or a folder above one, is no longer sure.
void Renderer::advance(const git::Repository& repository, const BaseKey& key, const git::Oid& tree) {
  std::string from;
  {
    auto state = state_.lock();
    auto& base = state->bases[key];
    if (base.tree.empty()) base.tree = tree;
    if (base.tree == tree) return;
    from = base.tree;
  }
  auto changed = repository.changed_paths(from, tree);
  auto state = state_.lock();
  auto& base = state->bases[key];
  if (base.tree != from) return;  // another thread was faster; whoever it left out looks again
  base.tree = tree;
  if (!changed) {  // the old tree is gone: nothing is known any more
    base.unsure.insert(base.members.begin(), base.members.end());
    return;
  }
  base.add_readers(*changed, base.unsure);
}

// Who read one of the files, a folder above one, or what is in a submodule.
void Renderer::Base::add_readers(const std::vector<std::string>& changed, std::set<kube::Key>& found) const {
  // A gitlink is one path, whatever is in it.
  for (const auto& path : changed)
    for (auto below = readers.lower_bound(path + "/"); below != readers.end() && below->first.starts_with(path + "/");
         ++below)
      found.insert(below->second.begin(), below->second.end());
  std::set<std::string_view> seen;
  auto touch = [&](std::string_view path) {
    if (!seen.insert(path).second) return false;
    if (auto who = readers.find(path); who != readers.end()) found.insert(who->second.begin(), who->second.end());
    return true;
  };
  for (std::string_view path : changed)
    while (touch(path) && !path.empty()) path = path.substr(0, path.contains('/') ? path.rfind('/') : 0);
}

Result<std::vector<kube::Key>> Renderer::concerned(const git::Repository& repository, const std::string& url,
                                                   const git::Oid& from, const git::Oid& to) const {
  TRY(auto changed, repository.changed_paths(from, to));
  auto state = state_.lock();
  std::set<kube::Key> found;
  for (auto base = state->bases.lower_bound({plain_url(url), ""});
       base != state->bases.end() && base->first.first == plain_url(url); ++base) {
    base->second.add_readers(changed, found);
    found.insert(base->second.unsure.begin(), base->second.unsure.end());
  }
  return std::vector<kube::Key>(found.begin(), found.end());
}

// Whether what was read stands unchanged in another commit.
Result<bool> Renderer::holds(const Read& read, const git::Repository& repository, const git::Oid& commit) const {
  if (!read.complete) return false;
  manifest::GitSource files(repository, commit, folders_);
  for (const auto& [path, id] : read.ids) {
    TRY(auto now, files.id_at(path));
    if (!now || *now != id) return false;
  }
  return true;
}

std::vector<kube::Key> Renderer::moved(const Ctx& ctx, const std::string& url) {
  std::vector<BaseKey> keys;
  {
    auto state = state_.lock();
    for (auto base = state->bases.lower_bound({plain_url(url), ""});
         base != state->bases.end() && base->first.first == plain_url(url); ++base)
      keys.push_back(base->first);
  }
  if (keys.empty()) return {};
  auto repository = repositories_.open(ctx, url);
  std::set<kube::Key> found;
  for (const auto& key : keys) {
    if (manifest::is_commit_id(key.second)) {  // does not move; who misses it may find it now
      auto state = state_.lock();
      const auto& base = state->bases[key];
      found.insert(base.unsure.begin(), base.unsure.end());
      continue;
    }
    auto commit = repository ? revision_of(*repository, key.second) : Result<std::optional<git::Oid>>(std::nullopt);
    auto tree = commit && *commit ? repository->tree_of(**commit) : Result<git::Oid>(git::Oid());
    bool known = tree && !tree->empty();
    if (known) advance(*repository, key, *tree);
    auto state = state_.lock();
    const auto& base = state->bases[key];
    found.insert(base.unsure.begin(), base.unsure.end());
    if (!known) found.insert(base.members.begin(), base.members.end());  // each has to say so
  }
  return {found.begin(), found.end()};
}

Result<std::optional<std::string>> newest_tag(const git::Repository& repository, const std::string& range) {
  constexpr std::string_view prefix = "refs/tags/";
  auto parsed = VersionRange::parse(range);
  if (!parsed) return std::optional<std::string>();
  TRY(auto refs, repository.refs(prefix));
  std::vector<std::string> tags;
  for (const auto& [name, id] : refs) tags.push_back(name.substr(prefix.size()));
  return newest(tags, *parsed);
}

Result<std::string> plain_revision(const git::Repository& repository, const std::string& revision) {
  // A version names its tag, a range the newest tag in it, before anything else of that name.
  if (revision.find_first_of("*xX^~<>=|, ") != std::string::npos && !Version::parse(revision)) {
    TRY(auto tag, newest_tag(repository, revision));
    if (tag) return "refs/tags/" + *tag;
  }
  return revision;
}

Result<std::optional<git::Oid>> revision_of(const git::Repository& repository, const std::string& revision) {
  TRY(auto plain, plain_revision(repository, revision));
  return repository.resolve(plain);
}

Result<git::Oid> Renderer::resolve(const Ctx& ctx, const std::string& url, const std::string& revision) {
  TRY(auto repository, repositories_.open(ctx, url));
  TRY(auto commit, revision_of(repository, revision));
  if (!commit) return fail(Kind::not_found, "{}: no revision {}", shown(url), revision);
  return *commit;
}

Result<std::shared_ptr<const Rendered>> Renderer::render(const Ctx& ctx, const Application& app, const Permit& permit) {
  auto next = std::make_shared<Cached>();
  std::vector<BaseKey> bases;
  // What the build environment says beside the sources.
  next->spec = fmt::format("{}|{}\n", app.project, app.ns);
  for (const auto& source : app.sources) {
    next->spec += spec_print(source);
    bases.emplace_back(plain_url(source.repo_url), source.target_revision);
  }
  std::shared_ptr<const Cached> before;
  {
    auto state = state_.lock();
    if (auto found = state->cache.find(app.key); found != state->cache.end()) before = found->second;
    if (before && before->spec != next->spec) {
      state->leave(app.key);
      state->cache.erase(app.key);
      before = nullptr;
    }
    // Until it is known what is read, every move of the branch concerns it.
    for (const auto& key : bases)
      if (!state->bases[key].members.contains(app.key)) state->bases[key].unsure.insert(app.key);
  }
  bool same = before != nullptr;
  auto rendered = std::make_shared<Rendered>();
  std::vector<git::Repository> repositories;
  std::vector<git::Oid> trees;
  for (std::size_t i = 0; i < app.sources.size(); ++i) {
    const auto& source = app.sources[i];
    bool pinned = manifest::is_commit_id(source.target_revision);
    TRY_OK(repositories_.permit(ctx, source.repo_url, app.project));
    TRY(auto repository, pinned ? repositories_.at(ctx, source.repo_url, source.target_revision)
                                : repositories_.open(ctx, source.repo_url));
    TRY(auto commit, revision_of(repository, source.target_revision));
    if (!commit) return fail(Kind::not_found, "{}: no revision {}", shown(source.repo_url), source.target_revision);
    TRY(auto tree, repository.tree_of(*commit));
    advance(repository, bases[i], tree);
    if (same && !stands_on(bases[i], tree, app.key)) {
      TRY(same, holds(before->reads[i], repository, *commit));
    }
    // What was read of others may not be any more: reading it again says so.
    if (same)
      for (const auto& submodule : before->reads[i].submodules)
        same = same && (!permit || permit(submodule)) && repositories_.permit(ctx, submodule, app.project);
    rendered->revisions.push_back(*commit);
    trees.push_back(std::move(tree));
    repositories.push_back(std::move(repository));
  }
  if (same) {
    rendered->types = before->rendered->types, rendered->objects = before->rendered->objects;
    next->reads = before->reads;
    if (before->rendered->revisions == rendered->revisions) rendered = nullptr;
  } else {
    doc::List objects;
    for (std::size_t i = 0; i < app.sources.size(); ++i) {
      FindKeys keys;
      if (app.keys) keys = [&] { return app.keys(ctx); };
      const auto& source = app.sources[i];
      auto& read = next->reads.emplace_back();
      detail::SubmodulesOf of{source.repo_url, app.source_name.empty(), source.sign_in};
      auto submodules = source.submodules
                            ? detail::submodules_of(ctx, repositories_, permit, app, std::move(of), read.submodules)
                            : nullptr;
      manifest::GitSource files(repositories[i], rendered->revisions[i], folders_, std::move(submodules));
      Elsewhere elsewhere(repositories_, permit, app);
      TRY(auto one,
          render_source(ctx, rendered->revisions[i], files, app, source, {std::move(keys), learned_}, elsewhere));
      rendered->types.push_back(std::move(one.type));
      for (auto& object : one.objects) objects.push_back(std::move(object));
      if (files.read_submodules()) one.paths.insert(".gitmodules");
      read.complete = !elsewhere.used() && !one.of_this_commit;
      for (const auto& path : one.paths) {
        TRY(auto id, files.id_at(path));
        if (!id) read.complete = false;
        read.ids.emplace(path, id.value_or(""));
      }
    }
    rendered->objects = std::make_shared<const RenderedObjects>(objects);
  }
  next->rendered = rendered ? std::shared_ptr<const Rendered>(std::move(rendered)) : before->rendered;
  auto result = next->rendered;
  auto state = state_.lock();
  if (!same) state->leave(app.key);
  for (const auto& key : bases) state->bases[key].unsure.erase(app.key);
  for (std::size_t i = 0; i < bases.size(); ++i) state->join(bases[i], trees[i], app.key, next->reads[i]);
  state->cache[app.key] = std::move(next);
  return result;
}

void Renderer::forget(const kube::Key& application) {
  auto state = state_.lock();
  state->leave(application);
  state->cache.erase(application);
}

}  // namespace slipway::gitops
