#pragma once
// Values of an object by a path with filters:
//   .status.phase    .status.parents[].conditions[type=Accepted,status=False].message
// [] is every element of a list, or every value of a map; [key=a|b,key!=c] those that match. Values may be globs.
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::gitops::rules {

// Everything that stands at the path, in order, nulls left out.
std::vector<const doc::Value*> at(const doc::Value& root, std::string_view path);
// A scalar as text ("True", "5"; a boolean as a condition writes it when asked to); "" for lists and maps.
std::string text_of(const doc::Value& value);
// One of the words that `|` separates, each with `*` for anything. Case counts.
bool matches(std::string_view words, std::string_view text);
// Text of the first value that has one.
std::string first_text(const doc::Value& root, std::string_view path);

}  // namespace slipway::gitops::rules
