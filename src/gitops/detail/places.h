#pragma once
// Places in a document, and the same place in another: what a rule names in Git's object is found in the live one
// although others put items of their own into its lists.
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "doc/value.h"

namespace slipway::gitops::detail {

using Place = std::vector<std::variant<std::string, std::size_t>>;

const doc::Value* at(const doc::Value& root, const Place& place);  // null: there is none
doc::Value* at(doc::Value& root, const Place& place);

// What is there of a JSON pointer (none or one place), and of paths as jq prints them: keys, indices also from the end,
// slices. In order, none twice, none below another. Errors: invalid (no pointer, no paths).
Result<std::vector<Place>> places_of_pointer(const doc::Value& root, std::string_view pointer);
Result<std::vector<Place>> places_of_paths(const doc::Value& root, const doc::Value& paths);

// The place in `to` that is the same as `place` in `from`: items of lists by what names them (name, containerPort ...),
// by their value, or by their position in lists of one length. Nothing: there is none.
std::optional<Place> counterpart(const doc::Value& from, const Place& place, const doc::Value& to);

void erase(doc::Value& root, const Place& place);
// Puts a value where its parent is: a key is set, an item comes before the one at its index, at most at the end.
void insert(doc::Value& root, const Place& place, doc::Value value);

}  // namespace slipway::gitops::detail
