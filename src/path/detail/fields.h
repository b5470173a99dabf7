#pragma once
// Reading specs strictly. Private to path.
#include <algorithm>

#include "base/text.h"
#include "doc/view.h"

namespace slipway::path {

// Errors: invalid, with what was probably meant.
inline Result<> known_fields(const doc::View& map, std::initializer_list<std::string_view> known) {
  if (!map.present()) return {};
  TRY(auto members, map.map());
  for (const auto& [key, value] : members) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::vector<std::string> names(known.begin(), known.end());
    auto near = nearest(key, names);
    return value.wrong(near ? fmt::format("is not known, did you mean {}?", *near) : std::string("is not known"));
  }
  return {};
}

// Empty when absent.
inline Result<std::vector<std::string>> strings(const doc::View& view) {
  if (!view.present()) return std::vector<std::string>();
  return view.strings();
}

}  // namespace slipway::path
