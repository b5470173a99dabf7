#pragma once
// The images of a data directory, for commands that run beside a slipway or without one: names and bytes are shared
// with it (SQLite and the blob store allow that), so what is built here is there at once.
#include <memory>

#include "cli/command.h"
#include "oci/registry.h"
#include "oci/remote.h"

namespace slipway::cli {

struct LocalStore {
  // Its slipway's rules hold (docs/registry.md): immutable tags, quotas. Errors: denied, unavailable, corrupt.
  static Result<std::unique_ptr<LocalStore>> open(const Arguments& arguments);

  fs::path data;
  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<oci::Registry> registry;
  std::unique_ptr<oci::Remote> remote;
  std::vector<std::string> names;  // hosts that mean this store: registry.slipway.local, the running slipway's address
};

// Where a name points to: here when it has no host or one of ours, else also where a pulled copy of it lies here.
struct ImageName {
  std::string given;
  bool bare = false;       // no host was written
  bool ours = false;       // no host, or one of ours
  oci::Reference remote;   // as other registries know it; of a bare name: Docker's defaults
  std::string repository;  // here
  std::string which() const { return remote.digest.empty() ? remote.tag : remote.digest.str(); }
};
Result<ImageName> image_name(const LocalStore& store, const std::string& text);
// The name as it is here: of a bare one that is not, a copy that was pulled from Docker's hub. Errors: not_found.
Result<ImageName> find_here(const LocalStore& store, const std::string& text);

}  // namespace slipway::cli
