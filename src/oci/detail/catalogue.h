#pragma once
// The registry's names in SQLite: which repository holds which manifests, tags and blobs.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "base/ctx.h"
#include "oci/image.h"
#include "store/database.h"

namespace slipway::oci::detail {

struct NamedBlob {
  Digest digest, stored;
  std::uint64_t size = 0;
};
struct ManifestRow {
  Digest digest;  // as pushed: sha256 or sha512
  Digest stored;  // sha256 of the bytes in the blob store
  std::string media_type, artifact_type;
  std::uint64_t size = 0;
  Digest subject;        // may be empty
  std::string referrer;  // the descriptor the referrers list shows, as JSON
  std::vector<Digest> children;
};
// What must hold when a manifest comes in, checked in the same transaction.
struct PutTerms {
  enum class Blobs { linked, link, free };  // are there already; become readable here; may come later
  Blobs blobs = Blobs::free;
  std::vector<NamedBlob> named;
  std::vector<std::string> immutable;          // those of its tags that may not move
  std::function<bool(const Digest&)> present;  // whether the store has the bytes; garbage goes in transactions as well
};
struct TagRow {
  std::string tag;
  Digest digest;
  std::int64_t pushed = 0, pulled = 0;  // seconds since 1970; 0: not known
};
struct HeldRow {
  Digest digest;
  Digest subject;  // may be empty
  std::int64_t pushed = 0, pulled = 0;
  std::vector<Digest> children;
};
struct Pull {
  std::string repository, reference;
  auto operator<=>(const Pull&) const = default;
};
struct Page {
  std::optional<std::int64_t> limit;
  std::string after;
};

// Threads: any.
class Catalogue {
 public:
  static Result<std::unique_ptr<Catalogue>> open(const fs::path& file);

  // Makes it readable there; what is linked already becomes young again.
  Result<> link_blob(std::string_view repository, const Digest& digest, std::uint64_t size);
  // A link that no manifest holds becomes young again: somebody looks whether he must push. False: no such link.
  Result<bool> renew_link(std::string_view repository, const Digest& digest);
  Result<bool> has_blob(std::string_view repository, const Digest& digest) const;
  Result<std::vector<std::string>> repositories_of(const Digest& blob) const;
  Result<bool> unlink_blob(std::string_view repository, const Digest& digest);

  // sha512 names of blobs; the store knows sha256 only.
  Result<> alias(const Digest& digest, const Digest& stored);
  Result<std::optional<Digest>> stored(const Digest& digest) const;

  // Bytes that are about to come: garbage, unless a name follows.
  Result<> expect(const Digest& stored);
  // Errors: not_found (a blob is not linked or not there any more), conflict (nor are the manifest's own bytes), denied
  // (an immutable tag).
  Result<> put(std::string_view repository, const ManifestRow& row, const std::vector<std::string>& tags,
               const PutTerms& terms);
  Result<std::optional<ManifestRow>> manifest(std::string_view repository, std::string_view reference) const;
  // False: no such manifest. Errors: denied (it is immutable and says something else).
  Result<bool> tag(std::string_view repository, std::string_view tag, const Digest& digest, bool immutable);
  Result<bool> remove_tag(std::string_view repository, std::string_view tag);
  Result<bool> remove_manifest(std::string_view repository, const Digest& digest);
  Result<std::vector<std::string>> tags_of(std::string_view repository, const Digest& digest) const;

  Result<std::vector<std::string>> repositories(const Page& page) const;
  // Nothing: the repository is unknown.
  Result<std::optional<std::vector<std::string>>> tags(std::string_view repository, const Page& page) const;
  Result<std::vector<std::string>> referrers(std::string_view repository, const Digest& subject,
                                             std::string_view artifact_type) const;
  Result<std::vector<Digest>> reachable() const;
  // The manifests of the repository (their bytes in the store) that name the blob.
  Result<std::vector<Digest>> naming(std::string_view repository, const Digest& blob) const;

  Result<std::vector<TagRow>> tag_rows(std::string_view repository) const;
  Result<std::vector<HeldRow>> held_rows(std::string_view repository) const;
  Result<> note_pulls(const std::map<Pull, std::int64_t>& pulls);

  struct Usage {
    std::uint64_t bytes = 0;
    std::vector<Digest> unknown;  // links from before sizes were kept
  };
  Result<Usage> usage(std::string_view repository) const;
  Result<> set_size(const Digest& blob, std::uint64_t size);

  // When the tag of another registry's image was last compared with it.
  Result<std::optional<std::int64_t>> checked(std::string_view repository, std::string_view tag) const;
  Result<> set_checked(std::string_view repository, std::string_view tag, std::int64_t when);

  // Links from before `before` that no manifest of their repository holds go; their bytes are garbage from `now` on.
  Result<std::size_t> drop_dead_links(const Ctx& ctx, std::int64_t before, std::int64_t now);
  struct Garbage {
    Digest stored;
    std::int64_t since = 0;
  };
  Result<std::vector<Garbage>> garbage() const;
  // For each that nothing reaches: `remove`, which says whether its row may go. One that something reaches is garbage
  // no more. In one transaction: nobody can link it meanwhile.
  Result<> drop_garbage(std::span<const Garbage> some, const std::function<Result<bool>(const Digest&)>& remove);
  // Runs `work` and takes back whatever it wrote.
  Result<> as_if(const std::function<Result<>()>& work);

 private:
  Result<bool> is_put(std::string_view repository, const Digest& digest, const std::vector<std::string>& tags) const;
  explicit Catalogue(std::unique_ptr<store::Database> db) : db_(std::move(db)) {}
  std::unique_ptr<store::Database> db_;
};

}  // namespace slipway::oci::detail
