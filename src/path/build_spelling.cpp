#include "path/build_spelling.h"

#include "base/csv.h"
#include "base/text.h"

namespace slipway::path {

Result<std::map<std::string, std::string>> build_fields(std::string_view option, const std::string& text) {
  std::map<std::string, std::string> out;
  for (const auto& field : split_quoted(text)) {
    auto parts = cut(field, "=");
    if (!parts) return fail(Kind::invalid, "{} \"{}\": want KEY=VALUE,KEY=VALUE", option, text);
    out[lower(parts->first)] = parts->second;
  }
  return out;
}

std::string take_field(std::map<std::string, std::string>& fields, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    auto it = fields.find(name);
    if (it == fields.end()) continue;
    auto value = std::move(it->second);
    fields.erase(it);
    return value;
  }
  return {};
}

Result<> no_field_left(std::string_view option, const std::map<std::string, std::string>& fields,
                       std::string_view want) {
  if (fields.empty()) return {};
  return fail(Kind::invalid, "{}: unknown key \"{}\", want {}", option, fields.begin()->first, want);
}

Result<BuildCache> parse_build_cache(std::string_view option, const std::string& text, CacheUse use) {
  BuildCache cache;
  bool to = use == CacheUse::to;
  if (!text.contains('=')) {  // an image's name alone, as docker takes it
    cache.type = text == "inline" ? "inline" : "registry";
    cache.where = text;
    return cache;
  }
  TRY(auto fields, build_fields(option, text));
  cache.type = take_field(fields, {"type"});
  auto mode = take_field(fields, {"mode"});
  cache.all_stages = mode == "max";
  if (!mode.empty() && mode != "max" && mode != "min")
    return fail(Kind::invalid, "{}: mode={}: want min or max", option, mode);
  cache.ignore_errors = take_field(fields, {"ignore-error"}) == "true";
  for (const char* ignored :
       {"image-manifest", "oci-mediatypes", "compression", "compression-level", "force-compression"})
    take_field(fields, {ignored});  // ours is always an OCI image, as compressed as the build is
  if (cache.type == "registry") {
    cache.where = take_field(fields, {"ref"});
    if (cache.where.empty()) return fail(Kind::invalid, "{}: type=registry wants ref=NAME", option);
  } else if (cache.type == "local") {
    const char* key = to ? "dest" : "src";
    cache.where = take_field(fields, {key});
    if (cache.where.empty()) return fail(Kind::invalid, "{}: type=local wants {}=FOLDER", option, key);
  } else if (cache.type != "inline" || !to) {
    return Fail(Error(Kind::unavailable, fmt::format("{}: type={}: not there", option, cache.type))
                    .with_hint(to ? "type=registry, type=local or type=inline" : "type=registry or type=local"));
  }
  TRY_OK(no_field_left(option, fields, to ? "type, ref, dest, mode or ignore-error" : "type, ref or src"));
  return cache;
}

Result<> add_annotation(std::string_view option, const std::string& text, BuildRequest& request) {
  auto pair = cut(text, "=");
  if (!pair) return fail(Kind::invalid, "{} \"{}\": want NAME=VALUE", option, text);
  std::string_view levels = "manifest", name = pair->first;
  if (auto colon = cut(name, ":")) levels = colon->first, name = colon->second;
  for (auto level : split(levels, ',')) {
    level = level.substr(0, level.find('['));  // [linux/amd64]: we give all platforms the same
    if (level != "manifest" && level != "index")
      return fail(Kind::invalid, "{} \"{}\": annotations stand at manifest or index", option, text);
    (level == "index" ? request.index_annotations : request.annotations)[std::string(name)] = pair->second;
  }
  return {};
}

Result<> add_attestation(std::string_view option, std::string type, const std::string& text, BuildRequest& request) {
  std::map<std::string, std::string> fields;
  if (text.contains('=')) {
    TRY(fields, build_fields(option, text));
  }
  auto named = take_field(fields, {"type"});
  if (type.empty()) type = named;
  if (type != "sbom" && type != "provenance")
    return fail(Kind::invalid, "{} {}: want type=sbom or type=provenance", option, text);
  bool off = text == "false" || text == "0" || take_field(fields, {"disabled"}) == "true";
  auto mode = take_field(fields, {"mode"});
  for (const char* ignored : {"builder-id", "inline-only", "version", "reproducible", "generator"})
    take_field(fields, {ignored});
  TRY_OK(no_field_left(option, fields, "type, mode or disabled"));
  if (type == "sbom") {
    request.sbom = !off;
    return {};
  }
  if (!mode.empty() && mode != "min" && mode != "max")
    return fail(Kind::invalid, "{}: mode={}: want min or max", option, mode);
  request.provenance = off ? "" : mode.empty() ? "min" : mode;
  return {};
}

}  // namespace slipway::path
