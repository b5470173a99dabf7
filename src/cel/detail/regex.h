#pragma once
// Patterns in RE2's language: linear in the text.
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::cel::detail {

// Threads: any.
class Regex {
 public:
  // Errors: invalid (no pattern, or one that takes too much memory).
  static Result<std::shared_ptr<const Regex>> compile(std::string_view pattern);
  ~Regex();
  const std::string& pattern() const;
  // In instructions: what compiling takes, and at worst each byte of a text, grows with it.
  std::size_t size() const;
  bool search(std::string_view text) const;
  // The first match at or after `from`; nothing: none. Start and end in bytes.
  std::optional<std::pair<std::size_t, std::size_t>> find(std::string_view text, std::size_t from) const;

 private:
  struct Rep;
  explicit Regex(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::cel::detail
