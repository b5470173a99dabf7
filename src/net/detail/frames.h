#pragma once
// WebSocket frames as bytes. Rule: RFC 6455 section 5. Private to net.
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::net {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
inline bool is_control(Opcode opcode) { return static_cast<int>(opcode) >= 8; }

struct FrameHead {
  Opcode opcode = Opcode::text;
  bool final = true, masked = false;
  char mask[4] = {};
  std::uint64_t length = 0;
  std::size_t size = 0;  // of the head itself
};
// Nothing: more bytes are needed. Errors: invalid (reserved bits, opcode, control frames over 125 bytes or split).
Result<std::optional<FrameHead>> parse_frame_head(std::string_view bytes);
// From a server: never masked.
std::string frame_head(Opcode opcode, std::uint64_t length);
void unmask(const char (&mask)[4], std::uint64_t offset, char* bytes, std::size_t size);
bool is_utf8(std::string_view text);

}  // namespace slipway::net
