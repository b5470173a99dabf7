// matches, find, findAll.
#include "cel/detail/function.h"
#include "cel/detail/utf8.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

// Linear in the text, by a factor that grows with the pattern's program.
Result<> pay(Run& run, std::size_t bytes, const Regex& regex) {
  return run.spend((bytes + 9) / 10 * (1 + regex.size() / 4));
}

Result<Value> matches(Run& run, Args a) {
  auto text = *a[0].if_string(), pattern = *a[1].if_string();
  TRY(auto regex, run.regex(pattern));
  TRY_OK(pay(run, text.size(), *regex));
  return Value(regex->search(text));
}

Result<Value> find(Run& run, Args a) {
  auto text = *a[0].if_string(), pattern = *a[1].if_string();
  TRY(auto regex, run.regex(pattern));
  TRY_OK(pay(run, text.size(), *regex));
  auto found = regex->find(text, 0);
  return run.text(found ? std::string(text.substr(found->first, found->second - found->first)) : "");
}

// As Go finds all: an empty match right behind another match does not count.
Result<Value> find_all(Run& run, Args a) {
  auto text = *a[0].if_string(), pattern = *a[1].if_string();
  std::int64_t most = a.size() == 3 ? *a[2].if_int() : -1;
  TRY(auto regex, run.regex(pattern));
  List::Items items;
  std::size_t at = 0, last_end = std::string_view::npos;
  while (at <= text.size() && (most < 0 || static_cast<std::int64_t>(items.size()) < most)) {
    // Each look for a match may read the rest, however short the match.
    TRY_OK(pay(run, text.size() - at + 1, *regex));
    auto found = regex->find(text, at);
    if (!found) break;
    auto [begin, end] = *found;
    if (begin != end || begin != last_end) {
      TRY(auto item, run.text(std::string(text.substr(begin, end - begin))));
      items.push_back(std::move(item));
      last_end = end;
    }
    at = end;
    if (begin == end) {
      if (end >= text.size()) break;
      (void)next_code_point(text, at);
    }
  }
  return run.list(std::move(items));
}

constexpr Overload all[] = {
    {"matches", ".ss", matches},  {"matches", "ss", matches},    {"find", ".ss", find},
    {"findAll", ".ss", find_all}, {"findAll", ".ssi", find_all},
};

}  // namespace

Overloads regex_functions() { return all; }

}  // namespace slipway::cel::detail
