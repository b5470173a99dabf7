// Letters: cases, initials, wrapping, abbreviations. ASCII changes case, other letters stay as they are.
#include <algorithm>
#include <cctype>

#include "base/hash.h"
#include "base/text.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

char up(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char down(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_up(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_up(c) || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }
bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

template <class F>
std::string each(std::string s, F f) {
  for (auto& c : s) c = f(c);
  return s;
}

// The first letter of each word by `f`: words are what space separates, or for title whatever is no letter or digit.
template <class F>
std::string heads(std::string s, bool by_space, F f) {
  bool head = true;
  for (auto& c : s) {
    bool gap = by_space ? is_blank(c) : !is_letter(c) && !is_digit(c) && c != '_' && c != '\'';
    if (!gap && head) c = f(c);
    head = gap;
  }
  return s;
}

std::string initials(std::string_view s) {
  std::string out;
  bool gap = true;
  for (char c : s) {
    if (!is_blank(c) && gap) out += c;
    gap = is_blank(c);
  }
  return out;
}

std::string swap_case(std::string s) {
  bool blank = true;
  for (auto& c : s) {
    if (is_up(c))
      c = down(c), blank = false;
    else if (is_letter(c))
      c = blank ? up(c) : up(c), blank = false;
    else
      blank = is_blank(c);
  }
  return s;
}

// Words of fooBar2Baz, foo_bar, "foo bar", HTTPServer: joined by a sign, lower case.
std::string joined_words(std::string_view s, char sign) {
  std::string out;
  bool numeric = false;  // the word at hand began with a digit
  auto separator = [](char c) { return c == ' ' || c == '_' || c == '-'; };
  for (std::size_t i = 0; i < s.size(); ++i) {
    char c = s[i];
    if (separator(c)) {
      out += sign;
      numeric = false;
      continue;
    }
    char before = i > 0 ? s[i - 1] : '\0', after = i + 1 < s.size() ? s[i + 1] : '\0';
    bool word = false;
    if (i > 0 && !separator(before)) {
      if (is_up(c)) word = !is_up(before) || (is_letter(after) && !is_up(after) && after != '\0');
      // A number stays with its word unless letters go on behind it: http2xx is http_2xx, Bld4Floor bld4_floor.
      if (is_digit(c) && is_letter(before) && !numeric) {
        auto end = s.find_first_not_of("0123456789", i);
        word = end != std::string_view::npos && s[end] >= 'a' && s[end] <= 'z';
      }
    }
    if (word) out += sign;
    if (word || i == 0) numeric = is_digit(c);
    out += down(c);
  }
  return out;
}

std::string pascal(std::string_view s) {
  std::string out;
  bool head = true;
  std::size_t lead = 0;
  while (lead < s.size() && (s[lead] == '_' || s[lead] == ' ' || s[lead] == '-')) out += s[lead++];
  for (char c : s.substr(lead)) {
    if (c == '_' || c == ' ' || c == '-') {
      head = true;
      continue;
    }
    out += head ? up(c) : c;
    head = false;
  }
  return out;
}

std::string abbreviated(std::string_view s, std::int64_t offset, std::int64_t width) {
  auto size = static_cast<std::int64_t>(s.size());
  auto part = [&](std::int64_t from, std::int64_t to) {
    return std::string(s.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
  };
  if (size <= width) return std::string(s);
  offset = std::min(offset, size);
  if (size - offset < width - 3) offset = size - (width - 3);
  if (offset <= 4) return part(0, width - 3) + "...";
  if (width < 7) return "";
  if (offset + width - 3 < size) return "..." + abbreviated(s.substr(static_cast<std::size_t>(offset)), 0, width - 3);
  return "..." + part(size - (width - 3), size);
}

std::string wrapped(std::string_view s, std::int64_t width, std::string_view end) {
  if (s.empty()) return "";
  if (end.empty()) end = "\n";
  auto most = static_cast<std::size_t>(std::max<std::int64_t>(width, 1));
  std::string out;
  std::size_t at = 0;
  while (s.size() - at > most) {
    if (s[at] == ' ') {
      ++at;
      continue;
    }
    auto space = s.substr(at, most + 1).rfind(' ');
    bool found = space != std::string_view::npos;
    auto length = found ? space : most;
    out += s.substr(at, length);
    out += end;
    at += length + (found ? 1 : 0);
  }
  return out.append(s.substr(at));
}

std::string shuffled(std::string s) {
  for (std::size_t i = s.size(); i > 1; --i) {
    auto bytes = random_bytes(4);
    std::uint32_t n = 0;
    for (char c : bytes) n = n << 8 | static_cast<unsigned char>(c);
    std::swap(s[i - 1], s[n % i]);
  }
  return s;
}

}  // namespace

Rows text_rows() {
  return {
      {"upper", strings_to("s", [](const Items& a) { return each(text(a[0]), up); })},
      {"lower", strings_to("s", [](const Items& a) { return lower(text(a[0])); })},
      {"title", strings_to("s", [](const Items& a) { return heads(text(a[0]), false, up); })},
      {"untitle", strings_to("s", [](const Items& a) { return heads(text(a[0]), true, down); })},
      {"swapcase", strings_to("s", [](const Items& a) { return swap_case(text(a[0])); })},
      {"snakecase", strings_to("s", [](const Items& a) { return joined_words(text(a[0]), '_'); })},
      {"kebabcase", strings_to("s", [](const Items& a) { return joined_words(text(a[0]), '-'); })},
      {"camelcase", strings_to("s", [](const Items& a) { return pascal(text(a[0])); })},
      {"initials", strings_to("s", [](const Items& a) { return initials(text(a[0])); })},
      {"nospace", strings_to("s",
                             [](const Items& a) {
                               auto s = text(a[0]);
                               std::erase_if(s, is_blank);
                               return s;
                             })},
      {"abbrev",
       strings_to("is",
                  [](const Items& a) { return num(a[0]) < 4 ? text(a[1]) : abbreviated(text(a[1]), 0, num(a[0])); })},
      {"abbrevboth", strings_to("iis",
                                [](const Items& a) {
                                  auto left = num(a[0]), right = num(a[1]);
                                  if (right < 4 || (left > 0 && right < 7)) return text(a[2]);
                                  return abbreviated(text(a[2]), left, right);
                                })},
      {"wrap", strings_to("is", [](const Items& a) { return wrapped(text(a[1]), num(a[0]), "\n"); })},
      {"wrapWith", strings_to("iss", [](const Items& a) { return wrapped(text(a[2]), num(a[0]), text(a[1])); })},
      {"shuffle", strings_to("s", [](const Items& a) { return shuffled(text(a[0])); })},
  };
}

}  // namespace slipway::gotemplate::sprig
