// Semantic versions and ranges of them. Rules: semver.org 2.0, and Masterminds' constraints as Helm's charts use them:
// a pre-release fits only where the constraint names one.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

struct Version {
  std::array<std::int64_t, 3> n{};
  std::string pre, build, original;
  std::string str() const {
    return fmt::format("{}.{}.{}{}{}", n[0], n[1], n[2], pre.empty() ? "" : "-" + pre,
                       build.empty() ? "" : "+" + build);
  }
};

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
int compare(const Version& a, const Version& b) {
  if (a.n != b.n) return a.n < b.n ? -1 : 1;
  return compare_pre(a.pre, b.pre);
}

struct Constraint {
  std::string op;
  Version version;
  int given = 3;  // below 3: a range
};

bool same_up_to(const Constraint& c, const Version& v, int count) {
  return std::equal(c.version.n.begin(), c.version.n.begin() + count, v.n.begin());
}

// ~1.2.3: the same minor version; ~1: the same major one.
bool tilde(const Constraint& c, const Version& v) {
  if (compare(v, c.version) < 0) return false;
  return c.given == 0 || same_up_to(c, v, c.given == 1 ? 1 : 2);
}
// ^1.2.3: the same up to the first number that is not zero.
bool caret(const Constraint& c, const Version& v) {
  if (compare(v, c.version) < 0) return false;
  if (c.version.n[0] > 0 || c.given < 2) return same_up_to(c, v, 1);
  if (c.version.n[1] > 0 || c.given < 3) return same_up_to(c, v, 2);
  return same_up_to(c, v, 3);
}

bool holds(const Constraint& c, const Version& v) {
  bool pre = !v.pre.empty() && c.version.pre.empty();
  if (c.op == "!=") {
    if (c.given == 3) return compare(v, c.version) != 0;
    return !pre && !same_up_to(c, v, c.given);
  }
  if (pre) return false;
  auto order = compare(v, c.version);
  if (c.op == ">") return c.given == 3 ? order > 0 : order > 0 && !same_up_to(c, v, c.given);
  if (c.op == "<") return order < 0;
  if (c.op == ">=" || c.op == "=>") return order >= 0;
  if (c.op == "<=" || c.op == "=<") return order <= 0 || (c.given < 3 && same_up_to(c, v, c.given));
  if (c.op == "^") return caret(c, v);
  if (c.op == "~" || c.op == "~>") return tilde(c, v);
  return c.given == 3 ? order == 0 : tilde(c, v);
}

Result<Version> version_of(std::string_view text) {
  auto loose = parse_loose(text, false);
  if (!loose || loose->given == 0) return wrong("Invalid Semantic Version");
  return loose->version;
}

Result<Constraint> constraint_of(std::string_view text) {
  Constraint c;
  auto end = std::min(text.find_first_not_of("=!<>~^"), text.size());
  c.op = text.substr(0, end);
  static constexpr std::array ops{"", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"};
  auto loose = parse_loose(trim(text.substr(end)), true);
  if (!loose || std::find(ops.begin(), ops.end(), c.op) == ops.end()) return wrong("improper constraint: {}", text);
  c.version = loose->version, c.given = loose->given;
  return c;
}

// ">=1.2 <2", ">= 1.2, < 2", "1.2 - 2": all of them.
Result<bool> all_hold(std::string_view text, const Version& version) {
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
  bool good = true;
  for (const auto& word : words) {
    TRY(auto constraint, constraint_of(word));
    good = good && holds(constraint, version);
  }
  return good;
}

Result<Value> semver_compare(const Items& a) {
  bool any = false;
  TRY(auto version, version_of(text(a[1])));
  std::string_view rest = text(a[0]);
  for (;;) {
    auto or_ = cut(rest, "||");
    TRY(auto one, all_hold(or_ ? or_->first : rest, version));
    any = any || one;
    if (!or_) return Value(any);
    rest = or_->second;
  }
}

class VersionObject final : public Object {
 public:
  explicit VersionObject(Version version) : version_(std::move(version)) {}
  std::string go_type() const override { return "*semver.Version"; }
  std::string print() const override { return version_.str(); }
  std::optional<Result<Value>> call(std::string_view name, const Items& a) const override {
    if (name == "Major") return Value(int64(version_.n[0]));
    if (name == "Minor") return Value(int64(version_.n[1]));
    if (name == "Patch") return Value(int64(version_.n[2]));
    if (name == "Prerelease") return Value(version_.pre);
    if (name == "Metadata") return Value(version_.build);
    if (name == "Original") return Value(version_.original);
    if (name == "String") return Value(version_.str());
    if (name != "Compare") return std::nullopt;
    const auto* other = a.size() == 1 ? dynamic_cast<const VersionObject*>(a[0].if_object()) : nullptr;
    if (other == nullptr) return wrong("want one other version");
    return Value(compare(version_, other->version_));
  }

 private:
  Version version_;
};

}  // namespace

Rows version_rows() {
  return {{"semver",
           {"s",
            [](const Items& a) -> Result<Value> {
              TRY(auto version, version_of(text(a[0])));
              return Value(std::static_pointer_cast<const Object>(std::make_shared<VersionObject>(std::move(version))));
            }}},
          {"semverCompare", {"ss", semver_compare}}};
}

}  // namespace slipway::gotemplate::sprig
