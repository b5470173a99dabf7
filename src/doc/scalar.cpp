#include "doc/detail/scalar.h"

#include <array>

namespace slipway::doc {
namespace {

using Byte = unsigned char;

std::size_t width(Byte c) {
  return c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 1;
}

Byte at(std::string_view t, std::size_t i) { return i < t.size() ? static_cast<Byte>(t[i]) : 0; }

// Whether a whole UTF-8 character of `w` bytes stands at `i`.
bool is_character(std::string_view t, std::size_t i, std::size_t w) {
  Byte c = at(t, i), next = at(t, i + 1);
  if (c < 0x80) return true;
  if (c < 0xc2 || c > 0xf4 || i + w > t.size()) return false;
  for (std::size_t k = 1; k < w; ++k)
    if ((at(t, i + k) & 0xc0) != 0x80) return false;
  if (c == 0xe0) return next >= 0xa0;
  if (c == 0xed) return next < 0xa0;
  if (c == 0xf0) return next >= 0x90;
  return c != 0xf4 || next < 0x90;
}

// CR, LF, NEL, LS, PS
bool is_break(std::string_view t, std::size_t i) {
  Byte c = at(t, i);
  if (c == '\r' || c == '\n') return i < t.size();
  if (c == 0xc2) return at(t, i + 1) == 0x85;
  return c == 0xe2 && at(t, i + 1) == 0x80 && (at(t, i + 2) == 0xa8 || at(t, i + 2) == 0xa9);
}

bool is_blank_or_end(std::string_view t, std::size_t i) {
  return i >= t.size() || t[i] == ' ' || t[i] == '\t' || t[i] == '\0' || is_break(t, i);
}

// go-yaml's table: no tab, nothing beyond the basic plane.
bool is_printable(std::string_view t, std::size_t i) {
  Byte c = at(t, i), next = at(t, i + 1);
  if (c < 0x80) return c == '\n' || (c >= 0x20 && c <= 0x7e);
  if (c == 0xc2) return next >= 0xa0;
  if (c > 0xc2 && c < 0xed) return true;
  if (c == 0xed) return next < 0xa0;
  if (c == 0xee) return true;
  if (c != 0xef) return false;
  return !(next == 0xbb && at(t, i + 2) == 0xbf) && !(next == 0xbf && (at(t, i + 2) == 0xbe || at(t, i + 2) == 0xbf));
}

enum : Byte { ordinary = 0, leads = 1, flow = 2, other = 4 };

// What keeps an ASCII character from standing freely in a plain scalar.
constexpr auto classes = [] {
  std::array<Byte, 256> t{};
  for (int c = 0; c < 256; ++c) t[static_cast<std::size_t>(c)] = c < 0x20 || c > 0x7e ? other : ordinary;
  for (char c : std::string_view("#,[]{}&*!|>'\"%@`?:-")) t[static_cast<Byte>(c)] |= leads;
  for (char c : std::string_view(",?[]{}:#")) t[static_cast<Byte>(c)] |= flow;
  t[' '] |= other;
  return t;
}();

// Names, paths, images: the most common strings need no analysis.
bool is_simple(std::string_view t) {
  if (classes[static_cast<Byte>(t[0])] != ordinary) return false;
  for (char c : t) {
    if ((classes[static_cast<Byte>(c)] & (flow | other)) != 0) return false;
  }
  return true;
}

struct Indicators {
  bool flow = false, block = false;
};

void first_indicator(Byte c, bool followed_by_blank, Indicators& found) {
  if (std::string_view("#,[]{}&*!|>'\"%@`").find(static_cast<char>(c)) != std::string_view::npos) {
    found.flow = found.block = true;
  } else if (c == '?' || c == ':') {
    found.flow = true;
    found.block |= followed_by_blank;
  } else if (c == '-' && followed_by_blank) {
    found.flow = found.block = true;
  }
}

void later_indicator(Byte c, bool preceded_by_blank, bool followed_by_blank, Indicators& found) {
  if (std::string_view(",?[]{}").find(static_cast<char>(c)) != std::string_view::npos) {
    found.flow = true;
  } else if (c == ':') {
    found.flow = true;
    found.block |= followed_by_blank;
  } else if (c == '#' && preceded_by_blank) {
    found.flow = found.block = true;
  }
}

}  // namespace

ScalarForms scalar_forms(std::string_view t) {
  ScalarForms forms;
  if (t.empty()) {
    forms.plain_flow = forms.block = false;
    return forms;
  }
  if (is_simple(t)) return forms;
  Indicators found;
  if (t.starts_with("---") || t.starts_with("...")) found.flow = found.block = true;
  bool edge_blank = false, trailing_space = false, break_space = false, space_break = false, special = false;
  bool after_space = false, after_break = false, preceded = true;
  for (std::size_t i = 0; i < t.size();) {
    auto c = static_cast<Byte>(t[i]);
    auto w = std::min(width(c), t.size() - i);
    bool followed = is_blank_or_end(t, i + w), last = i + w >= t.size(), broken = is_break(t, i);
    if (i == 0) {
      first_indicator(c, followed, found);
    } else {
      later_indicator(c, preceded, followed, found);
    }
    special |= !is_printable(t, i);
    forms.text = forms.text && is_character(t, i, width(c));
    if (c == ' ') {
      edge_blank |= i == 0 || last;
      trailing_space |= last;
      break_space |= after_break;
    } else if (broken) {
      forms.multiline = true;
      if (c == 0xe2) forms.block = false;  // LS and PS: their block would end in them, or need them indented
      edge_blank |= i == 0 || last;
      space_break |= after_space;
    }
    after_space = c == ' ', after_break = broken;
    preceded = is_blank_or_end(t, i);
    i += w;
  }
  if (edge_blank) forms.plain = forms.plain_flow = false;
  if (trailing_space) forms.block = false;
  if (break_space) forms.plain = forms.plain_flow = forms.single = false;
  if (space_break || special) forms.plain = forms.plain_flow = forms.single = forms.block = false;
  if (forms.multiline) forms.plain = forms.plain_flow = false;
  if (found.flow) forms.plain_flow = false;
  if (found.block) forms.plain = false;
  return forms;
}

void append_escaped(std::string& out, std::string_view t, std::size_t& i) {
  auto c = static_cast<Byte>(t[i]);
  auto w = std::min(width(c), t.size() - i);
  if (is_printable(t, i) && !is_break(t, i) && c != '"' && c != '\\') {
    out.append(t, i, w);
    i += w;
    return;
  }
  std::uint32_t code = w == 1 ? c : w == 2 ? c & 0x1f : w == 3 ? c & 0x0f : c & 0x07;
  for (std::size_t k = 1; k < w; ++k) code = code << 6 | (at(t, i + k) & 0x3f);
  i += w;
  switch (code) {
    case 0:
      out += "\\0";
      return;
    case 7:
      out += "\\a";
      return;
    case 8:
      out += "\\b";
      return;
    case 9:
      out += "\\t";
      return;
    case 10:
      out += "\\n";
      return;
    case 11:
      out += "\\v";
      return;
    case 12:
      out += "\\f";
      return;
    case 13:
      out += "\\r";
      return;
    case 27:
      out += "\\e";
      return;
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case 0x85:
      out += "\\N";
      return;
    case 0xa0:
      out += "\\_";
      return;
    case 0x2028:
      out += "\\L";
      return;
    case 0x2029:
      out += "\\P";
      return;
    default:
      break;
  }
  if (code <= 0xff) {
    fmt::format_to(std::back_inserter(out), "\\x{:02X}", code);
  } else if (code <= 0xffff) {
    fmt::format_to(std::back_inserter(out), "\\u{:04X}", code);
  } else {
    fmt::format_to(std::back_inserter(out), "\\U{:08X}", code);
  }
}

}  // namespace slipway::doc
