#pragma once
// What the registry's two faces, in process and over HTTP, share.
#include "base/guarded.h"
#include "oci/detail/access.h"
#include "oci/detail/catalogue.h"
#include "oci/detail/mirror.h"
#include "oci/detail/uploads.h"
#include "oci/registry.h"

namespace slipway::oci {

struct Registry::Rep {
  store::BlobStore& blobs;
  RegistryOptions options;
  std::unique_ptr<detail::Catalogue> catalogue;
  std::unique_ptr<detail::Uploads> uploads;
  std::unique_ptr<detail::Access> access;
  std::unique_ptr<detail::Mirror> mirror;

  Rep(store::BlobStore& b, RegistryOptions o) : blobs(b), options(std::move(o)) {}

  // Who vouches that the blobs a manifest names may be read through this repository: `store`, the process itself
  // (whatever is in the store), or `repository`, a remote client (only what was pushed or mounted there).
  // `sparse`: an index of which only some manifests are here.
  // `later`: of another registry; they come when somebody asks.
  enum class Children { store, repository, sparse, later };
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
  // By tag or digest. False: not there. Errors: denied (an immutable tag).
  Result<bool> remove(std::string_view repository, const std::string& reference);
  std::shared_ptr<const RegistryRules> rules() const;
  // How many more bytes the repository may take; nothing: no limit.
  Result<std::optional<std::uint64_t>> room(std::string_view repository) const;
  Result<std::uint64_t> usage(std::string_view repository) const;
  // Remembered, and written down with others: a pull is no reason to wait for the disk.
  void pulled(std::string_view repository, std::string_view reference);
  Result<> write_pulls();
  Result<std::vector<std::string>> referrers(std::string_view repository, const Digest& subject,
                                             std::string_view artifact_type) const;

 private:
  Result<detail::PutTerms> terms_of(const Push& push, const std::vector<Descriptor>& blobs_named,
                                    const std::vector<Descriptor>& manifests_named) const;
  Result<> check_room(const Push& push, const detail::ManifestRow& row, const detail::PutTerms& terms) const;

  struct Pulls {
    std::map<detail::Pull, std::int64_t> at;
    std::int64_t written = 0;
  };
  Guarded<Pulls> pulls_;
};

}  // namespace slipway::oci
