#pragma once
// The body of the request in work. Private to net.
#include "net/detail/conn.h"

namespace slipway::net {

// Threads: the handler's.
class RequestBody final : public BodyReader {
 public:
  RequestBody(Core& core, Conn& conn, const RequestHead& head);
  Result<std::size_t> read(const Ctx& ctx, std::span<char> buffer) override;

  // What is left is known to be small, and on its way.
  bool drainable(std::size_t limit) const;
  bool drain(const Ctx& ctx, std::size_t limit);
  std::optional<std::uint64_t> length() const;
  bool over_limit() const { return over_limit_; }
  void set_over_limit() { over_limit_ = true; }

 private:
  Result<std::size_t> fill(const Ctx& ctx, std::span<char> buffer);
  Result<std::size_t> read_chunked(const Ctx& ctx, std::span<char> buffer);
  Result<> ask_for_it(const Ctx& ctx);
  Result<> keep_pace();
  void end();

  Core& core_;
  Conn& conn_;
  const Framing framing_;
  std::uint64_t left_ = 0, taken_ = 0;
  ChunkReader chunks_;
  Clock::time_point start_ = real_clock().now();
  bool expects_ = false, done_ = false, broken_ = false, over_limit_ = false;
};

}  // namespace slipway::net
