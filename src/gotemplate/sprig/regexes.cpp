// Go's regular expressions are RE2's.
#include <re2/re2.h>

#include "gotemplate/detail/utf8.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

using Regex = std::unique_ptr<RE2>;

// What Go calls the same mistakes.
std::string_view words_of(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "invalid or unsupported Perl syntax";
  }
}

Result<Regex> compile(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(4 << 20);
  auto regex = std::make_unique<RE2>(pattern, options);
  if (!regex->ok()) return wrong("error parsing regexp: {}: `{}`", words_of(regex->error_code()), regex->error_arg());
  return regex;
}

// Calls `found` with the groups of each match from left to right, at most `n` times; below 0 for all.
template <class Found>
void each_match(const RE2& regex, std::string_view s, std::int64_t n, const Found& found) {
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1);
  re2::StringPiece input(s.data(), s.size());
  std::size_t at = 0, last_end = std::string_view::npos;
  for (std::int64_t count = 0; at <= s.size() && (n < 0 || count < n);) {
    if (!regex.Match(input, at, s.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()))) return;
    auto start = static_cast<std::size_t>(groups[0].data() - s.data()), end = start + groups[0].size();
    // An empty match right behind another is none.
    if (!groups[0].empty() || start != last_end) {
      found(groups, start, end);
      ++count;
    }
    last_end = end;
    at = groups[0].empty() ? end + (end < s.size() ? detail::rune_at(s, end).bytes : 1) : end;
  }
}

// $1, ${name}, $$ of a replacement.
std::string expand(const RE2& regex, std::string_view replacement, const std::vector<re2::StringPiece>& groups) {
  std::string out;
  for (std::size_t i = 0; i < replacement.size();) {
    if (replacement[i] != '$') {
      out += replacement[i++];
      continue;
    }
    if (++i < replacement.size() && replacement[i] == '$') {
      out += replacement[i++];
      continue;
    }
    bool braces = i < replacement.size() && replacement[i] == '{';
    auto from = braces ? i + 1 : i, end = from;
    while (end < replacement.size() &&
           (std::isalnum(static_cast<unsigned char>(replacement[end])) || replacement[end] == '_'))
      ++end;
    bool good = end > from && (!braces || (end < replacement.size() && replacement[end] == '}'));
    if (!good) {
      out += '$';
      continue;
    }
    std::string name(replacement.substr(from, end - from));
    i = end + (braces ? 1 : 0);
    std::size_t group = groups.size();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      if (name.size() < 6) group = std::stoul(name);
    } else if (auto known = regex.NamedCapturingGroups().find(name); known != regex.NamedCapturingGroups().end()) {
      group = static_cast<std::size_t>(known->second);
    }
    if (group < groups.size()) out += std::string_view(groups[group].data(), groups[group].size());
  }
  return out;
}

Result<Value> match(const Items& a) {
  TRY(auto regex, compile(text(a[0])));
  return Value(RE2::PartialMatch(text(a[1]), *regex));
}

Result<Value> find_all(const Items& a) {
  TRY(auto regex, compile(text(a[0])));
  std::vector<std::string> out;
  const auto& s = text(a[1]);
  each_match(*regex, s, num(a[2]),
             [&](const auto&, std::size_t from, std::size_t to) { out.push_back(s.substr(from, to - from)); });
  return strings(std::move(out));
}

Result<Value> find(const Items& a) {
  TRY(auto regex, compile(text(a[0])));
  std::string out;
  const auto& s = text(a[1]);
  each_match(*regex, s, 1, [&](const auto&, std::size_t from, std::size_t to) { out = s.substr(from, to - from); });
  return Value(std::move(out));
}

Result<Value> replace(const Items& a, bool literal) {
  TRY(auto regex, compile(text(a[0])));
  const auto& s = text(a[1]);
  std::string out;
  std::size_t at = 0;
  bool large = false;
  each_match(*regex, s, -1, [&](const auto& groups, std::size_t from, std::size_t to) {
    if (large) return;
    out += s.substr(at, from - at);
    out += literal ? text(a[2]) : expand(*regex, text(a[2]), groups);
    large = out.size() > most_bytes;
    at = to;
  });
  if (large) return wrong("the result of a replacement is too large");
  return Value(out + s.substr(at));
}

Result<Value> split(const Items& a) {
  TRY(auto regex, compile(text(a[0])));
  const auto& s = text(a[1]);
  auto n = num(a[2]);
  std::vector<std::string> out;
  if (n == 0) return strings({});
  if (!text(a[0]).empty() && s.empty()) return strings({""});
  std::size_t at = 0, last = 0;
  each_match(*regex, s, n, [&](const auto&, std::size_t from, std::size_t to) {
    if (n > 0 && static_cast<std::int64_t>(out.size()) == n - 1) return;
    last = from;
    if (to != 0) out.push_back(s.substr(at, from - at));
    at = to;
  });
  if (last != s.size() || n > 0)
    out.push_back(s.substr(at));
  else if (at != s.size())
    out.push_back(s.substr(at));
  return strings(std::move(out));
}

}  // namespace

Rows regex_rows() {
  auto plain = [](const Items& a) { return replace(a, false); };
  auto literal = [](const Items& a) { return replace(a, true); };
  auto forgiving = [](const Items& a) -> Result<Value> { return match(a).value_or(Value(false)); };
  return {{"regexMatch", {"ss", forgiving}},
          {"mustRegexMatch", {"ss", match}},
          {"regexFindAll", {"ssi", find_all}},
          {"mustRegexFindAll", {"ssi", find_all}},
          {"regexFind", {"ss", find}},
          {"mustRegexFind", {"ss", find}},
          {"regexReplaceAll", {"sss", plain}},
          {"mustRegexReplaceAll", {"sss", plain}},
          {"regexReplaceAllLiteral", {"sss", literal}},
          {"mustRegexReplaceAllLiteral", {"sss", literal}},
          {"regexSplit", {"ssi", split}},
          {"mustRegexSplit", {"ssi", split}},
          {"regexQuoteMeta", strings_to("s", [](const Items& a) {
             std::string out;
             for (char c : text(a[0])) {
               if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
               out += c;
             }
             return out;
           })}};
}

}  // namespace slipway::gotemplate::sprig
