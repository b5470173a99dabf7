#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace slipway {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> lines(std::string_view text) {
  std::vector<std::string_view> list;
  while (!text.empty()) {
    auto at = text.find('\n');
    auto line = text.substr(0, at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    list.push_back(line);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
  }
  return list;
}

std::string_view trim_end(std::string_view text) {
  auto end = text.find_last_not_of(" \t\r\n\v\f");
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

std::string_view trim(std::string_view text) {
  auto begin = text.find_first_not_of(" \t\r\n\v\f");
  return begin == std::string_view::npos ? std::string_view{} : trim_end(text.substr(begin));
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}
std::string join(std::span<const std::string_view> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

namespace {
char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace

std::string lower(std::string_view ascii) {
  std::string text(ascii);
  std::transform(text.begin(), text.end(), text.begin(), lower_char);
  return text;
}

bool iequals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_char(x) == lower_char(y); });
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  if (from.empty()) return text;
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::optional<std::pair<std::string_view, std::string_view>> cut(std::string_view text, std::string_view separator) {
  auto at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair{text.substr(0, at), text.substr(at + separator.size())};
}

std::optional<std::int64_t> to_int(std::string_view text) {
  std::int64_t value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<double> to_double(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

namespace {

// One [class]; moves `p` past it. Nothing when it is not closed.
std::optional<bool> match_class(std::string_view pattern, std::size_t& p, char c) {
  auto i = p + 1;
  bool negate = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negate) ++i;
  bool hit = false;
  for (auto first = i; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      hit = hit || (c >= pattern[i] && c <= pattern[i + 2]);
      i += 2;
    } else {
      hit = hit || c == pattern[i];
    }
  }
  if (i >= pattern.size()) return std::nullopt;
  p = i + 1;
  return hit != negate;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) {
  // Iterative with two back-tracking points, so a hostile pattern costs at most |pattern| * |path|^2.
  std::size_t p = 0, s = 0;
  std::size_t star_p = std::string_view::npos, star_s = 0;  // last *
  std::size_t deep_p = std::string_view::npos, deep_s = 0;  // last **
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      if (p + 1 < pattern.size() && pattern[p + 1] == '*') {
        p += 2;
        // "**/" also matches nothing at all
        deep_p = p, deep_s = s, star_p = std::string_view::npos;
        if (p < pattern.size() && pattern[p] == '/' && (p == 2 || pattern[p - 3] == '/')) {
          if (glob_match(pattern.substr(p + 1), path.substr(s))) return true;
        }
      } else {
        star_p = ++p, star_s = s;
      }
      continue;
    }
    if (s == path.size() && p == pattern.size()) return true;
    if (s < path.size() && p < pattern.size()) {
      char c = pattern[p];
      if (c == '?' && path[s] != '/') {
        ++p, ++s;
        continue;
      }
      if (c == '[') {
        auto at = p;
        auto hit = match_class(pattern, at, path[s]);
        if (hit ? *hit : path[s] == '[') {
          p = hit ? at : p + 1;
          ++s;
          continue;
        }
      } else if (c == '\\' && p + 1 < pattern.size()) {
        if (pattern[p + 1] == path[s]) {
          p += 2, ++s;
          continue;
        }
      } else if (c == path[s] && c != '?') {
        ++p, ++s;
        continue;
      }
    }
    if (star_p != std::string_view::npos && star_s < path.size() && path[star_s] != '/') {
      p = star_p, s = ++star_s;
      continue;
    }
    if (deep_p != std::string_view::npos && deep_s < path.size()) {
      p = deep_p, s = ++deep_s, star_p = std::string_view::npos;
      continue;
    }
    return false;
  }
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = 3;
  for (const auto& candidate : candidates) {
    if (candidate.size() > word.size() + 2 || word.size() > candidate.size() + 2) continue;
    // Two neighbours that changed places are one mistake.
    std::vector<std::size_t> row(candidate.size() + 1), above, before_above;
    for (std::size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    auto same = [&](std::size_t i, std::size_t j) { return lower_char(word[i - 1]) == lower_char(candidate[j - 1]); };
    for (std::size_t i = 1; i <= word.size(); ++i) {
      before_above = std::exchange(above, row);
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same(i, j) ? 0 : 1)});
        if (i > 1 && j > 1 && same(i, j - 1) && same(i - 1, j)) row[j] = std::min(row[j], before_above[j - 2] + 1);
      }
    }
    if (row.back() < best_distance && row.back() < candidate.size()) best_distance = row.back(), best = candidate;
  }
  return best;
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) value /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace slipway
