#include "ci/detail/images.h"

#include <algorithm>

#include "oci/reference.h"

namespace slipway::ci {

bool is_own_registry(const RunnerOptions& options, std::string_view host) {
  return (!options.registry_host.empty() && host == options.registry_host) ||
         std::find(options.registry_names.begin(), options.registry_names.end(), host) != options.registry_names.end();
}

namespace {

// A name without a host means ours first, as in a Dockerfile's FROM.
Result<oci::Registry::Image> find_image(const Ctx& ctx, const RunnerOptions& options, const std::string& image) {
  constexpr std::string_view none = "no-host.invalid";
  TRY(auto reference, oci::parse_reference(image, none));
  auto which = reference.digest.empty() ? reference.tag : reference.digest.str();
  bool bare = reference.host == none;
  if (bare || is_own_registry(options, reference.host)) {
    auto found = options.registry->image(reference.repository, which);
    if (found || !bare || !found.error().is(Kind::not_found)) return found;
    TRY(reference, oci::parse_reference(image, "docker.io"));
  }
  auto pulled = options.registry->image(oci::local_repository(reference), which);
  if (pulled || !pulled.error().is(Kind::not_found)) return pulled;
  if (!options.remote) return Fail(std::move(pulled).error().with_hint(fmt::format("slipway image pull {}", image)));
  return options.remote->pull(ctx, reference, *options.registry);
}

}  // namespace

Result<RunnableImage> resolve_image(const Ctx& ctx, const RunnerOptions& options, const std::string& image) {
  if (!options.registry || !options.layers)
    return fail(Kind::unavailable, "image {}: no image store is connected to this runner", image);
  auto found = find_image(ctx, options, image);
  if (!found) return Fail(std::move(found).error().in(fmt::format("image {}", image)));
  RunnableImage out;
  if (found->manifest.layers.size() != found->config.diff_ids.size())
    return fail(Kind::corrupt, "image {}: layers and diff ids differ in number", image);
  for (std::size_t i = 0; i < found->manifest.layers.size(); ++i) {
    TRY(auto layer, options.layers->folder(ctx, found->manifest.layers[i], found->config.diff_ids[i]));
    out.layers.push_back(std::move(layer));
  }
  out.config = std::move(found->config);
  return out;
}

}  // namespace slipway::ci
