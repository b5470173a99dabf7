#include "oci/detail/block_gzip.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <memory>

namespace slipway::oci::detail {

namespace {

// What compressing needs, on the heap of a thread that does: as a thread's own variable it would be 80 KB of each
// thread of the program, zeroed when it starts.
struct Deflater {
  static constexpr std::size_t room_size = BlockGzip::block_size + BlockGzip::block_size / 8 + 4096;
  isal_zstream stream;
  std::unique_ptr<std::uint8_t[]> level = std::make_unique<std::uint8_t[]>(ISAL_DEF_LVL1_DEFAULT);
  // For a block that does not get smaller: the result is copied out at its size.
  std::unique_ptr<std::uint8_t[]> room = std::make_unique_for_overwrite<std::uint8_t[]>(room_size);
};

// One block as raw deflate that ends at a byte, so that others can follow.
Result<std::string> deflate(std::string_view block) {
  static thread_local std::unique_ptr<Deflater> own;
  if (!own) own = std::make_unique<Deflater>();
  auto& stream = own->stream;
  isal_deflate_init(&stream);
  stream.level = 1;
  stream.level_buf = own->level.get();
  stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  stream.flush = FULL_FLUSH;
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(block.data()));
  stream.avail_in = static_cast<std::uint32_t>(block.size());
  std::string out;
  do {
    stream.next_out = own->room.get();
    stream.avail_out = Deflater::room_size;
    if (int rc = isal_deflate(&stream); rc != COMP_OK) return fail(Kind::internal, "isal_deflate: code {}", rc);
    out.append(reinterpret_cast<const char*>(own->room.get()), Deflater::room_size - stream.avail_out);
  } while (stream.avail_out == 0 || stream.avail_in > 0);
  return out;
}

std::string little_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

}  // namespace

BlockGzip::BlockGzip(Sink sink) : sink_(std::move(sink)) {}

BlockGzip::~BlockGzip() {
  stop_.request_stop();
  state_.lock()->closed = true;
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

Result<> BlockGzip::header() {
  if (std::exchange(begun_, true)) return {};
  return sink_(std::string_view("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10));  // no name, no time, no system
}

Result<> BlockGzip::write(std::string block) {
  crc_ = crc32_gzip_refl(crc_, reinterpret_cast<unsigned char*>(block.data()), block.size());
  size_ += static_cast<std::uint32_t>(block.size());
  if (blocks_++ == 0) {
    first_ = std::move(block);
    return {};
  }
  if (threads_.empty()) {
    TRY_OK(header());
    state_.lock()->todo.emplace_back(0, std::move(*first_));
    auto cores = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
    for (unsigned n = 0; n < cores; ++n) threads_.emplace_back([this] { work(); });
  }
  auto state = state_.lock();
  auto room = threads_.size() * 3;
  TRY_OK(state.wait(ctx_, wake_, [&] { return state->todo.size() + state->done.size() < room || state->error; }));
  if (state->error) return Fail(*state->error);
  state->todo.emplace_back(blocks_ - 1, std::move(block));
  wake_.notify_all();
  return {};
}

void BlockGzip::work() {
  for (;;) {
    std::pair<std::size_t, std::string> job;
    {
      auto state = state_.lock();
      if (!state.wait(ctx_, wake_, [&] { return !state->todo.empty() || state->closed || state->error; })) return;
      if (state->todo.empty() || state->error) return;
      job = std::move(state->todo.front());
      state->todo.pop_front();
    }
    wake_.notify_all();
    auto bytes = deflate(job.second);
    if (!bytes) {
      state_.lock()->error = std::move(bytes).error();
      wake_.notify_all();
      return;
    }
    put(job.first, *std::move(bytes));
  }
}

// Whoever finishes the block that is next writes it, and all that wait behind it.
void BlockGzip::put(std::size_t number, std::string bytes) {
  {
    auto state = state_.lock();
    state->done.emplace(number, std::move(bytes));
    if (state->writing) return;
    state->writing = true;
  }
  for (;;) {
    std::string next;
    {
      auto state = state_.lock();
      auto it = state->done.find(state->next_out);
      if (it == state->done.end() || state->error) {
        state->writing = false;
        break;
      }
      next = std::move(it->second);
      state->done.erase(it);
      ++state->next_out;
    }
    if (auto written = sink_(next); !written) state_.lock()->error = std::move(written).error();
    wake_.notify_all();
  }
  wake_.notify_all();
}

Result<> BlockGzip::finish() {
  if (threads_.empty()) {
    TRY_OK(header());
    if (first_) {
      TRY(auto bytes, deflate(*first_));
      TRY_OK(sink_(bytes));
    }
  } else {
    auto state = state_.lock();
    TRY_OK(state.wait(ctx_, wake_, [&] { return (state->next_out == blocks_ && !state->writing) || state->error; }));
    if (state->error) return Fail(*state->error);
  }
  // An empty last block, then the check sum and the size.
  return sink_(std::string("\x03\x00", 2) + little_endian(crc_) + little_endian(size_));
}

}  // namespace slipway::oci::detail
