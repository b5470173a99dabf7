#include <re2/re2.h>

#include <algorithm>

#include "manifest/detail/overlay.h"
#include "manifest/detail/transform.h"

namespace slipway::manifest {
namespace {

using doc::Value;

struct Name {
  std::string name, tag, digest;
};

// kustomize's own reading: what follows the first "/" may hold a tag and a digest.
Name split_image(const std::string& image) {
  auto slash = image.find('/');
  std::size_t from = slash != std::string::npos && slash > 0 ? slash : 0;
  auto at = image.find('@', from), colon = image.find(':', from);
  if (at == std::string::npos && colon == std::string::npos) return {image, "", ""};
  if (at != std::string::npos && (colon == std::string::npos || at < colon))
    return {image.substr(0, at), "", image.substr(at + 1)};
  if (at != std::string::npos)
    return {image.substr(0, colon), image.substr(colon + 1, at - colon - 1), image.substr(at + 1)};
  return {image.substr(0, colon), image.substr(colon + 1), ""};
}

class Updater {
 public:
  explicit Updater(const ImageChange& change)
      : change_(change),
        pattern_(change.name + "(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?",
                 quiet()) {}
  bool usable() const { return pattern_.ok(); }

  Result<> update(Value& field) const {
    if (field.is_null()) return {};
    if (field.is_map() || field.is_list())
      return fail(Kind::invalid, "an image must be a string, got a {}", to_string(field.type()));
    auto text = scalar_text(field);
    if (!re2::RE2::FullMatch(text, pattern_)) return {};
    auto [name, tag, digest] = split_image(text);
    if (!change_.new_name.empty()) name = change_.new_name;
    if (!change_.new_tag.empty()) {
      tag = change_.new_tag, digest = change_.digest;
    } else if (!change_.digest.empty()) {
      tag = "", digest = change_.digest;
    } else if (!change_.tag_suffix.empty()) {
      tag += change_.tag_suffix, digest = "";
    }
    if (!tag.empty()) name += ":" + tag;
    if (!digest.empty()) name += "@" + digest;
    field = Value(std::move(name));
    return {};
  }

  // Every list called containers or initContainers, wherever it stands.
  Result<> update_containers(Value& node) const {
    if (auto* list = node.if_list()) {
      for (auto& item : *list) TRY_OK(update_containers(item));
      return {};
    }
    auto* map = node.if_map();
    if (map == nullptr) return {};
    for (auto& [key, value] : *map) {
      TRY_OK(update_containers(value));
      if ((key != "containers" && key != "initContainers") || !value.is_list()) continue;
      for (auto& container : *value.if_list()) {
        if (container.is_null()) continue;
        if (!container.is_map())
          return fail(Kind::invalid, "{} must hold maps, got a {}", key, to_string(container.type()));
        if (auto* image = container.if_map()->find("image")) TRY_OK(update(*image));
      }
    }
    return {};
  }

 private:
  static re2::RE2::Options quiet() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    return options;
  }
  const ImageChange& change_;
  re2::RE2 pattern_;
};

}  // namespace

Result<ImageChange> ImageChange::read(const Input& in) {
  ImageChange change;
  TRY(change.name, in.str("name"));
  TRY(change.new_name, in.str("newName"));
  TRY(change.tag_suffix, in.str("tagSuffix"));
  TRY(change.new_tag, in.str("newTag"));
  TRY(change.digest, in.str("digest"));
  return change;
}

Result<> set_image(ResMap& map, const ImageChange& change, const FieldSpecs& specs) {
  Updater updater(change);
  if (!updater.usable()) return {};  // as kustomize since 5.6: what is no pattern names no image
  for (const auto& resource : map.all()) {
    if (resource->is_kind("CustomResourceDefinition")) continue;
    if (auto done = updater.update_containers(resource->node); !done)
      return Fail(std::move(done).error().in(resource->id().print()));
  }
  for (const auto& resource : map.all()) {
    if (resource->is_kind("CustomResourceDefinition")) continue;
    for (const auto& spec : specs) {
      TRY_OK(visit_fields(*resource, spec, Make::nothing, [&](Value& field) { return updater.update(field); }));
    }
  }
  return {};
}

}  // namespace slipway::manifest
