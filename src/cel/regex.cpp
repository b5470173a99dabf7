#include "cel/detail/regex.h"

#include <re2/re2.h>

#include "doc/json.h"

namespace slipway::cel::detail {

struct Regex::Rep {
  Rep(std::string_view pattern, const RE2::Options& options)
      : re(re2::StringPiece(pattern.data(), pattern.size()), options) {}
  RE2 re;
};

Regex::Regex(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Regex::~Regex() = default;

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);  // at most 16 thousand instructions
  auto rep = std::make_unique<Rep>(pattern, options);
  if (!rep->re.ok())
    return fail(Kind::invalid, "the pattern {}: {}", doc::json_quote(pattern.substr(0, 80)), rep->re.error());
  return std::shared_ptr<const Regex>(new Regex(std::move(rep)));
}

const std::string& Regex::pattern() const { return rep_->re.pattern(); }

std::size_t Regex::size() const { return static_cast<std::size_t>(rep_->re.ProgramSize()); }

bool Regex::search(std::string_view text) const { return find(text, 0).has_value(); }

std::optional<std::pair<std::size_t, std::size_t>> Regex::find(std::string_view text, std::size_t from) const {
  re2::StringPiece input(text.data(), text.size()), match;
  if (!rep_->re.Match(input, from, text.size(), RE2::UNANCHORED, &match, 1)) return std::nullopt;
  auto begin = static_cast<std::size_t>(match.data() - text.data());
  return std::pair(begin, begin + match.size());
}

}  // namespace slipway::cel::detail
