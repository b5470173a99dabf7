#include "base/text.h"
#include "ci/plan.h"

namespace slipway::ci {
namespace {

// One element of a pattern: what it takes, and how often.
struct Element {
  enum class Takes : std::uint8_t { character, not_slash, anything, set, folders } takes = Takes::character;
  char character = 0;
  std::string set;
  bool optional = false, repeated = false;

  bool accepts(char c) const {
    switch (takes) {
      case Takes::character:
        return c == character;
      case Takes::not_slash:
        return c != '/';
      case Takes::anything:
      case Takes::folders:
        return true;
      case Takes::set:
        return set.contains(c);
    }
    return false;
  }
};

std::string character_set(std::string_view inner) {
  std::string out;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (i + 2 < inner.size() && inner[i + 1] == '-') {
      for (int c = static_cast<unsigned char>(inner[i]); c <= static_cast<unsigned char>(inner[i + 2]); ++c)
        out += static_cast<char>(c);
      i += 2;
    } else {
      out += inner[i];
    }
  }
  return out;
}

std::vector<Element> elements_of(std::string_view pattern) {
  using Takes = Element::Takes;
  std::vector<Element> out;
  auto add = [&](Takes takes, char c = 0) -> Element& {
    Element made;
    made.takes = takes, made.character = c;
    return out.emplace_back(std::move(made));
  };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      add(Takes::character, pattern[++i]);
    } else if (c == '*' && pattern.substr(i).starts_with("**/")) {
      add(Takes::folders);  // any folders, also none: "**/x" takes "x"
      i += 2;
    } else if (c == '*' && pattern.substr(i).starts_with("**")) {
      auto& e = add(Takes::anything);
      e.optional = e.repeated = true;
      ++i;
    } else if (c == '*') {
      auto& e = add(Takes::not_slash);
      e.optional = e.repeated = true;
    } else if (c == '?' && !out.empty()) {
      out.back().optional = true;
    } else if (c == '+' && !out.empty()) {
      out.back().repeated = true;
    } else if (auto end = pattern.find(']', i); c == '[' && end != std::string_view::npos) {
      add(Takes::set).set = character_set(pattern.substr(i + 1, end - i - 1));
      i = end;
    } else {
      add(Takes::character, c);
    }
  }
  return out;
}

}  // namespace

// All ways at once: linear in the text, whatever the pattern.
bool matches_pattern(std::string_view pattern, std::string_view text) {
  auto elements = elements_of(pattern);
  auto n = elements.size();
  std::vector<bool> at(n + 1), next;
  auto skip_optional = [&](std::vector<bool>& states) {
    for (std::size_t i = 0; i < n; ++i)
      if (states[i] && (elements[i].optional || elements[i].takes == Element::Takes::folders)) states[i + 1] = true;
  };
  at[0] = true;
  skip_optional(at);
  // Inside of a folders element: entered, and only left after a slash.
  std::vector<bool> inside(n, false);
  for (char c : text) {
    next.assign(n + 1, false);
    std::vector<bool> still(n, false);
    for (std::size_t i = 0; i < n; ++i) {
      auto& e = elements[i];
      if (e.takes == Element::Takes::folders) {
        if (!at[i] && !inside[i]) continue;
        still[i] = true;
        if (c == '/' && inside[i]) next[i + 1] = true;
      } else if (at[i] && e.accepts(c)) {
        next[i + 1] = true;
        if (e.repeated) next[i] = true;
      }
    }
    // "a+": after one `a` the element may take more, without being skippable anew.
    at = next;
    inside = still;
    skip_optional(at);
  }
  return at[n];
}

bool matches_patterns(const std::vector<std::string>& patterns, std::string_view text) {
  bool matched = false;
  for (std::string_view pattern : patterns) {
    bool negative = pattern.starts_with('!');
    if (matches_pattern(negative ? pattern.substr(1) : pattern, text)) matched = !negative;
  }
  return matched;
}

bool asks_to_skip(std::string_view message) {
  for (auto marker : {"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"})
    if (message.contains(marker)) return true;
  auto last = message.rfind("\n\n");
  return last != std::string_view::npos && lower(message.substr(last)).contains("skip-checks: true");
}

}  // namespace slipway::ci
