#pragma once
// What one layer or folder holds that a scan wants to know.
#include "path/objects.h"
#include "scan/inventory.h"

namespace slipway::scan::detail {

struct Contents {
  std::map<std::string, std::vector<Package>> packages;   // by the file they were read from, no leading "/"
  std::map<std::string, std::vector<std::string>> owned;  // package database file -> package metadata it owns
  std::map<std::string, std::string> os_release;          // etc/os-release, usr/lib/os-release
  std::vector<std::string> removed;                       // whiteouts: a path, or "dir/" for an opaque folder
  std::vector<path::Finding> findings;
};
doc::Value to_doc(const Contents& contents);
Result<Contents> contents_from(doc::View view);

// Which files are worth their bytes.
enum class Interest { none, packages, secrets };
struct FileFacts {
  std::string_view path;
  std::uint64_t size = 0;
  bool executable = false;
};
Interest interest_in(const FileFacts& file, const InventoryLimits& limits, bool in_image);
// Reads one file into the contents.
void take_file(Contents& contents, const FileFacts& file, std::string_view bytes, Interest interest);

// Package lists inside a Java archive, also in archives inside it.
std::vector<Package> read_java_archive(std::string_view bytes, std::string_view file, int depth = 0);

Result<Contents> read_layer(const Ctx& ctx, const store::BlobStore& blobs, const oci::Descriptor& layer,
                            const InventoryLimits& limits);
// Layers on top of each other.
Inventory fold(const std::vector<std::pair<std::string, Contents>>& layers);

}  // namespace slipway::scan::detail
