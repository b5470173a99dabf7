#pragma once
// git's framing: four hex digits of length (themselves counted), then the bytes. Rule: gitprotocol-common(5).
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::git {

// Bytes as they come; 0 is the end.
using ByteSource = std::function<Result<std::size_t>(std::span<char>)>;

inline constexpr std::size_t pkt_limit = 65520;  // a whole packet
inline constexpr std::string_view flush_pkt = "0000";

struct Pkt {
  enum class Type { data, flush, delim, response_end, end };  // end: the stream is over between packets
  Type type = Type::end;
  std::string text;
  // Without the newline that text lines may end in.
  std::string_view line() const;
};

// Reads packets, then hands over what follows them as it is.
class PktReader {
 public:
  explicit PktReader(ByteSource source) : source_(std::move(source)) {}
  // Errors: invalid (bad length, stream cut within a packet), those of the source.
  Result<Pkt> next();
  // The bytes behind the packets.
  Result<std::size_t> read_raw(std::span<char> buffer);

 private:
  Result<bool> fill(std::size_t want);  // false: the end came before
  ByteSource source_;
  std::string buffer_;
  std::size_t at_ = 0;
};

std::string pkt(std::string_view text);
// Cut into packets of a side-band: 1 data, 2 words for the person, 3 the last words.
std::string side_band(int band, std::string_view text);

// Undoes Content-Encoding: gzip (and deflate) as bytes come. Errors: invalid on broken data or over the limit.
ByteSource gunzip(ByteSource source, std::uint64_t limit);

}  // namespace slipway::git
