// What Go's packages fmt and strconv print.
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "gotemplate/detail/utf8.h"
#include "gotemplate/value.h"

namespace slipway::gotemplate {
namespace {

constexpr int deepest = 100;
constexpr int widest = 1'000'000;  // Go's own limit on widths and precisions
constexpr std::size_t most_values = 1'000'000;

struct Verb {
  char verb = 'v';
  bool plus = false, minus = false, sharp = false, space = false, zero = false;
  std::optional<int> width, precision;
  std::size_t* left = nullptr;  // values that may still be printed: lists can share what they hold without end
};

std::string padded(std::string text, const Verb& v, bool numeric) {
  if (!v.width) return text;
  auto have = detail::rune_count(text);
  auto want = static_cast<std::size_t>(v.width.value_or(0));
  if (have >= want) return text;
  if (v.minus) return text + std::string(want - have, ' ');
  if (!v.zero) return std::string(want - have, ' ') + text;
  // Zeros go between a sign and its digits.
  bool sign = numeric && !text.empty() && (text[0] == '-' || text[0] == '+' || text[0] == ' ');
  return text.substr(0, sign ? 1 : 0) + std::string(want - have, '0') + text.substr(sign ? 1 : 0);
}

std::string print_at(const Value& value, const Verb& v, int depth);

std::string bad_verb(const Value& value, const Verb& v) {
  if (value.nothing()) return fmt::format("%!{}(<nil>)", v.verb);
  return fmt::format("%!{}({}={})", v.verb, go_type(value), print(value));
}

std::string print_integer(std::int64_t n, const Verb& v) {
  std::string digits;
  bool negative = n < 0;
  auto size = negative ? ~static_cast<std::uint64_t>(n) + 1 : static_cast<std::uint64_t>(n);
  switch (v.verb) {
    case 'b':
      digits = fmt::format("{:b}", size);
      break;
    case 'o':
    case 'O':
      digits = fmt::format("{:o}", size);
      break;
    case 'x':
      digits = fmt::format("{:x}", size);
      break;
    case 'X':
      digits = fmt::format("{:X}", size);
      break;
    default:
      digits = fmt::format("{}", size);
  }
  if (v.precision) {
    if (*v.precision == 0 && n == 0) return padded("", v, false);
    if (auto want = static_cast<std::size_t>(*v.precision); digits.size() < want)
      digits.insert(0, want - digits.size(), '0');
  }
  if (v.verb == 'O' || (v.sharp && v.verb == 'o')) digits.insert(0, v.verb == 'O' ? "0o" : "0");
  if (v.sharp && v.verb == 'b') digits.insert(0, "0b");
  if (v.sharp && (v.verb == 'x' || v.verb == 'X')) digits.insert(0, v.verb == 'x' ? "0x" : "0X");
  if (negative)
    digits.insert(0, 1, '-');
  else if (v.plus && v.verb != 'v')
    digits.insert(0, 1, '+');
  else if (v.space)
    digits.insert(0, 1, ' ');
  return padded(std::move(digits), v, !v.precision);
}

std::string format_integer(const Value& value, std::int64_t n, const Verb& v) {
  switch (v.verb) {
    case 'v':
    case 'd':
    case 'b':
    case 'o':
    case 'O':
    case 'x':
    case 'X':
      return print_integer(n, v);
    case 'c':
      return padded(detail::encode_rune(n), v, false);
    case 'q':
      return padded("'" + detail::escape_rune(n, '\'') + "'", v, false);
    case 'U':
      return padded(fmt::format("U+{:04X}", static_cast<std::uint64_t>(n)), v, false);
    default:
      return bad_verb(value, v);
  }
}

std::string format_float(const Value& value, double d, const Verb& v) {
  auto verb = v.verb == 'v' ? 'g' : v.verb == 'F' ? 'f' : v.verb;
  if (std::string_view("eEfgG").find(verb) == std::string_view::npos) return bad_verb(value, v);
  int precision = v.precision.value_or(verb == 'g' || verb == 'G' ? -1 : 6);
  auto text = print_float(d, verb, precision);
  if (v.plus && text[0] != '-' && text[0] != '+') text.insert(0, 1, '+');
  if (v.space && !v.plus && text[0] != '-') text.insert(0, 1, ' ');
  auto used = v;
  if (!std::isfinite(d)) used.zero = false;
  return padded(std::move(text), used, true);
}

std::string hex(std::string_view bytes, const Verb& v) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (v.space && i > 0) out += ' ';
    if (v.sharp && (i == 0 || v.space)) out += v.verb == 'x' ? "0x" : "0X";
    auto byte = static_cast<unsigned char>(bytes[i]);
    out += v.verb == 'x' ? fmt::format("{:02x}", byte) : fmt::format("{:02X}", byte);
  }
  return out;
}

std::string format_string(const Value& value, std::string_view text, const Verb& v) {
  if (v.precision && std::string_view("sqvxX").find(v.verb) != std::string_view::npos)
    text = text.substr(0, detail::offset_of(text, static_cast<std::size_t>(*v.precision)));
  auto used = v;
  switch (v.verb) {
    case 'v':
      if (v.sharp) return padded(go_quote(text), used, false);
      [[fallthrough]];
    case 's':
      return padded(std::string(text), used, false);
    case 'q':
      if (v.sharp && text.find('`') == std::string_view::npos && text.find('\n') == std::string_view::npos)
        return padded(fmt::format("`{}`", text), used, false);
      return padded(go_quote(text), used, false);
    case 'x':
    case 'X':
      return padded(hex(text, v), used, false);
    default:
      return bad_verb(value, v);
  }
}

std::string print_list(const List& list, const Verb& v, int depth) {
  bool go = v.verb == 'v' && v.sharp;
  std::string out = go ? go_type(Value(Items{}, list.of)) + "{" : "[";
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out += go ? ", " : " ";
    out += print_at(list.items[i], v, depth + 1);
  }
  return out + (go ? "}" : "]");
}

std::string print_dict(const Dict& dict, const Verb& v, int depth) {
  bool go = v.verb == 'v' && v.sharp;
  std::string out = go ? "map[string]interface {}{" : "map[";
  bool first = true;
  for (const auto& [key, item] : dict) {
    if (!first) out += go ? ", " : " ";
    first = false;
    out += format_string(Value(key), key, v);
    out += ':';
    out += print_at(item, v, depth + 1);
  }
  return out + (go ? "}" : "]");
}

std::string print_at(const Value& value, const Verb& v, int depth) {
  if (depth > deepest || (v.left != nullptr && *v.left == 0)) return "...";
  if (v.left != nullptr) --*v.left;
  if (v.verb == 'T') return padded(go_type(value), v, false);
  if (value.nothing()) {
    if (v.verb == 'v') return padded(v.sharp && depth > 0 ? "interface {}(nil)" : "<nil>", v, false);
    return bad_verb(value, v);
  }
  if (const auto* b = value.if_bool())
    return v.verb == 't' || v.verb == 'v' ? padded(*b ? "true" : "false", v, false) : bad_verb(value, v);
  if (const auto* n = value.if_int()) return format_integer(value, n->n, v);
  if (const auto* d = value.if_float()) return format_float(value, *d, v);
  if (const auto* s = value.if_string()) return format_string(value, *s, v);
  if (const auto* list = value.if_list()) return print_list(*list, v, depth);
  if (const auto* dict = value.if_dict()) return print_dict(*dict, v, depth);
  return format_string(value, value.if_object()->print(), v);
}

// One Sprintf call: where it stands in the pattern and in the arguments.
class Formatter {
 public:
  Formatter(std::string_view pattern, const Items& arguments) : p_(pattern), args_(arguments) {}
  std::string run() {
    while (at_ < p_.size()) {
      auto percent = p_.find('%', at_);
      out_ += p_.substr(at_, percent == std::string_view::npos ? percent : percent - at_);
      if (percent == std::string_view::npos) break;
      at_ = percent + 1;
      one();
    }
    if (!reordered_ && next_ < args_.size()) {
      out_ += "%!(EXTRA ";
      for (auto i = next_; i < args_.size(); ++i) {
        if (i > next_) out_ += ", ";
        out_ += args_[i].nothing() ? "<nil>" : go_type(args_[i]) + "=" + print(args_[i]);
      }
      out_ += ")";
    }
    return std::move(out_);
  }

 private:
  bool more() const { return at_ < p_.size(); }
  std::optional<int> digits() {
    std::optional<int> n;
    while (more() && p_[at_] >= '0' && p_[at_] <= '9') {
      n = n.value_or(0) * 10 + (p_[at_] - '0');
      if (*n > widest) n = widest + 1;
      ++at_;
    }
    return n && *n > widest ? std::nullopt : n;
  }
  // [3]: which argument comes next.
  void index() {
    if (!more() || p_[at_] != '[') return;
    reordered_ = true;
    auto end = p_.find(']', at_);
    auto n = end == std::string_view::npos ? std::nullopt : to_int(p_.substr(at_ + 1, end - at_ - 1));
    bool good = n && *n >= 1 && *n <= static_cast<std::int64_t>(args_.size());
    bad_index_ = !good;
    if (good) next_ = static_cast<std::size_t>(*n - 1);
    at_ = end == std::string_view::npos ? at_ + 1 : end + 1;
  }
  // A number, or * for the next argument's.
  std::optional<int> size(std::string_view what, bool& negative) {
    if (!more() || p_[at_] != '*') return digits();
    ++at_;
    const auto* n = next_ < args_.size() ? args_[next_].if_int() : nullptr;
    ++next_;
    if (n == nullptr || n->n > widest || n->n < -widest) {
      out_ += fmt::format("%!(BAD{})", what);
      return std::nullopt;
    }
    negative = n->n < 0;
    return static_cast<int>(negative ? -n->n : n->n);
  }
  void flags(Verb& v) {
    for (; more(); ++at_) {
      switch (p_[at_]) {
        case '+':
          v.plus = true;
          continue;
        case '-':
          v.minus = true;
          continue;
        case '#':
          v.sharp = true;
          continue;
        case ' ':
          v.space = true;
          continue;
        case '0':
          v.zero = true;
          continue;
        default:
          return;
      }
    }
  }
  void one() {
    Verb v;
    v.left = &left_;
    bad_index_ = false;
    flags(v);
    index();
    bool negative = false;
    v.width = size("WIDTH", negative);
    if (negative) v.minus = true;
    if (v.minus) v.zero = false;
    if (more() && p_[at_] == '.') {
      ++at_;
      index();
      negative = false;
      auto precision = size("PREC", negative);
      v.precision = negative ? std::nullopt : std::optional(precision.value_or(0));
    }
    index();
    if (!more()) {
      out_ += "%!(NOVERB)";
      return;
    }
    auto verb = detail::rune_at(p_, at_);
    v.verb = p_[at_];
    if (v.verb == 'v') v.plus = false;  // asks for field names, which maps have anyway
    at_ += verb.bytes;
    if (v.verb == '%') {
      out_ += '%';
    } else if (bad_index_) {
      out_ += fmt::format("%!{}(BADINDEX)", v.verb);
    } else if (next_ >= args_.size()) {
      out_ += fmt::format("%!{}(MISSING)", v.verb);
    } else {
      out_ += print_at(args_[next_++], v, 0);
    }
  }
  std::string_view p_;
  const Items& args_;
  std::size_t at_ = 0, next_ = 0, left_ = most_values;
  bool reordered_ = false, bad_index_ = false;
  std::string out_;
};

}  // namespace

std::string print_float(double value, char verb, int precision) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::string out;
  bool upper = verb == 'E' || verb == 'G';
  auto write = [&](std::chars_format how, int digits) {
    char buffer[1200];
    auto end = digits < 0 ? std::to_chars(buffer, buffer + sizeof buffer, value, how).ptr
                          : std::to_chars(buffer, buffer + sizeof buffer, value, how, std::min(digits, 800)).ptr;
    return std::string(buffer, end);
  };
  if (verb == 'e' || verb == 'E') {
    out = write(std::chars_format::scientific, precision);
  } else if (verb == 'f') {
    out = write(std::chars_format::fixed, precision);
  } else if (precision >= 0) {
    out = write(std::chars_format::general, precision);
  } else {
    out = write(std::chars_format::scientific, -1);
    int exponent = 0;
    auto e = out.find('e');
    std::from_chars(out.data() + e + 1 + (out[e + 1] == '+' ? 1 : 0), out.data() + out.size(), exponent);
    // The shortest digits go without an exponent from 1e-4 up to 1e6.
    if (exponent >= -4 && exponent < 6) out = write(std::chars_format::fixed, -1);
  }
  if (upper)
    for (auto& c : out)
      if (c == 'e') c = 'E';
  return out;
}

std::string go_quote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    auto rune = detail::rune_at(text, i);
    if (!rune.valid)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
    else
      out += detail::escape_rune(rune.code, '"');
    i += rune.bytes;
  }
  return out + "\"";
}

std::string print(const Value& value) {
  auto left = most_values;
  Verb v;
  v.left = &left;
  return print_at(value, v, 0);
}

std::string format(std::string_view pattern, const Items& arguments) { return Formatter(pattern, arguments).run(); }

std::string print_all(const Items& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Spaces stand between two of which neither is a string.
    if (i > 0 && !values[i].if_string() && !values[i - 1].if_string()) out += ' ';
    out += print(values[i]);
  }
  return out;
}

std::string print_line(const Items& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) out += (i > 0 ? " " : "") + print(values[i]);
  return out + "\n";
}

}  // namespace slipway::gotemplate
