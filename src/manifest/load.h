#pragma once
// Plain folders of manifests: every YAML and JSON file, read in the order of its path, and Jsonnet where it is
// evaluated.
#include <functional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "doc/value.h"
#include "manifest/source.h"

namespace slipway::manifest {

struct LoadOptions {
  bool recursive = false;
  // Globs over the path below the folder ("apps/*.yaml", "{a,b}/**"); empty include: everything.
  std::string include, exclude;
  // As Argo CD reads folders: YAML that is no manifest is let through, files that say so are skipped, a star of a glob
  // takes slashes as well, links to folders are not followed.
  bool argo = false;
  // What a `.jsonnet` file gives: an object, a list of objects and nulls, or null. None: such files are not read.
  std::function<Result<doc::Value>(const std::string& path, std::string text)> jsonnet;
};
struct Loaded {
  doc::Value object;
  std::string file;  // as FileSource::display names it; the object's marks are places in it
};
// The objects in order; lists (kind: List) are taken apart. Files without objects are let through; hidden files
// and folders are not read. Errors: not_found (no such folder), invalid (file:line:col).
Result<std::vector<Loaded>> load_folder(const Ctx& ctx, FileSource& source, const std::string& folder,
                                        const LoadOptions& options = {});

}  // namespace slipway::manifest
