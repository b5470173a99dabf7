#pragma once
// The embedded registry: names, tags and referrers in SQLite, bytes in the blob store, the distribution
// specification 1.1 as HTTP on top. Builder, scanner and node agent use it in process, without HTTP or copies.
#include <memory>
#include <string>
#include <vector>

#include "net/server.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "oci/registry_rules.h"
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
  // Authorization header (Basic or Bearer) to a user; nothing: wrong. Absent: everybody may do everything.
  std::function<std::optional<Who>(std::string_view authorization)> sign_in;
  std::function<std::shared_ptr<const RegistryRules>()> rules;  // absent: the defaults
  // A private key, PEM: clients are sent to /v2/_token for tokens that it signs. Absent: they are asked for Basic.
  std::string token_key_pem;
  std::function<void(const PushEvent&)> pushed;
  std::uint64_t max_manifest = 4 << 20;
};

struct GcOptions {
  Millis grace{3600'000};      // what was pushed, mounted or asked for in this time stays
  Millis uploads{86'400'000};  // sessions that nobody has written to for this long are given up
  bool dry_run = false;
  std::function<bool(const Digest&)> keep;  // what others in the store need
};
struct GcReport {
  std::size_t links = 0;    // blobs that a repository no longer shows
  std::size_t removed = 0;  // blobs that are gone from the store
  std::uint64_t bytes = 0;
  std::size_t waiting = 0;  // that nothing reaches, but that are young
  std::uint64_t waiting_bytes = 0;
  std::size_t uploads = 0;  // sessions given up
};
struct ExpireOptions {
  bool dry_run = false;
  std::function<bool(std::string_view repository, const Digest&)> in_use;  // never goes
};
struct Expired {
  std::string repository, tag;  // tag "": the manifest
  Digest digest;
  std::string why;
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
  // The same with several tags, or none.
  Result<Descriptor> put_manifest(std::string_view repository, const std::vector<std::string>& tags,
                                  std::string_view media_type, std::string_view bytes,
                                  Completeness completeness = Completeness::whole);
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
  // Frees what no manifest reaches, while others push: nothing is locked but for the moment in which a name goes. Bytes
  // that never had a name here (caches, artifacts) are not touched. Killed in the middle, the next call goes on.
  Result<GcReport> collect_garbage(const Ctx& ctx, const GcOptions& options = {});
  // Takes away what the rules do not keep: tags, then manifests without one that no index and no subject holds.
  Result<std::vector<Expired>> expire(const Ctx& ctx, const ExpireOptions& options = {});
  Result<std::uint64_t> usage(std::string_view repository) const;  // bytes of its blobs and manifests, each once
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
