#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "gotemplate/detail/utf8.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

std::string trim_set(std::string_view s, std::string_view set) {
  auto first = s.find_first_not_of(set);
  if (first == std::string_view::npos) return "";
  return std::string(s.substr(first, s.find_last_not_of(set) - first + 1));
}

Result<Value> repeat(const Items& a) {
  auto count = num(a[0]);
  if (count < 0) return wrong("strings: negative Repeat count");
  TRY_OK(within(text(a[1]).empty() ? 0 : static_cast<std::size_t>(count),
                most_bytes / std::max<std::size_t>(text(a[1]).size(), 1), "the count of repeat"));
  std::string out;
  for (std::int64_t i = 0; i < count && !text(a[1]).empty(); ++i) out += text(a[1]);
  return Value(std::move(out));
}

Result<Value> indented(const Items& a, std::string_view before) {
  auto spaces = num(a[0]);
  if (spaces < 0) return wrong("strings: negative Repeat count");
  const auto& body = text(a[1]);
  auto breaks = static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n'));
  TRY_OK(within(static_cast<std::size_t>(spaces), most_bytes / (breaks + 1), "the indentation"));
  std::string pad(static_cast<std::size_t>(spaces), ' ');
  return Value(std::string(before) + pad + replace_all(body, "\n", "\n" + pad));
}

Result<Value> trunc(const Items& a) {
  auto n = num(a[0]);
  const auto& s = text(a[1]);
  auto size = static_cast<std::int64_t>(s.size());
  if (n < 0 && size + n > 0) return Value(s.substr(static_cast<std::size_t>(size + n)));
  if (n >= 0 && size > n) return Value(s.substr(0, static_cast<std::size_t>(n)));
  return Value(s);
}

Result<Value> substr(const Items& a) {
  auto from = num(a[0]), to = num(a[1]);
  const auto& s = text(a[2]);
  auto size = static_cast<std::int64_t>(s.size());
  if (from < 0)
    from = 0;
  else if (to < 0 || to > size)
    to = size;
  if (from > to || to > size || to < 0) return wrong("slice bounds out of range [{}:{}]", from, to);
  return Value(s.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
}

Value numbered(std::vector<std::string_view> parts) {
  Dict dict;
  for (std::size_t i = 0; i < parts.size(); ++i) dict.emplace(fmt::format("_{}", i), parts[i]);
  return dict;
}

// As strings.SplitN: at most `n` parts, all of them below 0.
std::vector<std::string_view> split_n(std::string_view separator, std::string_view s, std::int64_t n) {
  std::vector<std::string_view> parts;
  if (n == 0) return parts;
  if (separator.empty()) {
    while (!s.empty() && (n < 0 || static_cast<std::int64_t>(parts.size()) + 1 < n)) {
      auto bytes = detail::rune_at(s, 0).bytes;
      parts.push_back(s.substr(0, bytes));
      s.remove_prefix(bytes);
    }
    if (!s.empty()) parts.push_back(s);
    return parts;
  }
  while (n < 0 || static_cast<std::int64_t>(parts.size()) + 1 < n) {
    auto at = s.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(s.substr(0, at));
    s.remove_prefix(at + separator.size());
  }
  parts.push_back(s);
  return parts;
}

std::string quoted_all(const Items& a, bool single) {
  std::vector<std::string> out;
  for (const auto& value : a)
    if (!value.nothing()) out.push_back(single ? "'" + print(value) + "'" : go_quote(strval(value)));
  return join(out, " ");
}

std::string cat(const Items& a) {
  std::vector<std::string> out;
  for (const auto& value : a)
    if (!value.nothing()) out.push_back(print(value));
  return join(out, " ");
}

std::string replaced(const Items& a) {
  if (!text(a[0]).empty()) return replace_all(text(a[2]), text(a[0]), text(a[1]));
  std::string out = text(a[1]);
  for (auto part : split_n("", text(a[2]), -1)) out += std::string(part) + text(a[1]);
  return out;
}

Function random_of(std::string_view letters) {
  return {"i", [letters](const Items& a) -> Result<Value> {
            if (num(a[0]) < 0) return Value("");
            TRY_OK(within(static_cast<std::size_t>(num(a[0])), most_bytes, "the count"));
            std::string out;
            while (out.size() < static_cast<std::size_t>(num(a[0]))) {
              auto byte = static_cast<unsigned char>(random_bytes(1)[0]);
              // Bytes beyond the last whole multiple would favour the first letters.
              if (byte < 256 / letters.size() * letters.size()) out += letters[byte % letters.size()];
            }
            return Value(std::move(out));
          }};
}
constexpr std::string_view digits = "0123456789", alpha = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                           alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                           ascii =
                               " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                               "abcdefghijklmnopqrstuvwxyz{|}~";

}  // namespace

Rows string_rows() {
  auto trim_all = strings_to("ss", [](const Items& a) { return trim_set(text(a[1]), text(a[0])); });
  return {
      {"trim", strings_to("s", [](const Items& a) { return std::string(trim(text(a[0]))); })},
      {"trimAll", trim_all},
      {"trimall", trim_all},
      {"trimSuffix", strings_to("ss",
                                [](const Items& a) {
                                  auto s = text(a[1]);
                                  if (s.ends_with(text(a[0]))) s.resize(s.size() - text(a[0]).size());
                                  return s;
                                })},
      {"trimPrefix", strings_to("ss",
                                [](const Items& a) {
                                  const auto& s = text(a[1]);
                                  return s.starts_with(text(a[0])) ? s.substr(text(a[0]).size()) : s;
                                })},
      {"repeat", {"is", repeat}},
      {"substr", {"iis", substr}},
      {"trunc", {"is", trunc}},
      {"contains", strings_to("ss", [](const Items& a) { return text(a[1]).find(text(a[0])) != std::string::npos; })},
      {"hasPrefix", strings_to("ss", [](const Items& a) { return text(a[1]).starts_with(text(a[0])); })},
      {"hasSuffix", strings_to("ss", [](const Items& a) { return text(a[1]).ends_with(text(a[0])); })},
      {"quote", strings_to("a*", [](const Items& a) { return quoted_all(a, false); })},
      {"squote", strings_to("a*", [](const Items& a) { return quoted_all(a, true); })},
      {"cat", strings_to("a*", cat)},
      {"indent", {"is", [](const Items& a) { return indented(a, ""); }}},
      {"nindent", {"is", [](const Items& a) { return indented(a, "\n"); }}},
      {"replace", strings_to("sss", replaced)},
      {"plural", strings_to("ssi", [](const Items& a) { return num(a[2]) == 1 ? text(a[0]) : text(a[1]); })},
      {"split", strings_to("ss", [](const Items& a) { return numbered(split_n(text(a[0]), text(a[1]), -1)); })},
      {"splitn",
       strings_to("sis", [](const Items& a) { return numbered(split_n(text(a[0]), text(a[2]), num(a[1]))); })},
      {"splitList", strings_to("ss",
                               [](const Items& a) {
                                 std::vector<std::string> out;
                                 for (auto part : split_n(text(a[0]), text(a[1]), -1)) out.emplace_back(part);
                                 return strings(std::move(out));
                               })},
      {"join", strings_to("sa", [](const Items& a) { return join(to_strings(a[1]), text(a[0])); })},
      {"toString", strings_to("a", [](const Items& a) { return strval(a[0]); })},
      {"toStrings", strings_to("a", [](const Items& a) { return strings(to_strings(a[0])); })},
      {"randAlphaNum", random_of(alnum)},
      {"randAlpha", random_of(alpha)},
      {"randNumeric", random_of(digits)},
      {"randAscii", random_of(ascii)},
      {"uuidv4", strings_to("", [](const Items&) { return uuid4(); })},
      {"hello", strings_to("", [](const Items&) { return "Hello!"; })},
      {"fail", {"s", [](const Items& a) -> Result<Value> { return wrong("{}", text(a[0])); }}},
  };
}

}  // namespace slipway::gotemplate::sprig
