#pragma once
// Layers: tar streams with whiteouts, to and from folders.
#include <memory>
#include <optional>
#include <string>

#include "base/ctx.h"
#include "oci/image.h"
#include "store/blob.h"

namespace slipway::oci {

enum class Compression { none, gzip, zstd };
std::string_view layer_media_type(Compression compression);
struct Layer {
  Descriptor descriptor;  // compressed
  Digest diff_id;         // uncompressed
};
struct UnpackLimits {
  std::uint64_t bytes = std::uint64_t{32} << 30;
  // A layer of more than `free_growth` bytes may be `growth` times as large as its blob: 10 GB of zeros fit into 10 MB.
  std::uint64_t growth = 200, free_growth = std::uint64_t{1} << 30;
  std::uint64_t entries = 2'000'000;
};
enum class Whiteouts {
  overlay,  // as overlayfs wants them: character device 0:0 and trusted.overlay.opaque (user.overlay.opaque rootless)
  apply     // remove what they name from the folder
};
// Unpacks one layer into a folder. Hostile input is contained: no entry leaves the folder through "..", absolute
// names or links; devices only as whiteouts; the diff id is verified. Errors: invalid, corrupt, unavailable.
Result<> unpack_layer(const Ctx& ctx, const store::BlobStore& blobs, const Descriptor& layer,
                      const std::optional<Digest>& diff_id, const fs::path& folder, Whiteouts whiteouts,
                      const UnpackLimits& limits = {});
// An archive as a Dockerfile's ADD takes it: tar, plain or compressed by gzip, bzip2, xz or zstd. Contained like a
// layer, but names starting with ".wh." are ordinary files and the folder may hold other things already.
// `uid`/`gid`: owner of every entry instead of the archive's.
struct ArchiveOptions {
  std::optional<std::uint32_t> uid, gid;
  UnpackLimits limits;
};
Result<> unpack_archive(const Ctx& ctx, const fs::path& archive, const fs::path& folder,
                        const ArchiveOptions& options = {});
// The latest time of its entries, seconds since 1970. Nothing: it has none. Errors: corrupt.
Result<std::optional<std::int64_t>> newest_entry(const Ctx& ctx, const fs::path& archive);
// Whether the file's first bytes are those of such an archive.
Result<bool> is_archive(const fs::path& file);

// A folder of unpacked layers for overlay mounts, one per diff id, kept under `root`; unpacked at most once, also
// with several threads. A kill leaves no half folder (unpacked aside, then renamed). Their files are not synced one by
// one: after a power loss, when renames may be on disk without them, what no ending has synced is unpacked anew.
// Threads: any.
class LayerCache {
 public:
  // What the end of the value waits for: that all folders are on disk, or only those that no blob could bring back.
  enum class Ending { all_synced, quick };
  static Result<std::unique_ptr<LayerCache>> open(store::BlobStore& blobs, fs::path root,
                                                  Ending ending = Ending::all_synced);
  ~LayerCache();
  // Gives the folder of the layer.
  Result<fs::path> folder(const Ctx& ctx, const Descriptor& layer, const Digest& diff_id);
  std::optional<fs::path> find(const Digest& diff_id) const;  // without unpacking
  // Takes over a folder that was just built (an overlay upper directory) as the given layer.
  enum class Source { blob, none };  // whether it could be unpacked again
  Result<fs::path> adopt(const fs::path& folder, const Digest& diff_id, Source source);
  Result<> remove(const Digest& diff_id);

 private:
  struct Rep;
  explicit LayerCache(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};
// Packs an overlay upper directory (its whiteouts become .wh. entries) into the store, hashed and compressed once.
// Deterministic: names sorted, times as given, no access times. `mtime` absent keeps the files' own.
struct PackOptions {
  Compression compression = Compression::gzip;
  std::optional<std::int64_t> mtime;  // clamp: times later than this become this (SOURCE_DATE_EPOCH)
  // The layers under the upper folder: whiteouts and opaque marks that hide nothing of them are left out (overlayfs
  // marks every folder made within a merged one).
  std::vector<fs::path> below;
};
Result<Layer> pack_layer(const Ctx& ctx, store::BlobStore& blobs, const fs::path& folder,
                         const PackOptions& options = {});
// The layer's blob is visible once the batch is committed.
Result<Layer> pack_layer(const Ctx& ctx, store::BlobStore::Batch& into, const fs::path& folder,
                         const PackOptions& options = {});
// Only the diff id pack_layer would give: for layers of stages that are not part of the image.
Result<Digest> diff_id_of(const Ctx& ctx, const fs::path& folder, const PackOptions& options = {});

}  // namespace slipway::oci
