#pragma once
// The registry's names in SQLite: which repository holds which manifests, tags and blobs.
#include <memory>
#include <optional>

#include "oci/image.h"
#include "store/database.h"

namespace slipway::oci::detail {

struct ManifestRow {
  Digest digest;  // as pushed: sha256 or sha512
  Digest stored;  // sha256 of the bytes in the blob store
  std::string media_type, artifact_type;
  std::uint64_t size = 0;
  Digest subject;        // may be empty
  std::string referrer;  // the descriptor the referrers list shows, as JSON
  std::vector<Digest> children;
};
struct Page {
  std::optional<std::int64_t> limit;
  std::string after;
};

// Threads: any.
class Catalogue {
 public:
  static Result<std::unique_ptr<Catalogue>> open(const fs::path& file);

  Result<> link_blob(std::string_view repository, const Digest& digest);
  Result<bool> has_blob(std::string_view repository, const Digest& digest) const;
  Result<std::vector<std::string>> repositories_of(const Digest& blob) const;
  Result<bool> unlink_blob(std::string_view repository, const Digest& digest);

  // sha512 names of blobs; the store knows sha256 only.
  Result<> alias(const Digest& digest, const Digest& stored);
  Result<std::optional<Digest>> stored(const Digest& digest) const;

  Result<> put(std::string_view repository, const ManifestRow& row, const std::vector<std::string>& tags);
  Result<std::optional<ManifestRow>> manifest(std::string_view repository, std::string_view reference) const;
  Result<bool> tag(std::string_view repository, std::string_view tag, const Digest& digest);  // false: no such manifest
  Result<bool> remove_tag(std::string_view repository, std::string_view tag);
  Result<bool> remove_manifest(std::string_view repository, const Digest& digest);

  Result<std::vector<std::string>> repositories(const Page& page) const;
  // Nothing: the repository is unknown.
  Result<std::optional<std::vector<std::string>>> tags(std::string_view repository, const Page& page) const;
  Result<std::vector<std::string>> referrers(std::string_view repository, const Digest& subject,
                                             std::string_view artifact_type) const;
  Result<std::vector<Digest>> reachable() const;

 private:
  explicit Catalogue(std::unique_ptr<store::Database> db) : db_(std::move(db)) {}
  std::unique_ptr<store::Database> db_;
};

}  // namespace slipway::oci::detail
