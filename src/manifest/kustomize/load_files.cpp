// Files of a kustomization, and the objects in them.
#include "base/text.h"
#include "doc/yaml.h"
#include "manifest/detail/build.h"
#include "manifest/detail/overlay.h"

namespace slipway::manifest {
namespace {

using doc::Value;

Fail remote(std::string_view where, std::string_view path) {
  return Fail(Error(Kind::invalid, fmt::format("{}: '{}' is remote: builds read the repository only", where, path))
                  .with_hint("copy it into the repository, or vendor it with a commit of its own"));
}

Result<> add_object(std::vector<std::shared_ptr<Resource>>& all, Value value, std::string_view source) {
  auto mark = value.mark();
  auto place = mark.line != 0 ? fmt::format("{}:{}:{}", source, mark.line, mark.column) : std::string(source);
  if (value.is_null() || (value.is_map() && value.if_map()->empty())) return {};
  if (!value.is_map()) return fail(Kind::invalid, "{}: want an object, got a {}", place, to_string(value.type()));
  auto resource = std::make_shared<Resource>(std::move(value));
  resource->source = std::move(place);
  auto kind = resource->gvk().kind;
  if (kind.empty()) return fail(Kind::invalid, "{}: missing kind", resource->source);
  bool list = kind.ends_with("List");
  if (list) {
    const auto* items = resource->node.find("items");
    if (items != nullptr) {
      if (items->is_null()) return {};
      if (!items->is_list())
        return fail(Kind::invalid, "{}: items of {}: want a list, got a {}", resource->source, kind,
                    to_string(items->type()));
      for (const auto& item : *items->if_list()) TRY_OK(add_object(all, item, source));
      return {};
    }
  } else if (resource->name().empty()) {
    return fail(Kind::invalid, "{}: missing metadata.name in {}", resource->source, kind);
  }
  all.push_back(std::move(resource));
  return {};
}

}  // namespace

Result<std::vector<std::shared_ptr<Resource>>> read_resources(std::string_view text, std::string_view source) {
  TRY(auto documents, doc::parse_yaml_all(text, {.source = source, .key_marks = false}));
  std::vector<std::shared_ptr<Resource>> all;
  for (auto& document : documents) TRY_OK(add_object(all, std::move(document), source));
  return all;
}

std::string Loader::display(const std::string& path) const {
  auto joined = join_path(folder_, path);
  return joined ? source_->display(*joined) : path;
}

Result<std::string> Loader::load(const std::string& path) const {
  if (is_remote(path)) return remote(source_->display(folder_), path);
  auto joined = join_path(folder_, path);
  if (!joined) return fail(Kind::denied, "{}: '{}' is outside the repository", source_->display(folder_), path);
  bool below = folder_.empty() || joined->starts_with(folder_ + "/");
  if (!below && options_->load_restrictor == KustomizeOptions::LoadRestrictor::root_only) {
    TRY(auto there, source_->read(*joined));
    if (!there) return fail(Kind::not_found, "{}: no such file or folder", source_->display(*joined));
    return Fail(Error(Kind::denied, fmt::format("security; file '{}' is not in or below '{}'",
                                                source_->display(*joined), source_->display(folder_)))
                    .with_hint("make the other folder a base, or allow it: --load-restrictor LoadRestrictionsNone (in "
                               "argocd-cm: kustomize.buildOptions)"));
  }
  TRY(auto text, source_->read(*joined));
  if (!text) return fail(Kind::not_found, "{}: no such file", source_->display(*joined));
  return *std::move(text);
}

Result<bool> Loader::is_dir(const std::string& path) const {
  auto joined = join_path(folder_, path);
  if (!joined) return false;
  return source_->is_dir(*joined);
}

Result<std::string> Loader::resolve(const std::string& path) const {
  if (is_remote(path)) return remote(source_->display(folder_), path);
  if (path.empty()) return fail(Kind::invalid, "{}: an empty path", source_->display(folder_));
  if (path.starts_with('/')) return fail(Kind::invalid, "{}: '{}' cannot be absolute", source_->display(folder_), path);
  auto joined = join_path(folder_, path);
  if (!joined) return fail(Kind::denied, "{}: '{}' is outside the repository", source_->display(folder_), path);
  return *joined;
}

}  // namespace slipway::manifest
