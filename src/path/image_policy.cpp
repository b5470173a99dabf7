#include "path/image_policy.h"

#include <algorithm>

#include "base/text.h"
#include "path/detail/fields.h"

namespace slipway::path {

Result<ImagePolicy> image_policy_from(doc::View object) {
  auto spec = object["spec"].present() ? object["spec"] : object;
  TRY_OK(known_fields(spec, {"namespaces", "images", "house", "keys", "attestations", "mode"}));
  ImagePolicy out;
  out.name = object["metadata"]["name"].text();
  TRY(out.namespaces, strings(spec["namespaces"]));
  TRY(out.images, strings(spec["images"]));
  TRY(out.keys, strings(spec["keys"]));
  TRY(out.attestations, strings(spec["attestations"]));
  if (spec["house"].present()) {
    TRY(out.house, spec["house"].boolean());
  }
  if (out.images.empty()) return spec["images"].wrong("want patterns of names, as \"registry.example/shop/*\"");
  if (out.keys.empty() && !out.house) return spec["keys"].wrong("want public keys (PEM), or house: true");
  auto mode = spec["mode"].str_or("enforce");
  if (mode != "enforce" && mode != "warn") return spec["mode"].wrong("want enforce or warn");
  out.enforce = mode == "enforce";
  return out;
}

bool ImagePolicy::covers(std::string_view ns, std::string_view image) const {
  auto any = [](const std::vector<std::string>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(), [&](auto& pattern) { return glob_match(pattern, text); });
  };
  return (namespaces.empty() || any(namespaces, ns)) && any(images, image);
}

}  // namespace slipway::path
