#include "git/detail/pktline.h"

#include <zlib.h>

#include <memory>

namespace slipway::git {

std::string_view Pkt::line() const {
  std::string_view view = text;
  if (view.ends_with('\n')) view.remove_suffix(1);
  return view;
}

Result<bool> PktReader::fill(std::size_t want) {
  while (buffer_.size() - at_ < want) {
    if (at_ > 0) {
      buffer_.erase(0, at_);
      at_ = 0;
    }
    char piece[16384];
    TRY(auto n, source_(piece));
    if (n == 0) return false;
    buffer_.append(piece, n);
  }
  return true;
}

Result<Pkt> PktReader::next() {
  TRY(auto whole, fill(4));
  if (!whole) {
    if (buffer_.size() == at_) return Pkt{};
    return fail(Kind::invalid, "pkt-line: the stream ends within a length");
  }
  std::size_t length = 0;
  for (char c : std::string_view(buffer_).substr(at_, 4)) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0)
      return fail(Kind::invalid, "pkt-line: byte 0x{:02x} in a length, want hex digits", static_cast<unsigned char>(c));
    length = length * 16 + static_cast<std::size_t>(digit);
  }
  at_ += 4;
  switch (length) {
    case 0:
      return Pkt{Pkt::Type::flush, {}};
    case 1:
      return Pkt{Pkt::Type::delim, {}};
    case 2:
      return Pkt{Pkt::Type::response_end, {}};
    default:
      break;
  }
  if (length < 4 || length > pkt_limit)
    return fail(Kind::invalid, "pkt-line: length {}, want 4 to {}", length, pkt_limit);
  TRY(auto rest, fill(length - 4));
  if (!rest) return fail(Kind::invalid, "pkt-line: the stream ends within a packet of {} bytes", length);
  Pkt packet{Pkt::Type::data, buffer_.substr(at_, length - 4)};
  at_ += length - 4;
  return packet;
}

Result<std::size_t> PktReader::read_raw(std::span<char> out) {
  if (at_ < buffer_.size()) {
    auto n = std::min(out.size(), buffer_.size() - at_);
    std::copy_n(buffer_.data() + at_, n, out.data());
    at_ += n;
    return n;
  }
  return source_(out);
}

std::string pkt(std::string_view text) { return fmt::format("{:04x}{}", text.size() + 4, text); }

std::string side_band(int band, std::string_view text) {
  std::string packets;
  constexpr std::size_t piece = pkt_limit - 5;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    auto part = text.substr(at, piece);
    packets += fmt::format("{:04x}{}", part.size() + 5, static_cast<char>(band));
    packets += part;
  }
  return packets;
}

namespace {
struct Inflater {
  z_stream stream{};
  char input[16384];
  bool done = false;
  std::uint64_t produced = 0;
  Inflater() { inflateInit2(&stream, 15 + 32); }  // gzip or zlib, told by the head
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};
}  // namespace

ByteSource gunzip(ByteSource source, std::uint64_t limit) {
  auto state = std::make_shared<Inflater>();
  return [state, source = std::move(source), limit](std::span<char> out) -> Result<std::size_t> {
    auto& z = state->stream;
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    while (!state->done && z.avail_out == out.size() && !out.empty()) {
      if (z.avail_in == 0) {
        TRY(auto n, source(state->input));
        if (n == 0) return fail(Kind::invalid, "gzip body: ends early");
        z.next_in = reinterpret_cast<Bytef*>(state->input);
        z.avail_in = static_cast<uInt>(n);
      }
      int rc = inflate(&z, Z_NO_FLUSH);
      if (rc == Z_STREAM_END)
        state->done = true;
      else if (rc != Z_OK)
        return fail(Kind::invalid, "gzip body: {}", z.msg != nullptr ? z.msg : "broken");
    }
    auto n = out.size() - z.avail_out;
    state->produced += n;
    if (state->produced > limit) return fail(Kind::invalid, "gzip body: more than {} bytes unpacked", limit);
    return n;
  };
}

}  // namespace slipway::git
