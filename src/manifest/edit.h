#pragma once
// Setting an image in a file of a configuration repository so that nothing else of the text changes: comments,
// order, quotes and indentation stay. Each edit is proved by reading the result back: it differs from the file in
// the wanted values only, or it is an error.
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::manifest {

struct ImageSetting {
  std::string name;      // as in the manifests: "shop/web"
  std::string new_name;  // "": as it is
  std::string tag, digest;
  std::string reference() const;  // name:tag@digest, of new_name when there is one
  friend bool operator==(const ImageSetting&, const ImageSetting&) = default;
};

// The `images:` entry of a kustomization; an entry or the list is added where there is none. An empty tag or digest
// takes the field away. Errors: invalid, with source:line:col.
Result<std::string> set_kustomize_image(std::string_view text, const ImageSetting& image, std::string_view source);
Result<std::string> remove_kustomize_image(std::string_view text, std::string_view name, std::string_view source);
Result<std::optional<ImageSetting>> kustomize_image(std::string_view text, std::string_view name,
                                                    std::string_view source);

// The same at a path of any YAML file: "web.image", "spec.template.spec.containers[name=web].image", "images[0]".
// A map there is taken as Helm values are (repository, tag, and digest if the chart has that key, else tag holds
// tag@digest), or as an entry of Kustomize's and Flux's images (name, newName, newTag, digest); a string is a whole
// reference (of an Argo CD Application also after OLD=, which stays), but that part alone where the path ends in "tag",
// "newTag" or "digest". In a stream of documents the first that has the path counts.
Result<std::string> set_image_at(std::string_view text, std::string_view path, const ImageSetting& image,
                                 std::string_view source);
Result<std::optional<ImageSetting>> image_at(std::string_view text, std::string_view path, std::string_view source);

// Any scalar at such a path, set to a string; its quotes stay as they were where they can.
Result<std::string> set_yaml_scalar(std::string_view text, std::string_view path, const std::string& value,
                                    std::string_view source);

}  // namespace slipway::manifest
