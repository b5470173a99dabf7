// dpkg, apk and rpm.
#include "scan/detail/versions.h"

namespace slipway::scan::detail {
namespace {

// dpkg's order of one character: "~" before the end, then letters, then the rest.
int weight(std::string_view text, std::size_t i) {
  if (i >= text.size() || is_digit(text[i])) return 0;
  if (text[i] == '~') return -1;
  return is_alpha(text[i]) ? text[i] : static_cast<unsigned char>(text[i]) + 256;
}

int compare_dpkg_part(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    std::size_t i = 0;
    while ((i < a.size() && !is_digit(a[i])) || (i < b.size() && !is_digit(b[i]))) {
      int x = weight(a, i), y = weight(b, i);
      if (x != y) return x < y ? -1 : 1;
      ++i;
    }
    a.remove_prefix(std::min(i, a.size()));
    b.remove_prefix(std::min(i, b.size()));
    if (int order = compare_digits(take_digits(a), take_digits(b)); order != 0) return order;
  }
  return 0;
}

struct Parts {
  std::string_view epoch = "0", upstream, revision;
};

// An epoch is digits up to the first colon; the revision follows the last hyphen.
Parts split_epoch(std::string_view text) {
  Parts parts;
  if (auto colon = text.find(':'); colon != text.npos) {
    auto rest = text;
    if (take_digits(rest).size() == colon) {
      if (colon > 0) parts.epoch = text.substr(0, colon);
      text.remove_prefix(colon + 1);
    }
  }
  parts.upstream = text;
  if (auto hyphen = text.rfind('-'); hyphen != text.npos) {
    parts.upstream = text.substr(0, hyphen);
    parts.revision = text.substr(hyphen + 1);
  }
  return parts;
}

// rpmvercmp of rpm 4.18.
int compare_rpm_part(std::string_view a, std::string_view b) {
  auto separates = [](char c) { return !is_digit(c) && !is_alpha(c) && c != '~' && c != '^'; };
  while (!a.empty() || !b.empty()) {
    while (!a.empty() && separates(a[0])) a.remove_prefix(1);
    while (!b.empty() && separates(b[0])) b.remove_prefix(1);
    auto starts = [](std::string_view text, char c) { return !text.empty() && text[0] == c; };
    if (starts(a, '~') || starts(b, '~')) {
      if (!starts(a, '~')) return 1;
      if (!starts(b, '~')) return -1;
      a.remove_prefix(1), b.remove_prefix(1);
      continue;
    }
    if (starts(a, '^') || starts(b, '^')) {  // above the end, below any further text
      if (a.empty()) return -1;
      if (b.empty()) return 1;
      if (!starts(a, '^')) return 1;
      if (!starts(b, '^')) return -1;
      a.remove_prefix(1), b.remove_prefix(1);
      continue;
    }
    if (a.empty() || b.empty()) break;
    bool number = is_digit(a[0]);
    auto take = [&](std::string_view& text) {
      std::size_t n = 0;
      while (n < text.size() && (number ? is_digit(text[n]) : is_alpha(text[n]))) ++n;
      auto run = text.substr(0, n);
      text.remove_prefix(n);
      return run;
    };
    auto x = take(a), y = take(b);
    if (y.empty()) return number ? 1 : -1;
    if (int order = number ? compare_digits(x, y) : sign(x.compare(y)); order != 0) return order;
  }
  return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

// apk's version: read from the front, what is left makes it invalid.
class ApkVersion {
 public:
  explicit ApkVersion(std::string_view text) : rest_(text) {}

  // The dotted numbers, one at a time; nothing at their end.
  std::optional<std::string_view> number() {
    auto text = rest_;
    if (!first_ && !take('.', text)) return std::nullopt;
    auto digits = take_digits(text);
    if (digits.empty()) return std::nullopt;
    first_ = false, rest_ = text;
    return digits;
  }
  char letter() {
    if (rest_.empty() || rest_[0] < 'a' || rest_[0] > 'z') return 0;
    char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }
  struct Suffix {
    int weight;  // none stands at 5
    std::string_view number;
  };
  std::optional<Suffix> suffix() {
    static constexpr std::pair<std::string_view, int> names[] = {
        {"alpha", 1}, {"beta", 2}, {"pre", 3}, {"rc", 4}, {"cvs", 6}, {"svn", 7}, {"git", 8}, {"hg", 9}, {"p", 10}};
    auto text = rest_;
    if (!take('_', text)) return std::nullopt;
    for (auto [name, order] : names) {
      if (!text.starts_with(name) || (text.size() > name.size() && is_alpha(text[name.size()]))) continue;
      text.remove_prefix(name.size());
      auto digits = take_digits(text);
      rest_ = text;
      return Suffix{order, digits};
    }
    return std::nullopt;
  }
  std::string_view hash() {
    auto text = rest_;
    if (!take('~', text)) return {};
    std::size_t n = std::min(text.find_first_not_of("0123456789abcdef"), text.size());
    auto found = text.substr(0, n);
    rest_ = text.substr(n);
    return found;
  }
  std::optional<std::string_view> build() {
    auto text = rest_;
    if (!text.starts_with("-r")) return std::nullopt;
    text.remove_prefix(2);
    if (!text.empty() && is_alpha(text[0])) return std::nullopt;
    auto digits = take_digits(text);
    rest_ = text;
    return digits;
  }
  std::string_view rest() const { return rest_; }

 private:
  static bool take(char c, std::string_view& text) {
    if (text.empty() || text[0] != c) return false;
    text.remove_prefix(1);
    return true;
  }
  std::string_view rest_;
  bool first_ = true;
};

int compare_apk_numbers(ApkVersion& a, ApkVersion& b) {
  for (bool first = true;; first = false) {
    auto x = a.number(), y = b.number();
    if (!x || !y) return static_cast<int>(x.has_value()) - static_cast<int>(y.has_value());
    // After the first, a number with a leading zero counts as a decimal fraction: compared as text.
    bool as_text = !first && ((*x)[0] == '0' || (*y)[0] == '0');
    if (int order = as_text ? sign(x->compare(*y)) : compare_digits(*x, *y); order != 0) return order;
  }
}

int compare_apk_suffixes(ApkVersion& a, ApkVersion& b) {
  while (true) {
    auto x = a.suffix(), y = b.suffix();
    if (!x && !y) return 0;
    int wx = x ? x->weight : 5, wy = y ? y->weight : 5;
    if (wx != wy) return wx < wy ? -1 : 1;
    if (int order = compare_digits(x->number, y->number); order != 0) return order;
  }
}

}  // namespace

int compare_dpkg(std::string_view a, std::string_view b) {
  auto x = split_epoch(a), y = split_epoch(b);
  if (int order = compare_digits(x.epoch, y.epoch); order != 0) return order;
  if (int order = compare_dpkg_part(x.upstream, y.upstream); order != 0) return order;
  return compare_dpkg_part(x.revision, y.revision);
}

int compare_rpm(std::string_view a, std::string_view b) {
  auto x = split_epoch(a), y = split_epoch(b);
  if (int order = compare_digits(x.epoch, y.epoch); order != 0) return order;
  if (int order = compare_rpm_part(x.upstream, y.upstream); order != 0) return order;
  return compare_rpm_part(x.revision, y.revision);
}

int compare_apk(std::string_view a, std::string_view b) {
  ApkVersion x(a), y(b);
  if (int order = compare_apk_numbers(x, y); order != 0) return order;
  if (char p = x.letter(), q = y.letter(); p != q) return p < q ? -1 : 1;
  if (int order = compare_apk_suffixes(x, y); order != 0) return order;
  auto p = x.hash(), q = y.hash();
  if (p.empty() != q.empty()) return p.empty() ? -1 : 1;
  if (int order = sign(p.compare(q)); order != 0) return order;
  if (int order = compare_digits(x.build().value_or(""), y.build().value_or("")); order != 0) return order;
  // What is left is invalid text: below the valid; where a build number belongs its content has no meaning.
  if (x.rest().empty() != y.rest().empty()) return x.rest().empty() ? 1 : -1;
  return x.rest().starts_with('-') && y.rest().starts_with('-') ? 0 : sign(x.rest().compare(y.rest()));
}

}  // namespace slipway::scan::detail
