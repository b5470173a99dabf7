// Images that come in, and the one that goes out.
#include <sys/stat.h>

#include "base/encode.h"
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
  depends_on({fmt::format("pkg:docker/{}?platform={}", name, percent_encode(platform.print())),
              image.digest.algorithm() == "sha256" ? "sha256" : "sha512", std::string(image.digest.hex())});
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
  std::optional<Named> named;
  if (found == nullptr || is_replaced(*found)) {
    auto context = named_context(ctx, found != nullptr ? found->name : std::string(name), platform_);
    if (!context) return file_.wrong(at, context.error().what(), context.error().hint());
    named = *std::move(context);
  }
  if (named && named->folder) return *std::move(named->folder);
  if (named) {
    state = std::make_shared<const State>(*std::move(named->image));
  } else if (found != nullptr && found->index == stage)
    return file_.wrong(at, fmt::format("--from={}: a stage cannot copy from itself", name));
  else if (found != nullptr && found->index > stage)
    return file_.wrong(at, fmt::format("--from={}: that stage comes later, on line {}", name, found->from.line));
  else if (found != nullptr) {
    TRY(state, finished(ctx, found->index));
  } else if (iequals(name, "scratch")) {
    state = std::make_shared<const State>();
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
  if (origin.lay_out) return origin.lay_out(ctx, origin);
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
        TRY_OK(bring(task, *layers[n].descriptor));
        TRY(out[n], shop_.options.layers->folder(task, *layers[n].descriptor, layers[n].diff_id));
        return {};
      });
    } else {
      missed_files_ = true;
      return fail(Kind::unavailable, "layer {} is not here any more; build again", layers[n].diff_id.short_hex());
    }
  }
  TRY_OK(run_all(ctx, 2, std::move(tasks)));
  return out;
}

// What a cache elsewhere has alone, and no longer gives, is done again.
Result<> Build::bring(const Ctx& ctx, const oci::Descriptor& layer) {
  if (shop_.has_blob(layer.digest)) return {};
  TRY(auto held, shop_.busy.take(ctx, "layer " + layer.digest.str()));
  auto done = far_.bring(ctx, layer, [this](const std::string& line) { say(line); });
  if (!done && ctx.alive()) missed_files_ = true;
  return done;
}

Result<> Build::bring_layers(const std::vector<BuildLayer>& layers) {
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (const auto& layer : layers)
    if (layer.descriptor && !layer.step.empty() && !shop_.has_blob(layer.descriptor->digest))
      tasks.emplace_back([&](const Ctx& task) { return bring(task, *layer.descriptor); });
  return run_all(ctx_, 4, std::move(tasks));
}

// Layers that were only hashed so far, because their stage was not part of an image then, or compressed otherwise.
Result<> Build::store_layers(std::vector<BuildLayer>& layers) {
  auto wanted = oci::layer_media_type(compression_);
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (std::size_t n = 0; n < layers.size(); ++n) {
    bool ours = !layers[n].step.empty();
    if (layers[n].descriptor && (!ours || layers[n].descriptor->media_type == wanted)) continue;
    tasks.emplace_back([this, &layers, n](const Ctx& ctx) -> Result<> {
      std::vector<BuildLayer> lower(layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(n));
      std::vector<BuildLayer> itself{layers[n]};
      TRY(auto folder, folders(ctx, itself));
      TRY(auto below, folders(ctx, lower));
      auto& layer = layers[n];
      TRY(auto packed, oci::pack_layer(ctx, *shop_.blobs, folder[0],
                                       {.compression = compression_, .mtime = epoch_, .below = below}));
      if (packed.diff_id != layer.diff_id)
        return fail(Kind::corrupt, "layer {}: its folder was changed, packs to {}", layer.diff_id.short_hex(),
                    packed.diff_id.short_hex());
      layer.descriptor = packed.descriptor;
      CachedStep step{layer.diff_id, layer.descriptor};
      remember(layer.step, step);
      return shop_.steps->put(layer.step, step);
    });
  }
  return run_all(ctx_, 2, std::move(tasks));
}

// For a cache of all stages, that travels with its layers.
Result<> Build::store_all_stages() {
  std::vector<std::shared_ptr<const State>> states;
  for (const auto& [index, state] : *finished_.lock()) states.push_back(state);
  for (const auto& state : states) {
    auto layers = state->layers;
    // A layer that came from a cache without its files cannot be handed on, and need not be.
    std::erase_if(layers, [&](const BuildLayer& layer) {
      return !layer.descriptor && !shop_.options.layers->find(layer.diff_id);
    });
    TRY_OK(store_layers(layers));
  }
  return {};
}

Result<Built> Build::write_image(const State& state) {
  auto layers = state.layers;
  TRY_OK(store_layers(layers));
  TRY_OK(bring_layers(layers));
  auto config = state.config;
  config.created = epoch_text(epoch_);
  // What was asked for is what it is: a last stage FROM --platform=$BUILDPLATFORM holds the target's files.
  if (!request_.platform.empty()) config.platform = platform_;
  config.diff_ids.clear();
  for (const auto& [key, value] : request_.labels) {
    config.labels[key] = value;
    input(fmt::format("label {}={}", key, value));
  }
  bool all_stages = false, inline_cache = false;
  for (const auto& to : request_.cache_to) {
    all_stages = all_stages || to.all_stages;
    inline_cache = inline_cache || to.type == "inline";
  }
  if (all_stages) TRY_OK(store_all_stages());
  oci::Manifest manifest;
  manifest.annotations = request_.annotations;
  for (const auto& [key, value] : request_.annotations) input(fmt::format("annotation {}={}", key, value));
  Built built;
  built.records = *records_.lock();
  auto& result = built.result;
  for (const auto& layer : layers) {
    config.diff_ids.push_back(layer.diff_id);
    auto d = *layer.descriptor;
    d.annotations.clear();
    result.bytes += d.size;
    manifest.layers.push_back(std::move(d));
  }
  if (inline_cache) manifest.annotations[std::string(cache_annotation)] = print(built.records);
  auto text = oci::print(config);
  manifest.config.media_type = oci::media::config;
  manifest.config.size = text.size();
  TRY(manifest.config.digest, shop_.blobs->put(text));
  result.bytes += text.size();
  built.manifest = oci::print(manifest);
  TRY(auto digest, shop_.blobs->put(built.manifest));
  TRY_OK(shop_.blobs->commit());
  built.image.media_type = oci::media::manifest;
  built.image.digest = digest;
  built.image.size = built.manifest.size();
  built.image.platform = config.platform;
  result.digest = digest;
  result.media_type = oci::media::manifest;
  result.images[config.platform.print()] = digest;
  Hasher hasher;
  for (const auto& line : *inputs_.lock()) hasher.update(line + "\n");
  result.inputs = "sha256:" + hasher.finish_hex();
  result.steps = steps_;
  result.cached = cached_;
  result.commands = *commands_.lock();
  if (!request_.provenance.empty()) {
    ProvenanceFacts facts{.dockerfile = file_.name,
                          .source = file_.source,
                          .target = request_.target,
                          .builder = build_platform_,
                          .platform = config.platform,
                          .materials = *materials_.lock(),
                          .commands = {}};
    for (const auto& entry : config.history) facts.commands.push_back(entry.created_by);
    built.statements.push_back(provenance(request_, facts));
  }
  say(fmt::format(" => image {} {} in {} layers", digest.str(), human_bytes(result.bytes), layers.size()));
  return built;
}

}  // namespace slipway::image::detail
