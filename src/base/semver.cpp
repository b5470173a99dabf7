#include "base/semver.h"

#include <algorithm>

#include "base/text.h"

namespace slipway {
namespace {

bool identifiers(std::string_view text) {
  for (auto part : split(text, '.')) {
    if (part.empty()) return false;
    for (char c : part)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') return false;
  }
  return true;
}

// How many numbers were given, and which of them are x.
struct Loose {
  Version version;
  int given = 0;  // numbers before the first that is missing or x
};
std::optional<Loose> parse_loose(std::string_view text, bool wildcards) {
  Loose out;
  out.version.original = text;
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  if (auto plus = text.find('+'); plus != std::string_view::npos) {
    out.version.build = text.substr(plus + 1), text = text.substr(0, plus);
    if (!identifiers(out.version.build)) return std::nullopt;
  }
  if (auto dash = text.find('-'); dash != std::string_view::npos) {
    out.version.pre = text.substr(dash + 1), text = text.substr(0, dash);
    if (!identifiers(out.version.pre)) return std::nullopt;
  }
  auto parts = split(text, '.');
  if (parts.size() > 3) return std::nullopt;
  bool open = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (wildcards && (parts[i] == "x" || parts[i] == "X" || parts[i] == "*")) {
      open = true;
      continue;
    }
    auto n = to_int(parts[i]);
    if (!n || parts[i].find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    if (open) continue;
    out.version.n[i] = *n;
    ++out.given;
  }
  return out;
}

int compare_pre(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 0 : a.empty() ? 1 : -1;
  auto x = split(a, '.'), y = split(b, '.');
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (x[i] == y[i]) continue;
    auto m = to_int(x[i]), n = to_int(y[i]);
    if (m && n) return *m < *n ? -1 : 1;
    if (m || n) return m ? -1 : 1;
    return x[i] < y[i] ? -1 : 1;
  }
  return x.size() == y.size() ? 0 : x.size() < y.size() ? -1 : 1;
}
}  // namespace

std::optional<Version> Version::parse(std::string_view text) {
  auto loose = parse_loose(text, false);
  if (!loose || loose->given == 0) return std::nullopt;
  return std::move(loose->version);
}

std::string Version::str() const {
  return fmt::format("{}.{}.{}{}{}", n[0], n[1], n[2], pre.empty() ? "" : "-" + pre, build.empty() ? "" : "+" + build);
}

int compare(const Version& a, const Version& b) {
  if (a.n != b.n) return a.n < b.n ? -1 : 1;
  return compare_pre(a.pre, b.pre);
}

bool VersionRange::Constraint::same_up_to(const Version& v, int count) const {
  return std::equal(version.n.begin(), version.n.begin() + count, v.n.begin());
}

// ~1.2.3: the same minor version; ~1: the same major one.
bool VersionRange::Constraint::tilde(const Version& v) const {
  if (compare(v, version) < 0) return false;
  return given == 0 || same_up_to(v, given == 1 ? 1 : 2);
}

// ^1.2.3: the same up to the first number that is not zero.
bool VersionRange::Constraint::caret(const Version& v) const {
  if (compare(v, version) < 0) return false;
  if (version.n[0] > 0 || given < 2) return same_up_to(v, 1);
  if (version.n[1] > 0 || given < 3) return same_up_to(v, 2);
  return same_up_to(v, 3);
}

bool VersionRange::Constraint::holds(const Version& v) const {
  bool pre = !v.pre.empty() && version.pre.empty();
  if (op == "!=") {
    if (given == 3) return compare(v, version) != 0;
    return !pre && !same_up_to(v, given);
  }
  if (pre) return false;
  auto order = compare(v, version);
  if (op == ">") return given == 3 ? order > 0 : order > 0 && !same_up_to(v, given);
  if (op == "<") return order < 0;
  if (op == ">=" || op == "=>") return order >= 0;
  if (op == "<=" || op == "=<") return order <= 0 || (given < 3 && same_up_to(v, given));
  if (op == "^") return caret(v);
  if (op == "~" || op == "~>") return tilde(v);
  return given == 3 ? order == 0 : tilde(v);
}

Result<VersionRange::Constraint> VersionRange::constraint(std::string_view text) {
  Constraint c;
  auto end = std::min(text.find_first_not_of("=!<>~^"), text.size());
  c.op = text.substr(0, end);
  static constexpr std::array ops{"", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"};
  auto loose = parse_loose(trim(text.substr(end)), true);
  if (!loose || std::find(ops.begin(), ops.end(), c.op) == ops.end())
    return fail(Kind::invalid, "improper constraint: {}", text);
  c.version = std::move(loose->version), c.given = loose->given;
  return c;
}

Result<std::vector<VersionRange::Constraint>> VersionRange::all_of(std::string_view text) {
  std::vector<std::string> words;
  for (auto comma : split(text, ','))
    for (auto word : split(comma, ' '))
      if (!word.empty()) words.emplace_back(word);
  for (std::size_t i = 0; i < words.size(); ++i) {
    bool bare = words[i].find_first_not_of("=!<>~^") == std::string::npos;
    if (bare && i + 1 < words.size()) {  // an operator by itself belongs to what follows
      words[i] += words[i + 1];
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
    if (i + 2 < words.size() && words[i + 1] == "-") {
      words[i + 1] = "<=" + words[i + 2], words[i] = ">=" + words[i];
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    }
  }
  if (words.empty()) words.emplace_back("*");
  std::vector<Constraint> all;
  for (const auto& word : words) {
    TRY(all.emplace_back(), constraint(word));
  }
  return all;
}

Result<VersionRange> VersionRange::parse(std::string_view text) {
  VersionRange range;
  for (;;) {
    auto or_ = cut(text, "||");
    TRY(range.any_.emplace_back(), all_of(or_ ? or_->first : text));
    if (!or_) return range;
    text = or_->second;
  }
}

bool VersionRange::holds(const Version& version) const {
  return std::any_of(any_.begin(), any_.end(), [&](const auto& all) {
    return std::all_of(all.begin(), all.end(), [&](const Constraint& c) { return c.holds(version); });
  });
}

std::optional<std::string> newest(const std::vector<std::string>& names, const VersionRange& range) {
  std::optional<Version> best;
  for (const auto& name : names)
    if (auto version = Version::parse(name); version && range.holds(*version))
      if (!best || compare(*version, *best) > 0) best = std::move(version);
  return best ? std::optional(best->original) : std::nullopt;
}

}  // namespace slipway
