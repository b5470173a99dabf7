#include "image/detail/cache_records.h"

#include <algorithm>

#include "base/pool.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/layout.h"

namespace slipway::image::detail {

namespace {

constexpr std::string_view none = "no-host.invalid";
constexpr std::size_t pushed_at_once = 4;
constexpr std::string_view parking = "local/build-cache";  // where a cache lies in our registry on its way

Result<CachedStep> step_of(const doc::View& v) {
  CachedStep step;
  if (auto id = v["diffId"].str_or(""); !id.empty()) {
    TRY(step.diff_id, Digest::parse(id));
  }
  if (v["digest"].present()) {
    oci::Descriptor d;
    d.media_type = v["mediaType"].str_or(oci::media::layer_gzip);
    TRY(auto digest, v["digest"].str());
    TRY(d.digest, Digest::parse(digest));
    d.size = static_cast<std::uint64_t>(v["size"].num_or(0));
    step.descriptor = std::move(d);
  }
  return step;
}

struct Place {
  oci::Reference reference;
  bool ours = false;
};
Result<Place> place_of(const CachePlaces& places, const std::string& name) {
  Place place;
  TRY(place.reference, oci::parse_reference(name, none));
  auto bare = place.reference.host == none;
  place.ours = bare || std::find(places.ours.begin(), places.ours.end(), place.reference.host) != places.ours.end();
  return place;
}

// An image that holds the layers, for whoever keeps or moves images; its configuration says nothing but their ids.
struct CacheImage {
  std::string config;
  oci::Manifest manifest;
};
CacheImage cache_image_of(const CachePlaces& places, const CacheRecords& records,
                          const std::function<bool(const Digest&)>& is_there) {
  oci::Config config;
  config.platform = places.platform;
  CacheImage image;
  std::set<std::string> seen;
  CacheRecords kept = records;
  for (auto& [key, step] : kept.steps) {
    if (step.descriptor && !is_there(step.descriptor->digest)) step.descriptor.reset();
    if (!step.descriptor || !seen.insert(step.diff_id.str()).second) continue;
    config.diff_ids.push_back(step.diff_id);
    image.manifest.layers.push_back(*step.descriptor);
  }
  image.config = oci::print(config);
  image.manifest.config.media_type = oci::media::config;
  image.manifest.config.size = image.config.size();
  image.manifest.config.digest = Digest::of(image.config);
  image.manifest.annotations[std::string(cache_annotation)] = print(kept);
  return image;
}

Result<Digest> store_cache_image(const CachePlaces& places, std::string_view repository, std::string_view tag,
                                 const CacheRecords& records) {
  auto& blobs = places.registry.blobs();
  auto image = cache_image_of(places, records, [&](const Digest& digest) { return blobs.contains(digest); });
  TRY_OK(blobs.put(image.config));
  TRY(auto stored, places.registry.put_manifest(repository, tag, oci::media::manifest, oci::print(image.manifest)));
  return stored.digest;
}

// A layer that is not here, because a cache elsewhere named it and nobody needed its bytes, is fetched only when the
// registry that is pushed to lacks it.
Result<> push_cache_image(const Ctx& ctx, const CachePlaces& places, const oci::Reference& to,
                          const CacheRecords& records) {
  auto& blobs = places.registry.blobs();
  std::set<std::string> there;
  for (const auto& [key, step] : records.steps) {
    if (!step.descriptor || blobs.contains(step.descriptor->digest)) continue;
    if (!places.far.has(step.descriptor->digest)) continue;
    TRY(bool has, places.remote->has_blob(ctx, to, step.descriptor->digest));
    if (!has) TRY_OK(places.far.bring(ctx, *step.descriptor, {}));
    if (has) there.insert(step.descriptor->digest.str());
  }
  auto image = cache_image_of(
      places, records, [&](const Digest& digest) { return there.contains(digest.str()) || blobs.contains(digest); });
  std::vector<std::function<Result<>(const Ctx&)>> tasks;
  for (const auto& layer : image.manifest.layers)
    if (!there.contains(layer.digest.str()))
      tasks.emplace_back([&](const Ctx& task) { return places.remote->push_blob(task, to, layer, blobs); });
  TRY_OK(run_all(ctx, pushed_at_once, std::move(tasks)));
  return places.remote->put(ctx, to, {image.config}, image.manifest);
}

// The cache's manifest, of this registry, a folder, or another registry.
Result<oci::Manifest> cache_manifest(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& from) {
  if (from.type == "local") {
    if (!path_exists(from.where)) return fail(Kind::not_found, "{}: no such folder", from.where);
    TRY(auto images, oci::read_layout(ctx, places.registry, from.where, parking, ""));
    TRY(auto image, places.registry.image(parking, images.at(0).digest.str(), places.platform));
    return std::move(image.manifest);
  }
  TRY(auto place, place_of(places, from.where));
  const auto& r = place.reference;
  if (place.ours) {
    TRY(auto image, places.registry.image(r.repository, r.digest.empty() ? r.tag : r.digest.str(), places.platform));
    return std::move(image.manifest);
  }
  if (places.remote == nullptr) return fail(Kind::unavailable, "{}: no other registry can be reached", from.where);
  TRY(auto stored, places.remote->manifest(ctx, r));
  if (oci::is_index(stored.descriptor.media_type)) {
    TRY_IN(auto index, from.where, oci::parse_index(stored.bytes));
    auto chosen = oci::choose_platform(index, places.platform);
    if (!chosen) return fail(Kind::not_found, "{}: has no image for {}", from.where, places.platform.print());
    auto child = r;
    child.tag.clear();
    child.digest = chosen->digest;
    TRY(stored, places.remote->manifest(ctx, child));
  }
  TRY_IN(auto manifest, from.where, oci::parse_manifest(stored.bytes));
  for (const auto& layer : manifest.layers) places.far.add(layer.digest, r);
  return manifest;
}

}  // namespace

Result<> FarLayers::bring(const Ctx& ctx, const oci::Descriptor& layer, const std::function<void(std::string)>& say) {
  if (blobs_.contains(layer.digest)) return {};
  oci::Reference where;
  {
    auto known = known_.lock();
    auto it = known->find(layer.digest.str());
    if (it == known->end()) return fail(Kind::not_found, "layer {}: nobody has it", layer.digest.short_hex());
    where = it->second;
  }
  if (say)
    say(fmt::format(" => fetching {} of layer {} from {}", human_bytes(layer.size), layer.digest.short_hex(),
                    where.name()));
  auto done = remote_->fetch_blob(ctx, where, layer, blobs_);
  // Who does not give one layer is not asked for the next.
  if (!done && ctx.alive())
    std::erase_if(*known_.lock(), [&](const auto& known) { return known.second.print() == where.print(); });
  return done;
}

std::string print(const CacheRecords& records) {
  doc::Map steps, contents;
  for (const auto& [key, step] : records.steps) {
    doc::Map row;
    if (!step.diff_id.empty()) row.set("diffId", step.diff_id.str());
    if (step.descriptor) {
      row.set("mediaType", step.descriptor->media_type);
      row.set("digest", step.descriptor->digest.str());
      row.set("size", step.descriptor->size);
    }
    steps.append(key, std::move(row));
  }
  for (const auto& [key, content] : records.contents) contents.append(key, content);
  return doc::print_json(doc::Map{{"steps", std::move(steps)}, {"contents", std::move(contents)}});
}

Result<CacheRecords> parse_cache_records(std::string_view json) {
  TRY(auto document, doc::parse_json(json, "build cache"));
  doc::View v(document, "build cache");
  CacheRecords out;
  for (auto& [key, row] : v["steps"].members()) {
    TRY(out.steps[std::string(key)], step_of(row));
  }
  for (auto& [key, content] : v["contents"].members()) {
    TRY(out.contents[std::string(key)], content.str());
  }
  return out;
}

Result<std::size_t> import_cache(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& from,
                                 StepCache& steps) {
  TRY(auto manifest, cache_manifest(ctx, places, from));
  auto it = manifest.annotations.find(std::string(cache_annotation));
  if (it == manifest.annotations.end())
    return fail(Kind::invalid, "{}: an image without a build cache of slipway's", from.where);
  TRY(auto records, parse_cache_records(it->second));
  for (auto& [key, step] : records.steps) {
    if (step.descriptor && !places.registry.blobs().contains(step.descriptor->digest) &&
        !places.far.has(step.descriptor->digest))
      step.descriptor.reset();
    TRY(auto known, steps.find(key));
    if (known && (known->diff_id.empty() || known->descriptor || !step.descriptor)) continue;
    TRY_OK(steps.put(key, step));
  }
  for (const auto& [key, content] : records.contents) TRY_OK(steps.put_content(key, content));
  return records.steps.size();
}

Result<> export_cache(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& to,
                      const CacheRecords& records) {
  if (to.type == "local") {
    TRY(auto digest, store_cache_image(places, parking, "", records));
    // Whole or not at all, and a second build may write to the same place.
    auto beside = fs::path(to.where + ".new." + random_hex(6));
    Finally tidy([&] { (void)remove_tree(beside); });
    TRY_OK(oci::write_layout(ctx, places.registry, parking, digest.str(), "cache", beside));
    TRY_OK(remove_tree(to.where));
    std::error_code error;
    fs::rename(beside, to.where, error);
    return error ? Result<>(fail_errno(error.value(), to.where)) : Result<>{};
  }
  TRY(auto place, place_of(places, to.where));
  const auto& r = place.reference;
  if (!r.digest.empty()) return fail(Kind::invalid, "cache {}: a tag is wanted, not a digest", to.where);
  if (place.ours) {
    TRY(auto digest, store_cache_image(places, r.repository, r.tag, records));
    return {};
  }
  if (places.remote == nullptr) return fail(Kind::unavailable, "{}: no other registry can be reached", to.where);
  return push_cache_image(ctx, places, r, records);
}

}  // namespace slipway::image::detail
