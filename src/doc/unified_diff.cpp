// Line differences by Myers' algorithm in linear space, printed in the unified form.
#include <algorithm>
#include <unordered_map>

#include "doc/patch.h"

namespace slipway::doc {
namespace {

using Ids = std::vector<std::uint32_t>;
constexpr int context = 3;
// Beyond this many edits in one stretch the stretch counts as replaced: texts that have nothing in common.
constexpr std::ptrdiff_t most_edits = 3000;

struct Lines {
  std::vector<std::string_view> text;  // with their ends
  Ids ids;
};

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> all;
  while (!text.empty()) {
    auto stop = text.find('\n');
    auto size = stop == std::string_view::npos ? text.size() : stop + 1;
    all.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return all;
}

class Myers {
 public:
  Myers(const Ids& a, const Ids& b) : a_(a), b_(b), gone(a.size()), come(b.size()) {}
  void run() { compare(0, static_cast<std::ptrdiff_t>(a_.size()), 0, static_cast<std::ptrdiff_t>(b_.size())); }

 private:
  using At = std::ptrdiff_t;
  struct Snake {
    At x = 0, y = 0, u = 0, v = 0;
    bool found = false;
  };
  bool equal(At x, At y) const { return a_[static_cast<std::size_t>(x)] == b_[static_cast<std::size_t>(y)]; }

  void compare(At a0, At a1, At b0, At b1) {
    while (a0 < a1 && b0 < b1 && equal(a0, b0)) ++a0, ++b0;
    while (a0 < a1 && b0 < b1 && equal(a1 - 1, b1 - 1)) --a1, --b1;
    if (a0 == a1 || b0 == b1) return mark(a0, a1, b0, b1);
    auto middle = middle_snake(a0, a1, b0, b1);
    bool splits = middle.found && !(middle.x == a0 && middle.y == b0 && middle.u == a0 && middle.v == b0) &&
                  !(middle.x == a1 && middle.y == b1);
    if (!splits) return mark(a0, a1, b0, b1);
    compare(a0, middle.x, b0, middle.y);
    compare(middle.u, a1, middle.v, b1);
  }

  void mark(At a0, At a1, At b0, At b1) {
    std::fill(gone.begin() + a0, gone.begin() + a1, true);
    std::fill(come.begin() + b0, come.begin() + b1, true);
  }

  // The stretch of equal lines in the middle of a shortest edit script, found from both ends at once.
  Snake middle_snake(At a0, At a1, At b0, At b1) {
    At n = a1 - a0, m = b1 - b0, delta = n - m, limit = std::min((n + m + 1) / 2, most_edits);
    At offset = limit + 1;
    bool odd = (delta & 1) != 0;
    forward_.assign(static_cast<std::size_t>(2 * limit + 3), 0);
    backward_.assign(static_cast<std::size_t>(2 * limit + 3), 0);
    auto front = [&](At k) -> At& { return forward_[static_cast<std::size_t>(k + offset)]; };
    auto back = [&](At k) -> At& { return backward_[static_cast<std::size_t>(k + offset)]; };
    for (At d = 0; d <= limit; ++d) {
      for (At k = -d; k <= d; k += 2) {
        At x = k == -d || (k != d && front(k - 1) < front(k + 1)) ? front(k + 1) : front(k - 1) + 1;
        At y = x - k, sx = x, sy = y;
        while (x < n && y >= 0 && y < m && equal(a0 + x, b0 + y)) ++x, ++y;
        front(k) = x;
        At reverse = delta - k;
        if (odd && reverse >= -(d - 1) && reverse <= d - 1 && x + back(reverse) >= n && sx <= n && sy >= 0 && y <= m &&
            x <= n) {
          return {a0 + sx, b0 + sy, a0 + x, b0 + y, true};
        }
      }
      for (At k = -d; k <= d; k += 2) {
        At x = k == -d || (k != d && back(k - 1) < back(k + 1)) ? back(k + 1) : back(k - 1) + 1;
        At y = x - k, sx = x, sy = y;
        while (x < n && y >= 0 && y < m && equal(a1 - 1 - x, b1 - 1 - y)) ++x, ++y;
        back(k) = x;
        At reverse = delta - k;
        if (!odd && reverse >= -d && reverse <= d && x + front(reverse) >= n && sx <= n && sy >= 0 && y <= m &&
            x <= n) {
          return {a1 - x, b1 - y, a1 - sx, b1 - sy, true};
        }
      }
    }
    return {};
  }

  const Ids &a_, &b_;
  std::vector<At> forward_, backward_;

 public:
  std::vector<bool> gone, come;
};

struct Hunk {
  std::size_t a0, a1, b0, b1;
};

std::vector<Hunk> changes_of(const Myers& m) {
  std::vector<Hunk> all;
  std::size_t i = 0, j = 0;
  while (i < m.gone.size() || j < m.come.size()) {
    Hunk h{i, i, j, j};
    while (h.a1 < m.gone.size() && m.gone[h.a1]) ++h.a1;
    while (h.b1 < m.come.size() && m.come[h.b1]) ++h.b1;
    bool changed = h.a1 != h.a0 || h.b1 != h.b0;
    if (changed) all.push_back(h);
    i = changed ? h.a1 : h.a1 + 1, j = changed ? h.b1 : h.b1 + 1;
  }
  return all;
}

void put(std::string& out, char sign, std::string_view line) {
  out += sign;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

std::string range(std::size_t from, std::size_t count) {
  if (count == 1) return fmt::format("{}", from + 1);
  return fmt::format("{},{}", count == 0 ? from : from + 1, count);
}

void print_group(std::string& out, std::span<const Hunk> group, const Lines& a, const Lines& b) {
  auto lead = std::min<std::size_t>(context, group.front().a0);
  auto tail = std::min<std::size_t>(context, a.text.size() - group.back().a1);
  auto a_from = group.front().a0 - lead, b_from = group.front().b0 - lead;
  out += fmt::format("@@ -{} +{} @@\n", range(a_from, group.back().a1 + tail - a_from),
                     range(b_from, group.back().b1 + tail - b_from));
  auto at = a_from;
  for (const auto& h : group) {
    for (; at < h.a0; ++at) put(out, ' ', a.text[at]);
    for (; at < h.a1; ++at) put(out, '-', a.text[at]);
    for (auto j = h.b0; j < h.b1; ++j) put(out, '+', b.text[j]);
  }
  for (std::size_t k = 0; k < tail; ++k) put(out, ' ', a.text[at + k]);
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name) {
  if (before == after) return {};
  Lines a{split_lines(before), {}}, b{split_lines(after), {}};
  std::unordered_map<std::string_view, std::uint32_t> known;
  for (auto* side : {&a, &b}) {
    side->ids.reserve(side->text.size());
    for (auto line : side->text)
      side->ids.push_back(known.try_emplace(line, static_cast<std::uint32_t>(known.size())).first->second);
  }
  Myers myers(a.ids, b.ids);
  myers.run();
  auto changes = changes_of(myers);
  auto out = fmt::format("--- {}\n+++ {}\n", before_name, after_name);
  for (std::size_t i = 0; i < changes.size();) {
    auto j = i + 1;
    while (j < changes.size() && changes[j].a0 - changes[j - 1].a1 <= 2 * context) ++j;
    print_group(out, std::span(changes).subspan(i, j - i), a, b);
    i = j;
  }
  return out;
}

}  // namespace slipway::doc
