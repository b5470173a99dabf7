#pragma once
// The content-addressed store: every layer, artifact, cache entry, log and SBOM, by sha256.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "base/hash.h"

namespace slipway::store {

// Where a store gets what it does not hold, and gives what is put into it: one beyond the network. Digests are checked
// by the store. Threads: any.
class BlobOrigin {
 public:
  using Sink = std::function<Result<>(std::string_view)>;
  virtual ~BlobOrigin() = default;
  // Nothing: not there either.
  virtual Result<std::optional<std::uint64_t>> size(const Digest& digest) = 0;
  // Errors: not_found; of the sink.
  virtual Result<> fetch(const Digest& digest, const Sink& sink) = 0;
  virtual Result<> give(const Digest& digest, const fs::path& file) = 0;
};

// blobs/sha256/ab/abcdef... (read-only files) and blobs/tmp for what is being written. A blob is visible only
// whole and synced. Threads: any; processes: one writer.
class BlobStore {
 public:
  // Creates the folders; drops what a crash left in tmp. Errors: denied, unavailable (disk full).
  static Result<std::unique_ptr<BlobStore>> open(fs::path root);
  // From now on this one keeps copies of what is there: a blob is taken from there when it is first asked for, and what
  // is put is there as well before the call returns. It must outlive the store.
  void set_origin(BlobOrigin* origin);
  ~BlobStore();

  bool contains(const Digest& digest) const;
  Result<std::optional<std::uint64_t>> size(const Digest& digest) const;
  // Errors: not_found.
  Result<Fd> open_blob(const Digest& digest) const;
  Result<std::string> read(const Digest& digest, std::size_t limit = std::size_t{64} << 20) const;
  fs::path path(const Digest& digest) const;  // for mounts and hard links; never write there

  Result<Digest> put(std::string_view bytes);
  // Takes over a finished file (rename, no copy) whose digest the caller has computed while writing it.
  Result<> adopt(const fs::path& file, const Digest& digest);
  fs::path temp_path();  // a fresh name in tmp, on the same file system

  // Streaming write; nothing is visible until commit. Dropping the value drops the bytes.
  class Writer {
   public:
    Writer(Writer&&) noexcept;
    Writer& operator=(Writer&&) noexcept;
    ~Writer();
    Result<> write(std::string_view bytes);
    std::uint64_t size() const;
    // Errors: invalid when the bytes have another digest than expected ("" accepts any).
    Result<Digest> commit(const std::optional<Digest>& expected = {});

   private:
    friend class BlobStore;
    struct Rep;
    explicit Writer(std::unique_ptr<Rep> rep);
    std::unique_ptr<Rep> rep_;
  };
  Result<Writer> begin();  // Writer::commit gives to the origin too

  // Blobs that are made one after the other and wanted at one time: the disk is waited for once, for all. None of them
  // is visible before that. Threads: any.
  class Batch {
   public:
    explicit Batch(BlobStore& store);
    ~Batch();  // drops what was not committed
    Batch(const Batch&) = delete;
    BlobStore& store() const;
    Result<Digest> add(Writer writer);
    Result<Digest> put(std::string_view bytes);
    bool holds(const Digest& digest) const;  // added, and not visible yet
    // What was added before the call is visible after it, whoever added it. An error: none of it is, or only some.
    Result<> commit();

   private:
    struct Rep;
    std::unique_ptr<Rep> rep_;
  };

  Result<> remove(const Digest& digest);
  // Removes it if it is older than `grace` and gives its bytes, 0 when it is not there. Nothing: it is young.
  enum class Really { yes, only_look };
  Result<std::optional<std::uint64_t>> remove_old(const Ctx& ctx, const Digest& digest, Millis grace,
                                                  Really really = Really::yes);
  // Removes every blob that `keep` refuses and that is older than `grace` (so a push in progress is safe).
  struct Swept {
    std::size_t removed = 0;
    std::uint64_t bytes = 0;
  };
  Result<Swept> sweep(const Ctx& ctx, const std::function<bool(const Digest&)>& keep, Millis grace);
  Result<> for_each(const std::function<void(const Digest&, std::uint64_t size)>& visit) const;

 private:
  struct Rep;
  static Result<Writer> begin_at(Rep& rep, bool fetched);
  Result<> bring(const Digest& digest) const;
  explicit BlobStore(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::store
