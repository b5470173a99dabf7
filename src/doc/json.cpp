#include "doc/json.h"

#include <charconv>
#include <cmath>

#include "doc/detail/number.h"

namespace slipway::doc {
namespace {

constexpr int deepest = 100;

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

enum class Kept { with_marks, bare };

// RFC 8259 by recursive descent; errors carry line:column, values their marks, when they are to be kept.
template <Kept kept>
class Parser {
 public:
  Parser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  Result<Value> document() {
    if (text_.size() >= (std::size_t{1} << 31)) return fail(Kind::invalid, "{}: larger than 2 GiB", source_);
    if (text_.starts_with("\xef\xbb\xbf")) at_ = line_start_ = 3;
    Value root;
    skip_space();
    TRY_OK(value(root, 1));
    skip_space();
    if (at_ < text_.size()) return wrong("text after the end of the document");
    return root;
  }

 private:
  Fail wrong(std::string_view what) const {
    return fail(Kind::invalid, "{}:{}:{}: {}", source_, line_, column(at_), what);
  }
  // In characters, as editors count.
  std::uint32_t column(std::size_t at) const {
    std::uint32_t n = 1;
    for (auto i = line_start_; i < at && i < text_.size(); ++i)
      n += (static_cast<unsigned char>(text_[i]) & 0xc0) != 0x80;
    return n;
  }
  Mark mark() const {
    if constexpr (kept == Kept::bare) return {};
    // Long lines (documents on one line) would make counting quadratic: continue from the last mark.
    if (column_line_ != line_ || column_at_ > at_) column_line_ = line_, column_at_ = line_start_, column_ = 1;
    for (; column_at_ < at_; ++column_at_) column_ += (static_cast<unsigned char>(text_[column_at_]) & 0xc0) != 0x80;
    return {line_, column_, static_cast<std::uint32_t>(at_), 0};
  }
  static void finish(Value& v, Mark mark, std::size_t end) {
    if constexpr (kept == Kept::bare) return;
    mark.end = static_cast<std::uint32_t>(end);
    v.set_mark(mark);
  }
  void skip_space() {
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '\n') {
        ++line_, line_start_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<> value(Value& out, int depth) {
    if (depth > deepest) return wrong(fmt::format("nested deeper than {} levels", deepest));
    if (at_ >= text_.size()) return wrong("the document ends too early");
    Mark from = mark();
    char c = text_[at_];
    if (c == '{') {
      TRY_OK(object(out, depth));
    } else if (c == '[') {
      TRY_OK(array(out, depth));
    } else if (c == '"') {
      std::string text;
      TRY_OK(string(text));
      out = Value(std::move(text));
      set_style(out, Value::Style::double_quoted);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      TRY_OK(number(out));
    } else {
      TRY_OK(word(out));
    }
    finish(out, from, at_);
    return {};
  }

  static void set_style(Value& out, Value::Style style) {
    if constexpr (kept == Kept::with_marks) out.set_style(style);
  }

  Result<> word(Value& out) {
    auto rest = text_.substr(at_);
    if (rest.starts_with("true")) {
      out = Value(true), at_ += 4;
    } else if (rest.starts_with("false")) {
      out = Value(false), at_ += 5;
    } else if (rest.starts_with("null")) {
      out = Value(), at_ += 4;
    } else {
      return wrong("want a JSON value");
    }
    return {};
  }

  Result<> object(Value& out, int depth) {
    ++at_;
    Map map;
    skip_space();
    if (!take('}')) {
      while (true) {
        if (at_ >= text_.size() || text_[at_] != '"') return wrong("want a key in double quotes");
        Mark key_mark = mark();
        std::string key;
        TRY_OK(string(key));
        key_mark.end = static_cast<std::uint32_t>(at_);
        skip_space();
        if (!take(':')) return wrong("want ':' after the key");
        skip_space();
        Value member;
        TRY_OK(value(member, depth + 1));
        add(map, std::move(key), key_mark, std::move(member));
        skip_space();
        if (take('}')) break;
        if (!take(',')) return wrong("want ',' or '}'");
        skip_space();
      }
    }
    if constexpr (kept == Kept::bare) map.shrink_to_fit();
    out = Value(std::move(map));
    set_style(out, Value::Style::flow);
    return {};
  }

  // The last of equal keys wins, as in Go and JavaScript.
  static void add(Map& map, std::string key, Mark key_mark, Value member) {
    if (auto* there = map.find(key)) {
      *there = std::move(member);
      if constexpr (kept == Kept::with_marks) map.set_key_mark(key, key_mark);
      return;
    }
    map.append(std::move(key), std::move(member));
    if constexpr (kept == Kept::with_marks) map.set_key_mark((map.end() - 1)->first, key_mark);
  }

  Result<> array(Value& out, int depth) {
    ++at_;
    List list;
    skip_space();
    if (!take(']')) {
      while (true) {
        TRY_OK(value(list.emplace_back(), depth + 1));
        skip_space();
        if (take(']')) break;
        if (!take(',')) return wrong("want ',' or ']'");
        skip_space();
      }
    }
    if constexpr (kept == Kept::bare) list.shrink_to_fit();
    out = Value(std::move(list));
    set_style(out, Value::Style::flow);
    return {};
  }

  Result<> string(std::string& out) {
    ++at_;
    while (true) {
      auto from = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20)
        ++at_;
      out.append(text_, from, at_ - from);
      if (at_ >= text_.size()) return wrong("the string does not end");
      if (text_[at_] == '"') {
        ++at_;
        return {};
      }
      if (text_[at_] != '\\') return wrong("a control character in a string must be escaped");
      TRY_OK(escape(out));
    }
  }

  Result<> escape(std::string& out) {
    ++at_;
    if (at_ >= text_.size()) return wrong("the string does not end");
    constexpr std::string_view names = "\"\\/bfnrt", means = "\"\\/\b\f\n\r\t";
    char c = text_[at_];
    if (auto i = names.find(c); i != std::string_view::npos) {
      out += means[i];
      ++at_;
      return {};
    }
    if (c != 'u') return wrong("unknown escape in a string");
    ++at_;
    TRY(auto code, hex4());
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
      auto back = at_;
      at_ += 2;
      TRY(auto low, hex4());
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = back;
      }
    }
    // A lone surrogate is no character.
    append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return {};
  }

  Result<std::uint32_t> hex4() {
    std::uint32_t code = 0;
    if (at_ + 4 > text_.size()) return wrong("want four hex digits");
    auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (error != std::errc() || end != text_.data() + at_ + 4) return wrong("want four hex digits");
    at_ += 4;
    return code;
  }

  Result<> number(Value& out) {
    auto from = at_;
    auto digits = [&] {
      auto start = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ - start;
    };
    take('-');
    bool zero = at_ < text_.size() && text_[at_] == '0';
    auto whole_digits = digits();
    if (whole_digits == 0 || (zero && whole_digits > 1)) return wrong("not a JSON number");
    bool whole = true;
    if (take('.')) {
      whole = false;
      if (digits() == 0) return wrong("want digits after the point");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_, whole = false;
      if (!take('+')) take('-');
      if (digits() == 0) return wrong("want digits in the exponent");
    }
    const char *first = text_.data() + from, *last = text_.data() + at_;
    std::int64_t fits = 0;
    if (whole && std::from_chars(first, last, fits).ec == std::errc()) {
      out = Value(fits);
      return {};
    }
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc::result_out_of_range) {
      // from_chars leaves the value alone: too large is an error, too small is zero.
      real = std::strtod(std::string(first, last).c_str(), nullptr);
      if (!std::isfinite(real)) return wrong("the number is too large");
    }
    out = Value(real);
    return {};
  }

  std::string_view text_, source_;
  std::size_t at_ = 0, line_start_ = 0;
  std::uint32_t line_ = 1;
  mutable std::uint32_t column_line_ = 0, column_ = 1;
  mutable std::size_t column_at_ = 0;
};

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, from, i - from);
    from = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    }
  }
  out.append(text, from);
  out += '"';
}

// indent < 0: compact.
void append(std::string& out, const Value& value, int indent, int column) {
  auto line = [&](int at) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(at), ' ');
  };
  switch (value.type()) {
    case Type::null:
      out += "null";
      return;
    case Type::boolean:
      out += *value.if_bool() ? "true" : "false";
      return;
    case Type::integer:
      fmt::format_to(std::back_inserter(out), "{}", *value.if_int());
      return;
    case Type::number:
      out += json_number(*value.if_double());
      return;
    case Type::string:
      append_quoted(out, *value.if_string());
      return;
    case Type::list: {
      const auto& list = *value.if_list();
      out += '[';
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (i != 0) out += ',';
        line(column + indent);
        append(out, list[i], indent, column + indent);
      }
      if (!list.empty()) line(column);
      out += ']';
      return;
    }
    case Type::map:
      break;
  }
  const auto& map = *value.if_map();
  out += '{';
  bool first = true;
  for (const auto& [key, member] : map) {
    if (!std::exchange(first, false)) out += ',';
    line(column + indent);
    append_quoted(out, key);
    out += indent < 0 ? ":" : ": ";
    append(out, member, indent, column + indent);
  }
  if (!map.empty()) line(column);
  out += '}';
}

}  // namespace

Result<Value> parse_json(std::string_view text, std::string_view source) {
  return Parser<Kept::with_marks>(text, source).document();
}
Result<Value> parse_json_bare(std::string_view text, std::string_view source) {
  return Parser<Kept::bare>(text, source).document();
}

void append_json(std::string& out, const Value& value) { append(out, value, -1, 0); }

std::string print_json(const Value& value) {
  std::string out;
  append_json(out, value);
  return out;
}

std::string print_json_pretty(const Value& value, int indent) {
  std::string out;
  append(out, value, std::max(indent, 0), 0);
  return out;
}

std::string json_quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace slipway::doc
