#include "image/detail/cache_records.h"

#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/layout.h"

namespace slipway::image::detail {

namespace {

constexpr std::string_view none = "no-host.invalid";
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
Result<Digest> write_cache_image(const CachePlaces& places, std::string_view repository, std::string_view tag,
                                 const CacheRecords& records) {
  oci::Config config;
  config.platform = places.platform;
  oci::Manifest manifest;
  std::set<std::string> seen;
  CacheRecords kept = records;
  for (auto& [key, step] : kept.steps) {
    if (step.descriptor && !places.registry.blobs().contains(step.descriptor->digest)) step.descriptor.reset();
    if (!step.descriptor || !seen.insert(step.diff_id.str()).second) continue;
    config.diff_ids.push_back(step.diff_id);
    manifest.layers.push_back(*step.descriptor);
  }
  auto text = oci::print(config);
  manifest.config.media_type = oci::media::config;
  manifest.config.size = text.size();
  TRY(manifest.config.digest, places.registry.blobs().put(text));
  manifest.annotations[std::string(cache_annotation)] = print(kept);
  TRY(auto stored, places.registry.put_manifest(repository, tag, oci::media::manifest, oci::print(manifest)));
  return stored.digest;
}

Result<oci::Registry::Image> cache_image(const Ctx& ctx, const CachePlaces& places, const path::BuildCache& from) {
  if (from.type == "local") {
    if (!path_exists(from.where)) return fail(Kind::not_found, "{}: no such folder", from.where);
    TRY(auto images, oci::read_layout(ctx, places.registry, from.where, parking, ""));
    return places.registry.image(parking, images.at(0).digest.str(), places.platform);
  }
  TRY(auto place, place_of(places, from.where));
  if (place.ours) {
    const auto& r = place.reference;
    return places.registry.image(r.repository, r.digest.empty() ? r.tag : r.digest.str(), places.platform);
  }
  if (places.remote == nullptr) return fail(Kind::unavailable, "{}: no other registry can be reached", from.where);
  return places.remote->pull(ctx, place.reference, places.registry, places.platform);
}

}  // namespace

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
  TRY(auto image, cache_image(ctx, places, from));
  auto it = image.manifest.annotations.find(std::string(cache_annotation));
  if (it == image.manifest.annotations.end())
    return fail(Kind::invalid, "{}: an image without a build cache of slipway's", from.where);
  TRY(auto records, parse_cache_records(it->second));
  for (auto& [key, step] : records.steps) {
    if (step.descriptor && !places.registry.blobs().contains(step.descriptor->digest)) step.descriptor.reset();
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
    TRY(auto digest, write_cache_image(places, parking, "", records));
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
    TRY(auto digest, write_cache_image(places, r.repository, r.tag, records));
    return {};
  }
  if (places.remote == nullptr) return fail(Kind::unavailable, "{}: no other registry can be reached", to.where);
  TRY(auto digest, write_cache_image(places, parking, "", records));
  TRY(auto pushed, places.remote->push(ctx, places.registry, parking, digest.str(), r));
  return {};
}

}  // namespace slipway::image::detail
