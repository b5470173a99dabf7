// Semantic versions, PEP 440, RubyGems, NuGet, Composer.
#include "base/text.h"
#include "scan/detail/versions.h"

namespace slipway::scan::detail {
namespace {

// Takes the next part up to `separator` off the front.
std::string_view take_until(std::string_view& text, char separator) {
  auto at = text.find(separator);
  auto part = text.substr(0, at);
  text = at == text.npos ? std::string_view() : text.substr(at + 1);
  return part;
}

bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; }

// Pre-release identifiers: numbers below words, a longer list above its own start.
int compare_identifiers(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    if (a.empty() || b.empty()) return a.empty() ? -1 : 1;
    auto x = take_until(a, '.'), y = take_until(b, '.');
    bool nx = all_digits(x), ny = all_digits(y);
    if (nx != ny) return nx ? -1 : 1;
    if (int order = nx ? compare_digits(x, y) : sign(x.compare(y)); order != 0) return order;
  }
  return 0;
}

struct Release {
  std::string_view core, pre;
};
Release split_release(std::string_view text) {
  if (!text.empty() && (text[0] == 'v' || text[0] == 'V' || text[0] == '=')) text.remove_prefix(1);
  text = text.substr(0, text.find('+'));
  Release release{text, {}};
  if (auto hyphen = text.find('-'); hyphen != text.npos) release = {text.substr(0, hyphen), text.substr(hyphen + 1)};
  return release;
}

// Dotted numbers; a missing one counts as 0, a word in the place of one is below every number.
int compare_core(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    auto x = take_until(a, '.'), y = take_until(b, '.');
    auto nx = x.empty() || all_digits(x), ny = y.empty() || all_digits(y);
    if (nx != ny) return nx ? 1 : -1;
    if (int order = nx ? compare_digits(x, y) : sign(x.compare(y)); order != 0) return order;
  }
  return 0;
}

// PEP 440, parsed once; what does not fit the grammar is `valid == false` and sorts below all that does.
struct PythonVersion {
  bool valid = false;
  std::string_view epoch;
  std::vector<std::string_view> release;
  int pre = 0;  // 1 a, 2 b, 3 rc; 0 none
  std::string_view pre_number;
  bool post = false, dev = false;
  std::string_view post_number, dev_number;
  std::vector<std::string> local;
};

class PythonReader {
 public:
  explicit PythonReader(std::string text) : text_(std::move(text)), rest_(text_) {}

  PythonVersion read() {
    PythonVersion v;
    if (rest_.starts_with('v')) rest_.remove_prefix(1);
    auto look = rest_;
    if (auto epoch = take_digits(look); !epoch.empty() && look.starts_with('!')) {
      v.epoch = epoch;
      rest_ = look.substr(1);
    }
    do {
      auto digits = take_digits(rest_);
      if (digits.empty()) return v;
      v.release.push_back(digits);
    } while (rest_.size() > 1 && rest_[0] == '.' && is_digit(rest_[1]) && (rest_.remove_prefix(1), true));
    while (v.release.size() > 1 && v.release.back().find_first_not_of('0') == std::string_view::npos)
      v.release.pop_back();
    read_pre(v);
    read_post(v);
    if (word({"dev"})) v.dev = true, v.dev_number = number();
    read_local(v);
    v.valid = rest_.empty();
    return v;
  }

 private:
  bool word(std::initializer_list<std::string_view> names, bool separator_allowed = true) {
    auto look = rest_;
    if (separator_allowed && !look.empty() && std::string_view(".-_").find(look[0]) != std::string_view::npos)
      look.remove_prefix(1);
    for (auto name : names) {
      if (!look.starts_with(name)) continue;
      rest_ = look.substr(name.size());
      return true;
    }
    return false;
  }
  std::string_view number() {
    auto look = rest_;
    if (!look.empty() && std::string_view(".-_").find(look[0]) != std::string_view::npos) look.remove_prefix(1);
    auto digits = take_digits(look);
    if (!digits.empty()) rest_ = look;
    return digits;
  }
  void read_pre(PythonVersion& v) {
    if (word({"alpha"}))
      v.pre = 1;
    else if (word({"beta"}))
      v.pre = 2;
    else if (word({"preview", "pre", "rc"}))
      v.pre = 3;
    else if (word({"a"}))
      v.pre = 1;
    else if (word({"b"}))
      v.pre = 2;
    else if (word({"c"}))
      v.pre = 3;
    if (v.pre != 0) v.pre_number = number();
  }
  void read_post(PythonVersion& v) {
    if (rest_.size() > 1 && rest_[0] == '-' && is_digit(rest_[1])) {
      rest_.remove_prefix(1);
      v.post = true, v.post_number = take_digits(rest_);
    } else if (word({"post", "rev", "r"})) {
      v.post = true, v.post_number = number();
    }
  }
  void read_local(PythonVersion& v) {
    if (!rest_.starts_with('+')) return;
    std::string part;
    for (char c : rest_.substr(1)) {
      if (c == '.' || c == '-' || c == '_')
        v.local.push_back(std::exchange(part, {}));
      else if (is_digit(c) || is_alpha(c))
        part.push_back(c);
      else
        return;
    }
    v.local.push_back(part);
    rest_ = {};
  }
  std::string text_;
  std::string_view rest_;
};

int compare_flag(bool a, bool b) { return static_cast<int>(a) - static_cast<int>(b); }

// dev alone < a < b < rc < final < post
int pre_rank(const PythonVersion& v) {
  if (v.pre != 0) return v.pre;
  return v.dev && !v.post ? 0 : 4;
}

int compare_local(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    bool x = all_digits(a[i]), y = all_digits(b[i]);
    if (x != y) return x ? 1 : -1;
    if (int order = x ? compare_digits(a[i], b[i]) : sign(a[i].compare(b[i])); order != 0) return order;
  }
  return compare_flag(a.size() > b.size(), b.size() > a.size());
}

int compare_python(const PythonVersion& a, const PythonVersion& b) {
  if (int order = compare_digits(a.epoch, b.epoch); order != 0) return order;
  for (std::size_t i = 0; i < std::max(a.release.size(), b.release.size()); ++i) {
    auto part = [&](const PythonVersion& v) { return i < v.release.size() ? v.release[i] : std::string_view(); };
    if (int order = compare_digits(part(a), part(b)); order != 0) return order;
  }
  if (int order = pre_rank(a) - pre_rank(b); order != 0) return sign(order);
  if (int order = compare_digits(a.pre_number, b.pre_number); order != 0) return order;
  if (int order = compare_flag(a.post, b.post); order != 0) return order;
  if (int order = compare_digits(a.post_number, b.post_number); order != 0) return order;
  if (int order = compare_flag(b.dev, a.dev); order != 0) return order;
  if (int order = compare_digits(a.dev_number, b.dev_number); order != 0) return order;
  return compare_local(a.local, b.local);
}

// Gem::Version: runs of digits and of letters; "-" reads as ".pre.".
std::vector<std::string> gem_parts(std::string_view text) {
  std::vector<std::string> parts;
  auto whole = replace_all(std::string(text), "-", ".pre.");
  for (std::size_t i = 0; i < whole.size();) {
    auto kind = [](char c) { return is_digit(c) ? 1 : is_alpha(c) ? 2 : 0; };
    int k = kind(whole[i]);
    auto from = i;
    while (i < whole.size() && kind(whole[i]) == k) ++i;
    if (k != 0) parts.push_back(whole.substr(from, i - from));
  }
  auto drop_zeros = [](std::vector<std::string>& list, std::size_t from, std::size_t to) {
    while (to > from && list[to - 1].find_first_not_of('0') == std::string::npos)
      list.erase(list.begin() + static_cast<long>(--to));
  };
  std::size_t word = 0;
  while (word < parts.size() && is_digit(parts[word][0])) ++word;
  drop_zeros(parts, word, parts.size());
  drop_zeros(parts, 0, word);
  return parts;
}

}  // namespace

int compare_semver(std::string_view a, std::string_view b) {
  auto x = split_release(a), y = split_release(b);
  if (int order = compare_core(x.core, y.core); order != 0) return order;
  if (x.pre.empty() != y.pre.empty()) return x.pre.empty() ? 1 : -1;
  return compare_identifiers(x.pre, y.pre);
}

int compare_pep440(std::string_view a, std::string_view b) {
  PythonReader read_a(lower(trim(a))), read_b(lower(trim(b)));
  auto x = read_a.read(), y = read_b.read();
  if (x.valid != y.valid) return x.valid ? 1 : -1;
  return x.valid ? compare_python(x, y) : sign(a.compare(b));
}

int compare_gem(std::string_view a, std::string_view b) {
  auto x = gem_parts(a), y = gem_parts(b);
  for (std::size_t i = 0; i < std::max(x.size(), y.size()); ++i) {
    const std::string zero = "0";
    const auto& p = i < x.size() ? x[i] : zero;
    const auto& q = i < y.size() ? y[i] : zero;
    bool np = is_digit(p[0]), nq = is_digit(q[0]);
    if (np != nq) return np ? 1 : -1;
    if (int order = np ? compare_digits(p, q) : sign(p.compare(q)); order != 0) return order;
  }
  return 0;
}

int compare_nuget(std::string_view a, std::string_view b) {
  auto low_a = lower(a), low_b = lower(b);
  return compare_semver(low_a, low_b);
}

int compare_composer(std::string_view a, std::string_view b) {
  // PHP's version_compare order: any word < dev < alpha < beta < RC < "#" (a number) < pl.
  auto tokens = [](std::string_view text) {
    std::vector<std::string> list;
    if (!text.empty() && (text[0] == 'v' || text[0] == 'V')) text.remove_prefix(1);
    text = text.substr(0, text.find('+'));
    int last = 0;
    for (char c : text) {
      int kind = is_digit(c) ? 1 : is_alpha(c) ? 2 : 0;
      if (kind != 0 && kind != last) list.emplace_back();
      if (kind != 0) list.back().push_back(static_cast<char>(c | (kind == 2 ? 0x20 : 0)));
      last = kind;
    }
    return list;
  };
  auto rank = [](const std::string& token) {
    if (is_digit(token[0])) return 5;
    if (token == "dev") return 0;
    if (token == "a" || token == "alpha") return 1;
    if (token == "b" || token == "beta") return 2;
    if (token == "rc" || token == "c") return 3;
    if (token == "pl" || token == "p" || token == "patch") return 6;
    return -1;
  };
  auto x = tokens(a), y = tokens(b);
  for (std::size_t i = 0; i < std::max(x.size(), y.size()); ++i) {
    // The end ranks between RC and a patch; a number above zero is beyond it.
    int rx = i < x.size() ? rank(x[i]) : 4, ry = i < y.size() ? rank(y[i]) : 4;
    if ((rx == 4 && ry == 5) || (rx == 5 && ry == 4)) {
      const auto& number = rx == 5 ? x[i] : y[i];
      if (number.find_first_not_of('0') == std::string::npos) continue;  // 1.0 is 1.0.0
    }
    if (rx != ry) return rx < ry ? -1 : 1;
    if (rx == 5)
      if (int order = compare_digits(x[i], y[i]); order != 0) return order;
    if (rx == -1)
      if (int order = sign(x[i].compare(y[i])); order != 0) return order;
  }
  return 0;
}

}  // namespace slipway::scan::detail
