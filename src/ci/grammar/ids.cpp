#include "ci/detail/ids.h"

#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_length = 100;
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

}  // namespace

std::string Ids::add(std::string_view id) {
  bool valid = !id.empty() && id.size() < max_length && (is_letter(id[0]) || id[0] == '_') &&
               std::all_of(id.begin(), id.end(), is_word);
  if (!valid)
    return fmt::format(
        "The identifier '{}' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs must start "
        "with a "
        "letter or '_' and and must be less than {} characters.",
        id, max_length);
  if (id.starts_with("__"))
    return fmt::format("The identifier '{}' is invalid. IDs starting with '__' are reserved.", id);
  if (!taken_.insert(lower(id)).second)
    return fmt::format("The identifier '{}' may not be used more than once within the same scope.", id);
  return {};
}

bool Ids::contains(std::string_view id) const { return taken_.contains(lower(id)); }

std::string Ids::make(std::string_view text) {
  std::string base;
  for (char c : text) base += is_word(c) ? c : '_';
  for (int n = 1;; ++n) {
    auto suffix = n == 1 ? std::string() : fmt::format("_{}", n);
    auto candidate = base.substr(0, max_length - suffix.size()) + suffix;
    if (taken_.insert(lower(candidate)).second) return candidate;
  }
}

}  // namespace slipway::ci
