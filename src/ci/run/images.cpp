#include "ci/detail/images.h"

#include "base/text.h"

namespace slipway::ci {

Result<RunnableImage> resolve_image(const Ctx& ctx, const RunnerOptions& options, const std::string& image) {
  if (!options.registry || !options.layers)
    return fail(Kind::unavailable, "image {}: no image store is connected to this runner", image);
  std::string_view name = image;
  if (!options.registry_host.empty() && name.starts_with(options.registry_host + "/"))
    name.remove_prefix(options.registry_host.size() + 1);
  std::string repository(name), reference = "latest";
  if (auto at_digest = cut(name, "@")) {
    repository = at_digest->first, reference = at_digest->second;
  } else if (auto colon = name.rfind(':');
             colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos) {
    repository = name.substr(0, colon), reference = name.substr(colon + 1);
  }
  auto found = options.registry->image(repository, reference);
  if (!found)
    return Fail(std::move(found)
                    .error()
                    .in(fmt::format("image {}", image))
                    .with_hint(fmt::format("slipway image pull {}", image)));
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
