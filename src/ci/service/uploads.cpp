#include "ci/service/uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "ci/service/wire.h"

namespace slipway::ci {
namespace {

constexpr std::size_t piece = 256 << 10;

template <class Take>
Result<std::uint64_t> pour(const Ctx& ctx, net::BodyReader& body, Take take) {
  std::vector<char> buffer(piece);
  std::uint64_t total = 0;
  for (;;) {
    TRY(auto n, body.read(ctx, buffer));
    if (n == 0) return total;
    total += n;
    TRY_OK(take(std::string_view(buffer.data(), n)));
  }
}

}  // namespace

Upload::Block::~Block() {
  if (!path.empty()) ::unlink(path.c_str());
}

Result<> Upload::reserve(std::uint64_t bytes) {
  auto state = state_.lock();
  if (state->bytes + bytes > limit_)
    return fail(Kind::invalid, "upload: more than {}: what is kept may not be larger", human_bytes(limit_));
  state->bytes += bytes;
  return {};
}

Result<> Upload::finish(store::BlobStore::Writer writer) {
  auto bytes = writer.size();
  TRY(auto digest, writer.commit());
  state_.lock()->done = StoredBlob{std::move(digest), bytes};
  return {};
}

Result<> Upload::put(const Ctx& ctx, net::BodyReader& body) {
  TRY(auto writer, blobs_.begin());
  TRY(auto total, pour(ctx, body, [&](std::string_view bytes) -> Result<> {
        if (writer.size() + bytes.size() > limit_)
          return fail(Kind::invalid, "upload: more than {}: what is kept may not be larger", human_bytes(limit_));
        return writer.write(bytes);
      }));
  (void)total;
  return finish(std::move(writer));
}

Result<> Upload::put_block(const Ctx& ctx, const std::string& id, net::BodyReader& body) {
  if (!is_block_id(id)) return fail(Kind::invalid, "block id: want base64 of at most 64 bytes");
  return put_piece(ctx, id, body, {});
}

// Named so that their order is that of the bytes.
Result<> Upload::put_range(const Ctx& ctx, const ByteRange& range, net::BodyReader& body) {
  return put_piece(ctx, fmt::format("{:020}", range.offset), body, range.length);
}

Result<> Upload::commit_ranges(const Ctx& ctx, std::uint64_t size) {
  std::vector<std::string> names;
  std::uint64_t at = 0;
  {
    auto state = state_.lock();
    for (auto& [name, block] : state->blocks) {
      if (name != fmt::format("{:020}", at))
        return fail(Kind::invalid, "upload: byte {} is missing, or was sent twice", at);
      names.push_back(name), at += block->bytes;
    }
  }
  if (at != size) return fail(Kind::invalid, "upload: {} bytes were uploaded, {} are said", at, size);
  return commit(ctx, names);
}

Result<> Upload::put_piece(const Ctx& ctx, const std::string& id, net::BodyReader& body,
                           std::optional<std::uint64_t> length) {
  {
    auto state = state_.lock();
    if (state->blocks.size() >= max_blocks && !state->blocks.contains(id))
      return fail(Kind::invalid, "upload: more than {} blocks", max_blocks);
  }
  auto block = std::make_shared<Block>();
  block->path = blobs_.temp_path();
  Fd file(::open(block->path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, block->path.native());
  auto written = pour(ctx, body, [&](std::string_view bytes) -> Result<> {
    TRY_OK(reserve(bytes.size()));
    block->bytes += bytes.size();
    return write_all(file.get(), bytes);
  });
  if (written && length && *length != block->bytes)
    written = fail(Kind::invalid, "Content-Range: says {} bytes, {} came", *length, block->bytes);
  auto state = state_.lock();
  if (!written) {
    state->bytes -= block->bytes;
    return Fail(std::move(written).error());
  }
  auto& place = state->blocks[id];
  if (place) state->bytes -= place->bytes;
  place = std::move(block);
  return {};
}

Result<> Upload::commit(const Ctx& ctx, const std::vector<std::string>& ids) {
  std::vector<std::shared_ptr<Block>> blocks;
  {
    auto state = state_.lock();
    std::uint64_t total = 0;  // one block may stand in the list many times
    for (auto& id : ids) {
      auto found = state->blocks.find(id);
      if (found == state->blocks.end()) return fail(Kind::invalid, "block list: {} has not been uploaded", id);
      total += found->second->bytes;
      if (total > limit_)
        return fail(Kind::invalid, "upload: more than {}: what is kept may not be larger", human_bytes(limit_));
      blocks.push_back(found->second);
    }
  }
  TRY(auto writer, blobs_.begin());
  std::vector<char> buffer(std::size_t{1} << 20);
  for (auto& block : blocks) {
    Fd file(::open(block->path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(errno, block->path.native());
    for (;;) {
      TRY_OK(ctx.alive());
      auto n = ::read(file.get(), buffer.data(), buffer.size());
      if (n < 0) return fail_errno(errno, block->path.native());
      if (n == 0) break;
      TRY_OK(writer.write({buffer.data(), static_cast<std::size_t>(n)}));
    }
  }
  TRY_OK(finish(std::move(writer)));
  auto state = state_.lock();
  state->blocks.clear();
  state->bytes = 0;
  return {};
}

}  // namespace slipway::ci
