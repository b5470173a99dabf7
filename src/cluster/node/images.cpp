#include "cluster/node/images.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::cluster {
namespace {

bool has_layers(const oci::Registry& registry, const oci::Registry::Image& image) {
  return std::all_of(image.manifest.layers.begin(), image.manifest.layers.end(),
                     [&](const auto& layer) { return registry.blobs().contains(layer.digest); });
}

}  // namespace

PullPolicy pull_policy(doc::View container) {
  auto policy = container["imagePullPolicy"].str_or("");
  if (policy == "Always") return PullPolicy::always;
  if (policy == "Never") return PullPolicy::never;
  if (policy == "IfNotPresent") return PullPolicy::if_not_present;
  auto reference = oci::parse_reference(container["image"].str_or(""));
  return reference && reference->digest.empty() && reference->tag == "latest" ? PullPolicy::always
                                                                              : PullPolicy::if_not_present;
}

std::optional<oci::Credentials> credentials_for(const std::vector<std::string>& secrets,
                                                const oci::Reference& reference) {
  std::optional<oci::Credentials> best;
  std::size_t length = 0;
  for (const auto& text : secrets) {
    auto document = doc::parse_json(text);
    if (!document) continue;
    doc::View root(*document);
    auto auths = root["auths"].present() ? root["auths"] : root;
    for (const auto& [key, entry] : auths.members()) {
      std::string_view name = key;
      if (auto scheme = name.find("://"); scheme != std::string_view::npos) name.remove_prefix(scheme + 3);
      for (std::string_view suffix : {"/v1/", "/v2/", "/"})
        if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
      if (name == "index.docker.io") name = "docker.io";
      auto full = reference.name();
      bool matches = full == name || full.starts_with(std::string(name) + "/");
      if (!matches || name.size() < length) continue;
      oci::Credentials found{entry["username"].str_or(""), entry["password"].str_or("")};
      if (auto both = from_base64(entry["auth"].str_or("")); found.user.empty() && both)
        if (auto parts = cut(*both, ":")) found = {std::string(parts->first), std::string(parts->second)};
      best = found;
      length = name.size();
    }
  }
  return best;
}

Result<oci::Registry::Image> Images::find(const Ctx& ctx, const oci::Reference& reference, PullPolicy policy,
                                          const std::vector<std::string>& secrets) const {
  auto& registry = *options_.registry;
  auto want = reference.digest.empty() ? reference.tag : reference.digest.str();
  const auto& ours = options_.registry_names;
  if (std::find(ours.begin(), ours.end(), reference.host) != ours.end())
    return registry.image(reference.repository, want);
  // A name without a host means ours first, as in a Dockerfile's FROM: what was built here is run from here.
  if (reference.host == "docker.io") {
    auto bare = reference.repository;
    if (bare.starts_with("library/")) bare = bare.substr(8);
    if (auto built = registry.image(bare, want); built && has_layers(registry, *built)) return built;
  }
  auto known = registry.image(reference.name(), want);
  bool here = known && has_layers(registry, *known);
  if (here && (policy != PullPolicy::always || !reference.digest.empty())) return known;
  if (policy == PullPolicy::never)
    return fail(Kind::not_found, "image {} is not present and its pull policy is Never", reference.print());
  if (options_.remote == nullptr)
    return fail(Kind::unavailable, "image {} is not in the embedded registry and nothing else may be reached",
                reference.print());
  auto credentials = credentials_for(secrets, reference);
  std::optional<oci::Remote> own;
  if (credentials) own.emplace(oci::RemoteOptions{.credentials = [&](const std::string&) { return credentials; }});
  auto& remote = own ? *own : *options_.remote;
  if (here) {  // Always: only the name is asked again, nothing is fetched twice
    auto head = remote.head(ctx, reference);
    if (head && *head && registry.image(reference.name(), (*head)->str()))
      return registry.image(reference.name(), (*head)->str());
  }
  return remote.pull(ctx, reference, registry);
}

Result<ReadyImage> Images::get(const Ctx& ctx, std::string_view name, PullPolicy policy,
                               const std::vector<std::string>& secrets) const {
  if (options_.registry == nullptr || options_.layers == nullptr)
    return fail(Kind::unavailable, "this node has no image store");
  auto parsed = oci::parse_reference(name);
  if (!parsed) return Fail(std::move(parsed).error().as(Kind::invalid).in("InvalidImageName"));
  TRY(auto image, find(ctx, *parsed, policy, secrets));
  if (image.manifest.layers.size() != image.config.diff_ids.size())
    return fail(Kind::corrupt, "image {}: {} layers but {} diff ids", name, image.manifest.layers.size(),
                image.config.diff_ids.size());
  ReadyImage ready{.id = parsed->name() + "@" + image.digest.str(), .layers = {}, .config = image.config};
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
    TRY(auto folder, options_.layers->folder(ctx, image.manifest.layers[i], image.config.diff_ids[i]));
    ready.layers.push_back(std::move(folder));
  }
  return ready;
}

}  // namespace slipway::cluster
