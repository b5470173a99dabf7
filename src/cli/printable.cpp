#include "cli/printable.h"

#include <fmt/format.h>

namespace slipway::cli {
namespace {

// Length of a colour: ESC [ digits and semicolons m.
std::size_t colour_at(std::string_view text) {
  if (!text.starts_with("\033[")) return 0;
  auto end = text.find_first_not_of("0123456789;", 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

std::string printable(std::string_view text, Lines lines) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (auto colour = colour_at(text.substr(i)); colour > 0) {
      out += text.substr(i, colour);
      i += colour;
      continue;
    }
    bool breaks = lines == Lines::many && (byte == '\n' || byte == '\t');
    auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // C1
      out += fmt::format("\\u{:04x}", next);
      i += 2;
      continue;
    }
    if ((byte < 0x20 && !breaks) || byte == 0x7F)
      out += fmt::format("\\u{:04x}", byte);
    else
      out += text[i];
    ++i;
  }
  return out;
}

}  // namespace slipway::cli
