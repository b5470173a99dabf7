#pragma once
// The embedded registry: names, tags and referrers in SQLite, bytes in the blob store, the distribution
// specification 1.1 as HTTP on top. Builder, scanner and node agent use it in process, without HTTP or copies.
#include <memory>
#include <string>
#include <vector>

#include "net/server.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/database.h"

namespace slipway::oci {

struct StoredManifest {
  Descriptor descriptor;
  std::string bytes;
};
struct PushEvent {
  std::string repository, tag;  // tag "" for a push by digest
  Digest digest;
};
struct RegistryOptions {
  // Authorization header to a user; nothing: 401. `action` is "pull" or "push". Absent: everybody may.
  std::function<std::optional<std::string>(std::string_view authorization, const std::string& repository,
                                           std::string_view action)>
      authorize;
  std::function<void(const PushEvent&)> pushed;
  std::uint64_t max_manifest = 4 << 20;
};

// Threads: any.
class Registry {
 public:
  static Result<std::unique_ptr<Registry>> open(store::BlobStore& blobs, const fs::path& database,
                                                RegistryOptions options = {});
  ~Registry();
  net::Handler routes();  // mounted at "/v2/"

  // Nothing: unknown. `reference` is a tag or a digest.
  Result<std::optional<StoredManifest>> manifest(std::string_view repository, std::string_view reference) const;
  // Stores the bytes, checks that all they name is here, links the tag ("" for none).
  // An index that was pulled for one platform may be sparse: only some of its manifests are here.
  enum class Completeness { whole, sparse };
  Result<Descriptor> put_manifest(std::string_view repository, std::string_view tag, std::string_view media_type,
                                  std::string_view bytes, Completeness completeness = Completeness::whole);
  Result<> tag(std::string_view repository, std::string_view tag, const Digest& digest);
  Result<std::vector<std::string>> repositories() const;
  Result<std::vector<std::string>> tags(std::string_view repository) const;
  Result<std::vector<Descriptor>> referrers(std::string_view repository, const Digest& subject,
                                            std::string_view artifact_type = {}) const;
  // Attaches one blob to an image as a referrer (SBOM, provenance, signature).
  Result<Descriptor> attach(std::string_view repository, const Digest& subject, std::string_view artifact_type,
                            std::string_view media_type, std::string_view bytes,
                            const std::map<std::string, std::string>& annotations = {});
  Result<> remove_tag(std::string_view repository, std::string_view tag);
  Result<> remove_manifest(std::string_view repository, const Digest& digest);
  // Whether any manifest reaches the blob: for the sweep.
  Result<std::vector<Digest>> reachable() const;
  // The image for this platform behind a tag or digest, its index resolved. Errors: not_found.
  struct Image {
    Digest digest;  // of the manifest
    Manifest manifest;
    Config config;
  };
  Result<Image> image(std::string_view repository, std::string_view reference, const Platform& platform = {}) const;
  store::BlobStore& blobs() const;

  struct Rep;

 private:
  explicit Registry(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// The entry of an index that fits: exact variant first; nothing fits: nothing.
std::optional<Descriptor> choose_platform(const Index& index, const Platform& platform);

}  // namespace slipway::oci
