#pragma once
// What a build is asked for in docker's spelling: the command line and actions read it alike.
#include "path/services.h"

namespace slipway::path {

// "type=registry,ref=NAME,mode=max": fields of one option, their names in lower case. Errors: invalid.
Result<std::map<std::string, std::string>> build_fields(std::string_view option, const std::string& text);
// Takes a field out; the first of these names that is there.
std::string take_field(std::map<std::string, std::string>& fields, std::initializer_list<const char*> names);
// Errors: invalid for a field that nobody took.
Result<> no_field_left(std::string_view option, const std::map<std::string, std::string>& fields,
                       std::string_view want);

enum class CacheUse { from, to };
// Also an image's name alone. A local cache's folder stays as it was written. Errors: invalid; unavailable for kinds of
// caches that are not there.
Result<BuildCache> parse_build_cache(std::string_view option, const std::string& text, CacheUse use);
// "NAME=VALUE" of the image's manifest, or "manifest,index:NAME=VALUE". Errors: invalid.
Result<> add_annotation(std::string_view option, const std::string& text, BuildRequest& request);
// "true", "false", "mode=max", "generator=..." for `type` sbom or provenance; "type=sbom,..." for an empty one.
Result<> add_attestation(std::string_view option, std::string type, const std::string& text, BuildRequest& request);

}  // namespace slipway::path
