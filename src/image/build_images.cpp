// Images that come in, and the one that goes out.
#include <sys/stat.h>

#include "base/pool.h"
#include "base/text.h"
#include "image/detail/build.h"

namespace slipway::image::detail {

Result<oci::Registry::Image> Build::resolve(const Ctx& ctx, const std::string& name, const oci::Platform& platform) {
  auto& options = shop_.options;
  constexpr std::string_view none = "no-host.invalid";
  TRY(auto ref, oci::parse_reference(name, none));
  auto which = ref.digest.empty() ? ref.tag : ref.digest.str();
  const auto& ours = options.registry_names;
  bool bare = ref.host == none;
  if (bare || std::find(ours.begin(), ours.end(), ref.host) != ours.end()) {
    auto image = options.registry->image(ref.repository, which, platform);
    if (image) return image;
    if (!bare || !image.error().is(Kind::not_found)) return image;
    TRY(ref, oci::parse_reference(name, options.default_host));
  }
  // What was pulled before is used as it is: builds do not change because a tag elsewhere moved.
  auto repository = oci::local_repository(ref);
  auto here = options.registry->image(repository, which, platform);
  if (here || !here.error().is(Kind::not_found)) return here;
  if (options.remote == nullptr)
    return Fail(
        Error(Kind::not_found, fmt::format("{}: not in the registry", name)).with_hint("push or import it first"));
  TRY(auto held, shop_.busy.take(ctx, "pull " + ref.print()));
  here = options.registry->image(repository, which, platform);
  if (here) return here;
  say(fmt::format(" => pulling {}", ref.print()));
  return options.remote->pull(ctx, ref, *options.registry, platform);
}

Result<State> Build::base_image(const Ctx& ctx, const std::string& name, const oci::Platform& platform) {
  TRY(auto image, resolve(ctx, name, platform));
  if (image.config.diff_ids.size() != image.manifest.layers.size())
    return fail(Kind::corrupt, "{}: {} layers but {} diff ids", name, image.manifest.layers.size(),
                image.config.diff_ids.size());
  input(fmt::format("image {} {}", name, image.digest.str()));
  State state;
  for (std::size_t n = 0; n < image.manifest.layers.size(); ++n) {
    auto d = image.manifest.layers[n];
    if (d.media_type == oci::media::docker_layer) d.media_type = oci::media::layer_gzip;
    state.layers.push_back({image.config.diff_ids[n], std::move(d), {}});
  }
  state.config = std::move(image.config);
  return state;
}

Result<Origin> Build::origin(const Ctx& ctx, std::string_view name, std::size_t stage, const Instruction& at) {
  Origin origin;
  origin.source.keeps_owner = true;
  const auto* found = plan_.find(name);
  std::shared_ptr<const State> state;
  if (found != nullptr && found->index == stage)
    return file_.wrong(at, fmt::format("--from={}: a stage cannot copy from itself", name));
  if (found != nullptr && found->index > stage)
    return file_.wrong(at, fmt::format("--from={}: that stage comes later, on line {}", name, found->from.line));
  if (found != nullptr) {
    TRY(state, finished(ctx, found->index));
  } else if (auto it = request_.contexts.find(std::string(name)); it != request_.contexts.end()) {
    origin.source.root = it->second;
    origin.source.keeps_owner = false;
    return origin;
  } else {
    auto image = base_image(ctx, std::string(name), platform_);
    if (!image) {
      const auto& e = image.error();
      return e.is(Kind::cancelled) || e.is(Kind::timeout)
                 ? Fail(e)
                 : file_.wrong(at, fmt::format("--from={}: neither a stage nor an image: {}", name, e.what()),
                               e.hint());
    }
    state = std::make_shared<const State>(*std::move(image));
  }
  origin.key = state->fs_key();
  origin.holds.push_back(std::const_pointer_cast<State>(state));
  return origin;
}

// Mounts what an origin knows by its layers; the same view serves all who look at it at one time.
Result<> Build::show(const Ctx& ctx, const State&, Origin& origin) {
  if (origin.key.empty() || !origin.source.root.empty()) return {};
  struct View {
    TempDir folder;
    std::optional<box::Overlay> overlay;
    ~View() { overlay.reset(); }
  };
  TRY(auto held, shop_.busy.take(ctx, "view " + origin.key));
  std::shared_ptr<View> view;
  if (auto it = views_.lock(); it->contains(origin.key))
    view = std::static_pointer_cast<View>(it->at(origin.key).lock());
  if (!view) {
    auto state = std::static_pointer_cast<const State>(origin.holds.front());
    TRY(auto lowers, folders(ctx, state->layers));
    TRY(auto temp, TempDir::make_in(steps_folder(), "view"));
    view = std::shared_ptr<View>(new View{std::move(temp), {}});
    auto merged = view->folder.path() / "merged";
    TRY_OK(make_dirs(merged));
    if (!lowers.empty()) {
      TRY(view->overlay, box::Overlay::mount(lowers, {}, {}, merged));
    }
    (*views_.lock())[origin.key] = view;
  }
  origin.source.root = view->folder.path() / "merged";
  origin.holds.push_back(view);
  return {};
}

Result<std::vector<fs::path>> Build::folders(const Ctx& ctx, const std::vector<BuildLayer>& layers) {
  std::vector<fs::path> out(layers.size());
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (std::size_t n = 0; n < layers.size(); ++n) {
    if (auto there = shop_.options.layers->find(layers[n].diff_id)) {
      out[n] = *std::move(there);
    } else if (layers[n].descriptor) {
      tasks.emplace_back([this, &out, &layers, n](const Ctx& task) -> Result<> {
        TRY(out[n], shop_.options.layers->folder(task, *layers[n].descriptor, layers[n].diff_id));
        return {};
      });
    } else {
      return fail(Kind::unavailable, "layer {} went away during the build; build again", layers[n].diff_id.short_hex());
    }
  }
  TRY_OK(run_all(ctx, 2, std::move(tasks)));
  return out;
}

// Layers that were only hashed so far, because their stage was not part of an image then.
Result<> Build::store_layers(std::vector<BuildLayer>& layers) {
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (std::size_t n = 0; n < layers.size(); ++n) {
    if (layers[n].descriptor) continue;
    tasks.emplace_back([this, &layers, n](const Ctx& ctx) -> Result<> {
      auto& layer = layers[n];
      auto folder = shop_.options.layers->find(layer.diff_id);
      if (!folder)
        return fail(Kind::unavailable, "layer {} went away during the build; build again", layer.diff_id.short_hex());
      std::vector<BuildLayer> lower(layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(n));
      TRY(auto below, folders(ctx, lower));
      TRY(auto packed,
          oci::pack_layer(ctx, shop_.options.registry->blobs(), *folder, {.mtime = epoch_, .below = below}));
      if (packed.diff_id != layer.diff_id)
        return fail(Kind::corrupt, "layer {}: its folder was changed, packs to {}", layer.diff_id.short_hex(),
                    packed.diff_id.short_hex());
      layer.descriptor = packed.descriptor;
      return shop_.steps->put(layer.step, {layer.diff_id, layer.descriptor});
    });
  }
  return run_all(ctx_, 2, std::move(tasks));
}

Result<path::BuildResult> Build::write_image(const State& state) {
  auto layers = state.layers;
  TRY_OK(store_layers(layers));
  auto config = state.config;
  config.created = epoch_text(epoch_);
  config.diff_ids.clear();
  for (const auto& [key, value] : request_.labels) {
    config.labels[key] = value;
    input(fmt::format("label {}={}", key, value));
  }
  oci::Manifest manifest;
  path::BuildResult result;
  for (const auto& layer : layers) {
    config.diff_ids.push_back(layer.diff_id);
    auto d = *layer.descriptor;
    d.annotations.clear();
    result.bytes += d.size;
    manifest.layers.push_back(std::move(d));
  }
  auto text = oci::print(config);
  auto& registry = *shop_.options.registry;
  manifest.config.media_type = oci::media::config;
  manifest.config.size = text.size();
  TRY(manifest.config.digest, registry.blobs().put(text));
  result.bytes += text.size();
  auto bytes = oci::print(manifest);
  auto repository = request_.image.empty() ? std::string("local/build") : request_.image;
  auto digest = Digest::of(bytes);
  TRY(auto known, registry.manifest(repository, digest.str()));
  if (!known) TRY_OK(registry.put_manifest(repository, "", oci::media::manifest, bytes));
  if (request_.push)
    for (const auto& tag : request_.tags) TRY_OK(registry.tag(repository, tag, digest));
  result.digest = digest;
  Hasher hasher;
  for (const auto& line : *inputs_.lock()) hasher.update(line + "\n");
  result.inputs = "sha256:" + hasher.finish_hex();
  result.steps = steps_;
  result.cached = cached_;
  result.commands = *commands_.lock();
  say(fmt::format(" => image {} {} in {} layers", digest.str(), human_bytes(result.bytes), layers.size()));
  return result;
}

}  // namespace slipway::image::detail
