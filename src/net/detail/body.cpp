#include "net/detail/body.h"

#include <sys/epoll.h>

#include "base/text.h"

namespace slipway::net {
namespace {

// A body may be slow, but not for the sake of being slow: after the first minute it must average this.
constexpr std::uint64_t bytes_per_second = 100;
constexpr std::chrono::seconds free_time{60};

}  // namespace

RequestBody::RequestBody(Core& core, Conn& conn, const RequestHead& head)
    : core_(core), conn_(conn), framing_(head.framing), left_(head.framing.length) {
  auto expect = head.headers.get("Expect");
  expects_ = expect && head.minor == 1 && iequals(*expect, "100-continue");
  if (framing_.kind == Framing::Kind::none || (framing_.kind == Framing::Kind::length && left_ == 0)) end();
}

void RequestBody::end() {
  done_ = true;
  expects_ = false;
  // From here on the peer has nothing to say: that it goes away is the only news.
  core_.arm(conn_, EPOLLRDHUP);
}

std::optional<std::uint64_t> RequestBody::length() const {
  if (framing_.kind == Framing::Kind::chunked) return std::nullopt;
  return framing_.length;
}

Result<> RequestBody::ask_for_it(const Ctx& ctx) {
  if (!std::exchange(expects_, false) || !conn_.in.empty()) return {};
  return conn_.transport.write_all(ctx, "HTTP/1.1 100 Continue\r\n\r\n", core_.options().transfer_timeout);
}

Result<> RequestBody::keep_pace() {
  auto spent = real_clock().now() - start_;
  if (spent < free_time) return {};
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(spent - free_time).count();
  if (taken_ >= static_cast<std::uint64_t>(seconds) * bytes_per_second) return {};
  return fail(Kind::timeout, "body: fewer than {} bytes a second", bytes_per_second);
}

// Raw bytes, first those that came with the head.
Result<std::size_t> RequestBody::fill(const Ctx& ctx, std::span<char> buffer) {
  if (!conn_.in.empty()) {
    auto take = std::min(buffer.size(), conn_.in.size());
    std::memcpy(buffer.data(), conn_.in.data(), take);
    conn_.in.erase(0, take);
    return take;
  }
  TRY_OK(keep_pace());
  TRY(auto got, conn_.transport.read_some(ctx, buffer, core_.options().transfer_timeout));
  if (got == 0) return fail(Kind::unavailable, "body: the peer went away in the middle");
  return got;
}

// Decoded where it lies: what comes goes into the caller's buffer, and its payload is moved together there.
Result<std::size_t> RequestBody::read_chunked(const Ctx& ctx, std::span<char> buffer) {
  for (;;) {
    TRY(auto got, fill(ctx, buffer));
    std::string_view raw(buffer.data(), got);
    std::size_t size = 0;
    while (!raw.empty() && !chunks_.done()) {
      TRY(auto piece, chunks_.next(raw));
      if (!piece.payload.empty()) std::memmove(buffer.data() + size, piece.payload.data(), piece.payload.size());
      size += piece.payload.size();
      raw.remove_prefix(piece.consumed);
    }
    conn_.in.insert(0, raw);  // of the next request
    if (chunks_.done()) end();
    if (size > 0 || chunks_.done()) return size;
  }
}

Result<std::size_t> RequestBody::read(const Ctx& ctx, std::span<char> buffer) {
  if (broken_) return fail(Kind::unavailable, "body: broken before");
  if (done_ || buffer.empty()) return std::size_t{0};
  auto result = [&]() -> Result<std::size_t> {
    TRY_OK(ask_for_it(ctx));
    if (framing_.kind == Framing::Kind::chunked) return read_chunked(ctx, buffer);
    TRY(auto got, fill(ctx, buffer.first(std::min<std::uint64_t>(buffer.size(), left_))));
    left_ -= got;
    if (left_ == 0) end();
    return got;
  }();
  if (result)
    taken_ += *result;
  else
    broken_ = true;
  return result;
}

bool RequestBody::drainable(std::size_t limit) const {
  if (done_) return true;
  if (broken_ || expects_) return false;
  return framing_.kind == Framing::Kind::chunked || left_ <= limit;
}

bool RequestBody::drain(const Ctx& ctx, std::size_t limit) {
  if (done_) return true;
  if (!drainable(limit)) return false;
  std::array<char, 16384> buffer;
  Ctx bounded = ctx.within(Millis(2000));
  std::size_t total = 0;
  while (!done_) {
    auto got = read(bounded, buffer);
    if (!got) return false;
    total += *got;
    if (total > limit) return false;
  }
  return true;
}

Result<std::string> Request::read_body(const Ctx& ctx, std::size_t limit) {
  auto* ours = dynamic_cast<RequestBody*>(body);
  auto too_large = [&] {
    if (ours != nullptr) ours->set_over_limit();
    return fail(Kind::invalid, "request body: more than {} bytes", limit);
  };
  std::string text;
  if (ours != nullptr && ours->length()) {
    if (*ours->length() > limit) return too_large();
    text.reserve(std::min<std::uint64_t>(*ours->length(), 1 << 20));
  }
  std::array<char, 16384> buffer;
  for (;;) {
    TRY(auto got, body->read(ctx, buffer));
    if (got == 0) return text;
    if (text.size() + got > limit) return too_large();
    text.append(buffer.data(), got);
  }
}

}  // namespace slipway::net
