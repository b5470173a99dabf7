#include "ci/actions/version_range.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <string>
#include <vector>

#include "base/text.h"

namespace slipway::ci {
namespace {

struct Partial {
  Version numbers{0, 0, 0};
  int given = 0;  // how many numbers there are
};

std::optional<Partial> parse_partial(std::string_view text) {
  while (!text.empty() && (text[0] == 'v' || text[0] == '=' || text[0] == ' ')) text.remove_prefix(1);
  text = text.substr(0, text.find_first_of("-+"));  // pre-releases compare as their release
  Partial out;
  for (auto part : split(text, '.')) {
    if (part == "x" || part == "X" || part == "*" || out.given == 3) break;
    auto n = to_int(part);
    if (!n || *n < 0) return {};
    out.numbers[static_cast<std::size_t>(out.given++)] = *n;
  }
  return out;
}

// The first version after all that start with the given numbers.
Version next_after(const Partial& p, int keep) {
  constexpr long end = std::numeric_limits<long>::max();
  if (keep <= 0) return {end, end, end};
  Version v{0, 0, 0};
  for (int i = 0; i < keep; ++i) v[static_cast<std::size_t>(i)] = p.numbers[static_cast<std::size_t>(i)];
  ++v[static_cast<std::size_t>(keep - 1)];
  return v;
}

bool one(const Version& v, std::string_view term) {
  static constexpr std::string_view any[] = {"", "*", "x", "latest", "lts", "stable", "current", "node", "oldstable"};
  if (term.starts_with("lts/") || std::find(std::begin(any), std::end(any), term) != std::end(any)) return true;
  std::string op;
  while (!term.empty() && std::string_view("<>=^~").contains(term[0])) op += term[0], term.remove_prefix(1);
  auto p = parse_partial(trim(term));
  if (!p) return false;
  if (op == ">=") return v >= p->numbers;
  if (op == ">") return p->given == 3 ? v > p->numbers : v >= next_after(*p, p->given);
  if (op == "<") return v < p->numbers;
  if (op == "<=") return p->given == 3 ? v <= p->numbers : v < next_after(*p, p->given);
  int keep = p->given;
  if (op == "^") keep = p->numbers[0] > 0 || p->given == 1 ? 1 : p->numbers[1] > 0 || p->given == 2 ? 2 : 3;
  if (op == "~" || op == "~>") keep = std::min(p->given, 2);
  return v >= p->numbers && v < next_after(*p, keep);
}

}  // namespace

std::optional<Version> find_version(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!std::isdigit(static_cast<unsigned char>(text[i]))) continue;
    auto end = i;
    while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.')) ++end;
    auto word = text.substr(i, end - i);
    while (word.ends_with('.')) word.remove_suffix(1);
    auto p = parse_partial(word);
    if (p) return p->numbers;
    i = end;
  }
  return {};
}

bool satisfies(const Version& version, std::string_view range) {
  std::string text = replace_all(std::string(trim(range)), "||", "|");
  for (std::string_view op : {">= ", "<= ", "> ", "< ", "^ ", "~ "})
    text = replace_all(text, op, op.substr(0, op.size() - 1));
  for (auto alternative : split(text, '|')) {
    bool all = true;
    for (auto term : split(trim(alternative), ' ')) all = all && one(version, trim(term));
    if (all) return true;
  }
  return false;
}

}  // namespace slipway::ci
