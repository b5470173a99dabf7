#pragma once
// Dockerfile variables: quotes, escapes, $x and ${x…}.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::image {

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

struct ExpandOptions {
  char escape = '\\';
  bool keep_quotes = false;  // quotes stay in the text
  bool keep_escapes = false;
  bool keep_unset = false;  // "$x" stays when x is not set
  bool no_quotes = false;   // quotes are ordinary characters (a heredoc's body)
};

// One word, quotes removed. Rule: BuildKit's shell lexer (${x:-w} ${x-w} ${x:+w} ${x+w} ${x:?w} ${x?w} ${x#p} ${x##p}
// ${x%p} ${x%%p} ${x/p/r} ${x//p/r}). Errors: invalid, without a place (the caller knows it). Threads: any.
Result<std::string> expand(std::string_view word, const Lookup& lookup, const ExpandOptions& options = {});
// The same, cut into words at blanks outside of quotes, also those a variable brings.
Result<std::vector<std::string>> expand_words(std::string_view text, const Lookup& lookup,
                                              const ExpandOptions& options = {});

}  // namespace slipway::image
