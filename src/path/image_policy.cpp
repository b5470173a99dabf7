#include "path/image_policy.h"

#include <algorithm>

#include "base/text.h"
#include "path/detail/fields.h"

namespace slipway::path {

namespace {

Result<> read_keyless(doc::View keyless, ImagePolicy& out) {
  TRY_OK(known_fields(keyless, {"trustedRoot", "identities"}));
  TRY(out.trusted_root, keyless["trustedRoot"].str());
  for (const auto& item : keyless["identities"].items()) {
    TRY_OK(known_fields(item, {"subject", "issuer"}));
    ImagePolicy::Identity identity;
    TRY(identity.subject, item["subject"].str());
    TRY(identity.issuer, item["issuer"].str());
    out.identities.push_back(std::move(identity));
  }
  if (out.identities.empty()) return keyless["identities"].wrong("want a list of subjects and their issuers");
  return {};
}

}  // namespace

Result<ImagePolicy> image_policy_from(doc::View object) {
  auto spec = object["spec"].present() ? object["spec"] : object;
  TRY_OK(known_fields(spec, {"namespaces", "images", "house", "keys", "keyless", "attestations", "mode"}));
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
  if (spec["keyless"].present()) TRY_OK(read_keyless(spec["keyless"], out));
  if (out.keys.empty() && out.identities.empty() && !out.house)
    return spec["keys"].wrong("want public keys (PEM), keyless identities, or house: true");
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
