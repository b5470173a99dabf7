#pragma once
// Block blobs while they are written, as Azure's client does: whole, or in blocks and a list of them.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "ci/service/wire.h"
#include "net/server.h"
#include "store/blob.h"

namespace slipway::ci {

struct StoredBlob {
  Digest digest;
  std::uint64_t bytes = 0;
};

// Bytes go from the peer to files; nothing is held in memory. Threads: any. Dropped with its blocks.
class Upload {
 public:
  // type: of what is uploaded, when its kind says one.
  Upload(store::BlobStore& blobs, std::uint64_t limit, std::string type = {})
      : blobs_(blobs), limit_(limit), type_(std::move(type)) {}
  const std::string& type() const { return type_; }
  // Errors: invalid (more than the limit, a block that is not here), unavailable.
  Result<> put(const Ctx& ctx, net::BodyReader& body);
  Result<> put_block(const Ctx& ctx, const std::string& id, net::BodyReader& body);
  Result<> commit(const Ctx& ctx, const std::vector<std::string>& ids);
  // The same by ranges, as the first protocol of caches has it: they must follow each other without a gap.
  Result<> put_range(const Ctx& ctx, const ByteRange& range, net::BodyReader& body);
  Result<> commit_ranges(const Ctx& ctx, std::uint64_t size);
  std::optional<StoredBlob> done() const { return state_.lock()->done; }

 private:
  struct Block {  // a file of its own, removed with the value
    fs::path path;
    std::uint64_t bytes = 0;
    ~Block();
  };
  struct State {
    std::map<std::string, std::shared_ptr<Block>> blocks;
    std::uint64_t bytes = 0;  // of blocks, also of those being written
    std::optional<StoredBlob> done;
  };
  Result<> reserve(std::uint64_t bytes);
  Result<> put_piece(const Ctx& ctx, const std::string& name, net::BodyReader& body,
                     std::optional<std::uint64_t> length);
  Result<> finish(store::BlobStore::Writer writer);
  store::BlobStore& blobs_;
  std::uint64_t limit_;
  const std::string type_;
  Guarded<State> state_;
};

}  // namespace slipway::ci
