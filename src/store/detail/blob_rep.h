#pragma once
// The inside of BlobStore: what putting one blob and putting many share.
#include <atomic>
#include <mutex>

#include "store/blob.h"

namespace slipway::store {

inline constexpr std::size_t blob_buffer_size = 256 << 10;
inline constexpr std::uint64_t begun_at_once = 16 << 20;

// A whole blob in tmp. Its file goes with the value, unless it was given its name.
struct Unplaced {
  Fd fd;
  fs::path file;
  Digest digest;

  Unplaced(Fd f, fs::path path, Digest d) : fd(std::move(f)), file(std::move(path)), digest(std::move(d)) {}
  Unplaced(Unplaced&&) noexcept = default;
  Unplaced& operator=(Unplaced&&) noexcept = default;
  ~Unplaced();
};

struct BlobStore::Rep {
  fs::path root, tmp;
  // Held while this process may write; another process then leaves our tmp files alone.
  std::optional<FileLock> lock;
  // Orders "is it there already? then make it young" against "is it old? then remove it".
  std::mutex presence;
  std::atomic<std::uint64_t> next = 0;
  std::string stem = random_hex(8);
  BlobOrigin* origin = nullptr;

  // What is here is there: a blob that could not be given is not here either.
  Result<> give(const Digest& digest);
  fs::path path(const Digest& digest) const {
    std::string hex(digest.hex());
    return root / digest.algorithm() / hex.substr(0, 2) / hex;
  }
  fs::path fresh() { return tmp / fmt::format("{}-{}", stem, next++); }
  // True when the blob is there; it then counts as new for sweep().
  bool renew(const Digest& digest);
  // Bytes are on disk before the name is, and the name before this returns: a reader, also after power loss, sees all
  // of a blob or nothing.
  Result<> place(std::vector<Unplaced> blobs);
  Result<> place_one(Unplaced blob);
};

struct BlobStore::Writer::Rep {
  BlobStore::Rep* store;
  fs::path file;
  Fd fd;
  Hasher hasher;
  std::string buffer;
  std::uint64_t size = 0, begun = 0;  // given; on their way to the disk
  bool fetched = false;               // from the origin

  ~Rep();
  Result<> flush();
  void begin_writing();
};

}  // namespace slipway::store
