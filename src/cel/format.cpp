#include "cel/detail/format.h"

#include <algorithm>
#include <cmath>

#include "base/encode.h"
#include "base/text.h"
#include "cel/detail/text.h"

namespace slipway::cel::detail {
namespace {

constexpr int most_precision = 1'000;

std::string whole_in(std::uint64_t magnitude, bool minus, char verb) {
  std::string digits = verb == 'b'   ? fmt::format("{:b}", magnitude)
                       : verb == 'o' ? fmt::format("{:o}", magnitude)
                       : verb == 'x' ? fmt::format("{:x}", magnitude)
                       : verb == 'X' ? fmt::format("{:X}", magnitude)
                                     : fmt::format("{}", magnitude);
  return minus ? "-" + digits : digits;
}

// What no digits can say; "" for the rest.
std::string_view special(double d) {
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
  return "";
}

class Formatter {
 public:
  Formatter(Run& run, const List& args) : run_(run), args_(args) {}

  Result<std::string> whole(std::string_view pattern) {
    TRY_OK(run_.spend_on(pattern));
    for (std::size_t at = 0; at < pattern.size(); ++at) {
      if (pattern[at] != '%') {
        out_ += pattern[at];
        continue;
      }
      if (++at == pattern.size()) return fail(Kind::invalid, "format: the pattern ends in the middle of a clause");
      if (pattern[at] == '%') {
        out_ += '%';
        continue;
      }
      int precision = 6;
      if (pattern[at] == '.') {
        precision = 0;
        for (++at; at < pattern.size() && pattern[at] >= '0' && pattern[at] <= '9' && precision <= most_precision; ++at)
          precision = precision * 10 + (pattern[at] - '0');
        if (precision > most_precision) return fail(Kind::invalid, "format: a precision above {}", most_precision);
        if (at == pattern.size()) return fail(Kind::invalid, "format: the pattern ends in the middle of a clause");
      }
      if (next_ >= args_.size()) return fail(Kind::invalid, "format: index {} out of range", next_);
      TRY_OK(clause(pattern[at], precision, args_.at(next_++)));
    }
    TRY_OK(pay());
    return std::move(out_);
  }

 private:
  // Pays for what was added since the last time.
  Result<> pay() {
    TRY_OK(run_.make(out_.size() - paid_));
    paid_ = out_.size();
    return {};
  }

  Result<> clause(char verb, int precision, const Value& arg) {
    switch (verb) {
      case 's':
        return text(arg);
      case 'd':
        if (const auto* d = arg.if_double()) {
          out_ += special(*d).empty() ? fmt::format("{}", *d) : special(*d);
          return {};
        }
        return integer(verb, arg);
      case 'b':
        if (const auto* b = arg.if_bool()) {
          out_ += *b ? '1' : '0';
          return {};
        }
        return integer(verb, arg);
      case 'o':
        return integer(verb, arg);
      case 'x':
      case 'X':
        return hex(verb, arg);
      case 'e':
      case 'f':
        return real(verb, precision, arg);
      default:
        return fail(Kind::invalid, "format: unrecognized formatting clause \"{}\", want one of s d f e b o x X %",
                    verb);
    }
  }

  Result<> integer(char verb, const Value& arg) {
    if (const auto* n = arg.if_uint()) {
      out_ += whole_in(*n, false, verb);
    } else if (const auto* i = arg.if_int()) {
      out_ += whole_in(*i < 0 ? 0 - static_cast<std::uint64_t>(*i) : static_cast<std::uint64_t>(*i), *i < 0, verb);
    } else {
      return wrong(verb, arg);
    }
    return {};
  }
  Result<> hex(char verb, const Value& arg) {
    auto bytes = arg.if_string() ? arg.if_string() : arg.if_bytes();
    if (!bytes) return integer(verb, arg);
    TRY_OK(run_.spend_on(*bytes));
    auto digits = to_hex(*bytes);
    if (verb == 'X')
      std::ranges::transform(digits, digits.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
    out_ += digits;
    return pay();
  }
  Result<> real(char verb, int precision, const Value& arg) {
    if (!arg.is_number()) return wrong(verb, arg);
    double d = arg.if_int() != nullptr    ? static_cast<double>(*arg.if_int())
               : arg.if_uint() != nullptr ? static_cast<double>(*arg.if_uint())
                                          : *arg.if_double();
    if (!special(d).empty())
      out_ += special(d);
    else
      out_ += verb == 'f' ? fmt::format("{:.{}f}", d, precision) : fmt::format("{:.{}e}", d, precision);
    return pay();
  }

  Result<> text(const Value& value) {
    TRY_OK(run_.spend(1));
    if (const auto* list = value.if_list()) {
      out_ += '[';
      for (std::size_t i = 0; i < list->size(); ++i) {
        if (i > 0) out_ += ", ";
        TRY_OK(text(list->at(i)));
      }
      out_ += ']';
      return pay();
    }
    if (const auto* map = value.if_map()) return text_of(*map);
    if (const auto* d = value.if_double(); d != nullptr && !special(*d).empty()) {
      out_ += special(*d);
      return {};
    }
    if (value.if_optional() != nullptr || (value.if_object() != nullptr)) return wrong('s', value);
    out_ += plain_text(value);
    return pay();
  }
  // By the text of their keys.
  Result<> text_of(const Map& map) {
    TRY_OK(run_.spend(map.size()));
    std::vector<std::pair<std::string, std::size_t>> keys;
    for (std::size_t i = 0; i < map.size(); ++i) keys.emplace_back(plain_text(map.key(i)), i);
    std::ranges::sort(keys);
    out_ += '{';
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i > 0) out_ += ", ";
      out_ += keys[i].first + ": ";
      TRY_OK(text(map.value(keys[i].second)));
    }
    out_ += '}';
    return pay();
  }
  static Fail wrong(char verb, const Value& arg) {
    return fail(Kind::invalid, "format: no such overload: %{} of {}", verb, arg.type());
  }

  Run& run_;
  const List& args_;
  std::size_t next_ = 0, paid_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> format(Run& run, std::string_view pattern, const List& args) {
  return Formatter(run, args).whole(pattern);
}

}  // namespace slipway::cel::detail
