#include "doc/detail/resolve.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "doc/yaml.h"

namespace slipway::doc {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

bool any_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (auto word : words) {
    if (text == word) return true;
  }
  return false;
}

bool is_null_word(std::string_view text) { return any_of(text, {"", "~", "null", "Null", "NULL"}); }

std::optional<bool> bool_word(std::string_view text) {
  if (any_of(text, {"true", "True", "TRUE"})) return true;
  if (any_of(text, {"false", "False", "FALSE"})) return false;
  return std::nullopt;
}

std::optional<double> special_float(std::string_view text) {
  if (any_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  if (any_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) return std::numeric_limits<double>::infinity();
  if (any_of(text, {"-.inf", "-.Inf", "-.INF"})) return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool float_shape(std::string_view t) {
  std::size_t i = 0;
  auto run = [&] {
    auto from = i;
    while (i < t.size() && digit(t[i])) ++i;
    return i - from;
  };
  if (i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
  if (i < t.size() && t[i] == '.') {
    ++i;
    if (run() == 0) return false;
  } else {
    if (run() == 0) return false;
    if (i < t.size() && t[i] == '.') {
      ++i;
      run();
    }
  }
  if (i < t.size() && (t[i] == 'e' || t[i] == 'E')) {
    ++i;
    if (i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
    if (run() == 0) return false;
  }
  return i == t.size();
}

std::optional<double> parse_float(std::string_view t) {
  if (!t.empty() && t[0] == '+') t.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), value);
  if (error != std::errc() || end != t.data() + t.size()) return std::nullopt;
  return value;
}

// strconv.ParseInt(text, base 0): 0x, 0o, 0b and a leading 0 for octal. Over 64 bits: a double, as far as it holds.
std::optional<Value> parse_integer(std::string_view t, bool legacy_octal) {
  bool negative = false;
  if (!t.empty() && (t[0] == '-' || t[0] == '+')) {
    negative = t[0] == '-';
    t.remove_prefix(1);
  }
  int base = 10;
  if (t.size() > 1 && t[0] == '0') {
    char c = t[1] | 0x20;
    if (c == 'x' || c == 'o' || c == 'b') {
      base = c == 'x' ? 16 : c == 'o' ? 8 : 2;
      t.remove_prefix(2);
    } else if (legacy_octal) {
      base = 8;
      t.remove_prefix(1);
    }
  }
  if (t.empty() || t[0] == '-' || t[0] == '+') return std::nullopt;
  std::uint64_t size = 0;
  auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), size, base);
  if (end != t.data() + t.size() || error != std::errc()) return std::nullopt;
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (!negative && size <= most) return Value(static_cast<std::int64_t>(size));
  if (negative && size <= most + 1) return Value(static_cast<std::int64_t>(0 - size));
  return negative ? std::nullopt : std::optional(Value(static_cast<double>(size)));
}

std::optional<Value> number(std::string_view text) {
  std::string joined;
  std::string_view plain = text;
  if (text.find('_') != std::string_view::npos) {
    for (char c : text) {
      if (c != '_') joined += c;
    }
    plain = joined;
  }
  if (auto whole = parse_integer(plain, true)) return whole;
  if (float_shape(plain)) {
    if (auto real = parse_float(plain)) return Value(*real);
  }
  return std::nullopt;
}

Value resolve_core(std::string_view text) {
  if (is_null_word(text)) return {};
  if (auto yes = bool_word(text)) return Value(*yes);
  if (auto real = special_float(text)) return Value(*real);
  bool signed_prefix = text.size() > 2 && !digit(text[0]) && text[1] == '0' && !digit(text[2]) && text[2] != '.' &&
                       text[2] != 'e' && text[2] != 'E';
  bool binary =
      text.size() > 1 && text[0] == '0' && (text[1] == 'b' || text[1] == 'B' || text[1] == 'X' || text[1] == 'O');
  if (!signed_prefix && !binary) {
    if (auto whole = parse_integer(text, false)) return *whole;
  }
  if (float_shape(text)) {
    if (auto real = parse_float(text)) return Value(*real);
  }
  return Value(text);
}

// [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
bool is_base60(std::string_view t) {
  std::size_t i = !t.empty() && (t[0] == '-' || t[0] == '+') ? 1 : 0;
  if (i >= t.size() || !digit(t[i])) return false;
  while (i < t.size() && (digit(t[i]) || t[i] == '_')) ++i;
  int groups = 0;
  while (i < t.size() && t[i] == ':') {
    ++i;
    std::size_t n = 0;
    while (i + n < t.size() && digit(t[i + n])) ++n;
    if (n == 0 || n > 2 || (n == 2 && t[i] > '5')) return false;
    i += n, ++groups;
  }
  if (groups == 0) return false;
  if (i < t.size() && t[i] == '.') {
    ++i;
    while (i < t.size() && (digit(t[i]) || t[i] == '_')) ++i;
  }
  return i == t.size();
}

}  // namespace

Value resolve_plain(std::string_view text, Dialect dialect) {
  if (text.empty()) return {};
  char first = text[0];
  // Most plain scalars are words no rule concerns.
  bool word = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/';
  if (word && std::string_view("nNtTfF").find(first) == std::string_view::npos) return Value(text);
  if (dialect == Dialect::actions) return resolve_core(text);
  if (is_null_word(text)) return {};
  if (auto yes = bool_word(text)) return Value(*yes);
  if (auto real = special_float(text)) return Value(*real);
  if (first == '.') {
    if (float_shape(text)) {
      if (auto real = parse_float(text)) return Value(*real);
    }
  } else if (digit(first) || first == '-' || first == '+') {
    if (auto found = number(text)) return *found;
  }
  return Value(text);
}

bool reads_as_other(std::string_view text) {
  if (text.empty() || text == "<<" || text == "=") return text != "=";
  char first = text[0];
  if (digit(first) || first == '-' || first == '+' || first == '.') {
    if (special_float(text)) return true;
    if (first == '.') return float_shape(text);
    return number(text) || is_base60(text) || yaml_time(text).has_value();
  }
  if (text.size() > 5) return false;
  return is_null_word(text) || bool_word(text) ||
         any_of(text,
                {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"});
}

}  // namespace slipway::doc
