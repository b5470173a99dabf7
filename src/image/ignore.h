#pragma once
// .dockerignore: which paths of a context are not part of it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::image {

// A path pattern: `*` and `?` within a component, `**` across, [a-z] classes, backslash escapes.
class PathPattern {
 public:
  static Result<PathPattern> parse(std::string_view text);
  bool matches(std::string_view path) const;
  // What every match begins with, up to the first wildcard.
  const std::string& prefix() const { return prefix_; }

 private:
  struct Token {
    enum class Kind : std::uint8_t { literal, one, star, any, any_folders, set } kind;
    std::string text;                                             // literal
    std::vector<std::pair<unsigned char, unsigned char>> ranges;  // set
    bool negated = false;
  };
  Result<std::size_t> add_set(std::string_view text, std::size_t at);
  bool match(std::size_t token, std::string_view text, int& budget) const;
  std::vector<Token> tokens_;
  std::string prefix_;
};

// Rule: moby/patternmatcher. Patterns in order, the last that matches a path or one of its parent folders wins,
// `!` takes back. Threads: any.
class IgnoreList {
 public:
  // Errors: invalid with the line.
  static Result<IgnoreList> parse(std::string_view text, std::string_view name = ".dockerignore");
  static Result<IgnoreList> of(const std::vector<std::string>& patterns, std::string_view name);
  bool empty() const { return rules_.empty(); }
  bool excludes(std::string_view path) const;
  bool takes_back() const;    // some line begins with !
  bool excludes_all() const;  // some line is *, ** or **/*

  // For a walker: what the parent's answer was makes the child's cheap.
  using Hits = std::vector<bool>;
  struct Verdict {
    bool excluded = false;
    bool prune = false;  // excluded, and nothing below can be taken back
    Hits hits;
  };
  Verdict check(std::string_view path, const Hits& parent) const;

 private:
  struct Rule {
    PathPattern pattern;
    bool keeps = false;
    bool all = false;
  };
  Result<> add(std::string_view line);
  std::vector<Rule> rules_;
};

}  // namespace slipway::image
