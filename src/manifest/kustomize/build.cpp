// The order in which a kustomization becomes objects. Rule: kustomize's KustTarget.
#include <algorithm>

#include "base/text.h"
#include "doc/yaml.h"
#include "manifest/detail/build.h"
#include "manifest/detail/overlay.h"
#include "manifest/detail/target.h"

namespace slipway::manifest {
namespace {

using doc::Value;

constexpr int deepest_base = 64;

// What Argo CD and Flux lay over a kustomization: lists grow, maps merge, the rest is replaced.
// As `kustomize edit set image`: an image that the file names already is set anew; "*" keeps what it says.
void lay_over_images(Value& base, const Value& over) {
  auto& list = *base.if_list();
  for (auto image : *over.if_list()) {
    auto name = image.str_at({"name"});
    auto same = std::find_if(list.begin(), list.end(), [&](const Value& v) { return v.str_at({"name"}) == name; });
    for (auto key : {"newName", "newTag", "digest"}) {
      if (image.str_at({key}) != "*") continue;
      const auto* old = same == list.end() ? nullptr : same->find(key);
      if (old != nullptr)
        image[key] = *old;
      else
        image.map().erase(key);
    }
    if (same != list.end())
      *same = std::move(image);
    else
      list.push_back(std::move(image));
  }
}

void lay_over(Value& base, const Value& over) {
  if (over.is_map() && (base.is_map() || base.is_null())) {
    for (const auto& [key, value] : *over.if_map()) {
      if (key == "images" && value.is_list() && base[key].is_list())
        lay_over_images(base[key], value);
      else
        lay_over(base[key], value);
    }
  } else if (over.is_list() && base.is_list()) {
    for (const auto& item : *over.if_list()) base.if_list()->push_back(item);
  } else {
    base = over;
  }
}

bool is_local_only(const Resource& resource) {
  const auto* found = resource.node.find_path({"metadata", "annotations", "config.kubernetes.io/local-config"});
  return found != nullptr && scalar_text(*found) != "false";
}

// A commit of another repository. Errors name its address.
class RemoteSource final : public FileSource {
 public:
  RemoteSource(git::Repository repository, const git::Oid& commit, std::string url,
               std::unique_ptr<Submodules> submodules)
      : repository_(std::move(repository)),
        files_(repository_, commit, nullptr, std::move(submodules)),
        url_(std::move(url)) {}
  Result<std::optional<std::string>> read(const std::string& path) override { return files_.read(path); }
  Result<std::vector<Entry>> list(const std::string& folder) override { return files_.list(folder); }
  Result<bool> is_dir(const std::string& path) override { return files_.is_dir(path); }
  std::string display(const std::string& path) const override { return path.empty() ? url_ : url_ + "//" + path; }

 private:
  git::Repository repository_;
  GitSource files_;
  std::string url_;
};

class Builder {
 public:
  Builder(const Ctx& ctx, FileSource& source, const KustomizeOptions& options)
      : ctx_(ctx), source_(source), options_(options) {}

  Result<ResMap> root(const std::string& folder) {
    TRY(auto target, Target::open(source_, folder, options_, shared_, options_.overrides));
    TRY(auto metadata, target.strings("buildMetadata"));
    shared_.track = !metadata.empty();
    Gathered all;
    chain_.push_back({&source_, folder});
    TRY_OK(gather(target, all));
    TRY_OK(add_hashes(all.map));
    Rules merged;
    TRY(const auto* rules, effective(all, merged));
    TRY_OK(fix_references(all.map, rules->name_reference));
    TRY_OK(replace_vars(all.map, all.vars, rules->var_reference));
    all.map.remove_if([](const Resource& resource) { return is_local_only(resource); });
    for (const auto& resource : all.map.all()) {
      all.map.note(resource);
      if (!all.map.alone(*resource))
        return fail(Kind::conflict, "{}: two objects end up with the id {}", target.file(), resource->id().print());
    }
    TRY(auto order, target.sort_options());
    sort_resources(all.map, order);
    TRY_OK(target.add_metadata(all.map));
    for (const auto& resource : all.map.all()) {
      stringify(resource->node, "annotations");
      as_printed(resource->node);
    }
    return std::move(all.map);
  }

 private:
  static Result<const Rules*> effective(const Gathered& all, Rules& merged) {
    if (!all.own_rules) return &default_rules();
    merged = default_rules();
    TRY_OK(merge_rules(merged, *all.own_rules));
    return &merged;
  }

  static Result<> add_rules(Gathered& all, const std::optional<Rules>& more) {
    if (!more) return {};
    if (!all.own_rules) all.own_rules.emplace();
    return merge_rules(*all.own_rules, *more);
  }

  Result<> gather(const Target& target, Gathered& all) {
    TRY_OK(ctx_.alive());
    TRY(auto resources, target.resources());
    for (const auto& path : resources) TRY_OK(resource(target, path, all));
    TRY(auto rules, target.rules());
    TRY_OK(add_rules(all, rules));
    TRY_OK(generators(target, all));
    TRY(auto components, target.strings("components"));
    for (const auto& path : components) TRY_OK(base(target, path, all, true));
    Rules merged;
    TRY(const auto* effective_rules, effective(all, merged));
    TRY_OK(target.transform(all.map, *effective_rules));
    TRY_OK(transformers(target, all.map));
    TRY(auto vars, target.vars());
    TRY_OK(mark_vars(all.map, vars));
    for (auto& var : vars) {
      auto name = var.name;
      if (!all.vars.emplace(name, std::move(var)).second)
        return fail(Kind::conflict, "{}: var '{}' already encountered", target.file(), name);
    }
    return {};
  }

  Result<> resource(const Target& target, const std::string& path, Gathered& all) {
    bool elsewhere = is_remote(path) && options_.remotes != nullptr;
    if (elsewhere && !is_remote_file(path)) return base(target, path, all, false);
    TRY_IN(bool folder, target.place("resources"), target.loader().is_dir(path));
    if (folder) return base(target, path, all, false);
    auto text = elsewhere ? options_.remotes->file(ctx_, path) : target.loader().load(path);
    if (!text) return Fail(std::move(text).error().in(target.place("resources")));
    TRY(auto found, read_resources(*text, target.loader().display(path)));
    for (auto& object : found) {
      if (shared_.track)
        object->origin["path"] = Value((fs::path(target.relative()) / path).lexically_normal().string());
      TRY_OK(all.map.append(std::move(object)));
    }
    return {};
  }

  Result<> base(const Target& target, const std::string& path, Gathered& all, bool component) {
    auto what = component ? "components" : "resources";
    TRY_IN(auto place, target.place(what), place_of(target, path));
    auto& [source, folder] = place;
    for (const auto& visited : chain_) {
      bool above = visited.source == source &&
                   (folder.empty() || visited.folder == folder || visited.folder.starts_with(folder + "/"));
      if (above) {
        return fail(Kind::invalid, "{}: cycle detected: '{}' contains '{}', which is being built", target.place(what),
                    source->display(folder), source->display(visited.folder));
      }
    }
    if (chain_.size() > deepest_base)
      return fail(Kind::invalid, "{}: bases are nested deeper than {} levels", target.file(), deepest_base);
    auto opened = Target::open(*source, folder, options_, shared_, Value());
    if (!opened) return Fail(std::move(opened).error().in(target.place(what)));
    if (opened->component() != component) {
      return fail(Kind::invalid, "{}: '{}' is {} Component", target.place(what), source->display(folder),
                  component ? "no" : "a");
    }
    opened->set_relative(target.relative(), path);
    chain_.push_back(place);
    if (component) {
      TRY_OK(gather(*opened, all));
    } else {
      Gathered below;
      TRY_OK(gather(*opened, below));
      TRY_OK_IN(target.place(what), all.map.append_all(below.map));
      TRY_OK(add_rules(all, below.own_rules));
      for (auto& [name, var] : below.vars) {
        if (!all.vars.emplace(name, std::move(var)).second)
          return fail(Kind::conflict, "{}: var '{}' already encountered", target.file(), name);
      }
    }
    chain_.pop_back();
    return {};
  }

  struct Place {
    FileSource* source;
    std::string folder;
  };
  // Where a base is: in the same source, or in a repository of its own.
  Result<Place> place_of(const Target& target, const std::string& path) {
    if (!is_remote(path) || options_.remotes == nullptr) {
      TRY(auto folder, target.loader().resolve(path));
      return Place{&target.loader().source(), std::move(folder)};
    }
    TRY(auto wanted, remote_folder(path));
    TRY(auto repository, options_.remotes->repository(ctx_, wanted));
    auto revision = wanted.revision.empty() ? "HEAD" : wanted.revision;
    TRY_IN(auto commit, wanted.url, repository.resolve(revision));
    if (!commit) return fail(Kind::not_found, "{}: no revision {}", wanted.url, revision);
    auto& source = remotes_[fmt::format("{}@{}{}", wanted.url, *commit, wanted.submodules ? "" : " alone")];
    if (!source) {
      auto submodules = wanted.submodules ? options_.remotes->submodules(ctx_, wanted) : nullptr;
      source = std::make_unique<RemoteSource>(std::move(repository), *commit, wanted.url, std::move(submodules));
    }
    auto folder = join_path("", wanted.folder);
    if (!folder) return fail(Kind::denied, "'{}' is outside the repository", path);
    return Place{source.get(), *std::move(folder)};
  }

  Result<> generators(const Target& target, Gathered& all) {
    TRY(auto generated, target.generate());
    TRY(auto configs, plugins(target, "generators"));
    for (const auto& config : configs.all()) {
      TRY(auto more, run_generator(target.loader(), *config));
      for (auto& object : more) {
        if (shared_.track) object->origin = origin_of(*config);
        generated.push_back(std::move(object));
      }
    }
    for (auto& object : generated) TRY_OK(all.map.absorb(std::move(object)));
    return {};
  }

  Result<> transformers(const Target& target, ResMap& map) {
    TRY(auto configs, plugins(target, "transformers"));
    for (const auto& config : configs.all()) {
      TRY_OK_IN(config->source, run_transformer(target.loader(), *config, map));
      if (shared_.track) add_step(map, origin_of(*config));
      map.drop_empty();
      map.sync();
    }
    return {};
  }

  // Of what a plugin's configuration made or changed.
  static Value origin_of(const Resource& config) {
    Value origin;
    if (const auto* path = config.origin.find("path")) origin["configuredIn"] = *path;
    auto& by = origin["configuredBy"];
    by["apiVersion"] = Value(config.gvk().api_version()), by["kind"] = Value(config.gvk().kind);
    by["name"] = Value(config.name());
    if (auto space = config.space(); !space.empty()) by["namespace"] = Value(space);
    return origin;
  }

  // Configurations of plugins: inline, in files, or the objects of a base.
  Result<ResMap> plugins(const Target& target, std::string_view key) {
    Gathered configs;
    TRY(auto entries, target.strings(key));
    for (const auto& entry : entries) {
      if (entry.find(':') != std::string::npos && entry.find("://") == std::string::npos) {
        auto found = read_resources(entry, target.place(key));
        if (found) {
          for (auto& object : *found) {
            if (shared_.track) object->origin["path"] = Value(target.origin_of("").str_at({"configuredIn"}));
            TRY_OK(configs.map.append(std::move(object)));
          }
          continue;
        }
        if (entry.find('\n') != std::string::npos) return Fail(std::move(found).error());
      }
      TRY_OK(resource(target, entry, configs));
    }
    return std::move(configs.map);
  }

  const Ctx& ctx_;
  FileSource& source_;
  const KustomizeOptions& options_;
  std::vector<Place> chain_;
  std::map<std::string, std::unique_ptr<RemoteSource>> remotes_;  // by address and commit
  Shared shared_;
};

}  // namespace

Result<ResMap> build(const Ctx& ctx, FileSource& source, const std::string& folder, const KustomizeOptions& options) {
  return Builder(ctx, source, options).root(folder);
}

Result<Target> Target::open(FileSource& source, const std::string& folder, const KustomizeOptions& options,
                            Shared& shared, const Value& overrides) {
  TRY(auto name, find_kustomization(source, folder));
  if (!name) {
    return Fail(Error(
        Kind::not_found,
        fmt::format("{}: no kustomization.yaml, kustomization.yml or Kustomization there", source.display(folder))));
  }
  Target target(Loader(source, folder, options, shared));
  target.file_ = target.loader_.display(*name);
  target.name_ = *name;
  TRY(auto text, target.loader_.load(*name));
  TRY(auto value, doc::parse_yaml(text, {.source = target.file_, .duplicate_keys = true}));
  if (!overrides.is_null()) lay_over(value, overrides);
  target.value_ = std::make_shared<const Value>(std::move(value));
  TRY_OK(target.check());
  TRY_OK(target.set_schema());
  return target;
}

}  // namespace slipway::manifest
