#pragma once
// What the registry's two faces, in process and over HTTP, share.
#include "oci/detail/catalogue.h"
#include "oci/detail/uploads.h"
#include "oci/registry.h"

namespace slipway::oci {

struct Registry::Rep {
  store::BlobStore& blobs;
  RegistryOptions options;
  std::unique_ptr<detail::Catalogue> catalogue;
  std::unique_ptr<detail::Uploads> uploads;

  // Who vouches that the blobs a manifest names may be read through this repository: `store`, the process itself
  // (whatever is in the store), or `repository`, a remote client (only what was pushed or mounted there).
  // `sparse`: an index of which only some manifests are here.
  enum class Children { store, repository, sparse };
  struct Push {
    std::string repository, media_type;
    std::vector<std::string> tags;
    Digest digest;  // "" computes sha256
    Children children = Children::store;
  };
  struct Pushed {
    Descriptor descriptor;
    Digest subject;
  };
  Result<Pushed> push(const Push& push, std::string_view bytes);
  Result<std::optional<StoredManifest>> manifest(std::string_view repository, std::string_view reference) const;
  Result<std::vector<std::string>> referrers(std::string_view repository, const Digest& subject,
                                             std::string_view artifact_type) const;

 private:
  Result<> check_children(const Push& push, const detail::ManifestRow& row, const std::vector<Descriptor>& blobs_named,
                          const std::vector<Descriptor>& manifests_named);
};

}  // namespace slipway::oci
