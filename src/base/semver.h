#pragma once
// Semantic versions and ranges of them. Rules: semver.org 2.0, and Masterminds' constraints as Helm's charts, Argo CD
// and Flux use them: a pre-release fits only where the constraint names one.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway {

struct Version {
  std::array<std::int64_t, 3> n{};
  std::string pre, build, original;
  // 1.2.3, v1.2, 1; nothing: no version.
  static std::optional<Version> parse(std::string_view text);
  std::string str() const;
};
// Below 0, 0, above 0. What was built from it does not count.
int compare(const Version& a, const Version& b);

// ">=1.2 <2", ">= 1.2, < 2", "1.2 - 2", "^1 || ~2.3", "1.x", "*".
class VersionRange {
 public:
  // Errors: invalid.
  static Result<VersionRange> parse(std::string_view text);
  bool holds(const Version& version) const;

 private:
  struct Constraint {
    std::string op;
    Version version;
    int given = 3;  // numbers; below 3: a range
    bool holds(const Version& v) const;
    bool same_up_to(const Version& v, int count) const;
    bool tilde(const Version& v) const;
    bool caret(const Version& v) const;
  };
  static Result<Constraint> constraint(std::string_view text);
  static Result<std::vector<Constraint>> all_of(std::string_view text);
  std::vector<std::vector<Constraint>> any_;
};

// Of these names the one with the newest version in the range; nothing: none is.
std::optional<std::string> newest(const std::vector<std::string>& names, const VersionRange& range);

}  // namespace slipway
