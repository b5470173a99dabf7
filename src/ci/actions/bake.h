#pragma once
// Bake files: which images docker/bake-action builds. HCL and JSON, as far as they are data: blocks, lists, maps, and
// variables in texts.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::ci {

// As JSON has it: {"target": {NAME: {...}}, "group": {...}, "variable": {...}}; variables are still "${NAME}".
// Errors: invalid with file:line:col, also for what is no data (functions, conditions, heredocs).
Result<doc::Value> parse_bake(std::string_view text, std::string_view source);
// What is said later wins, key by key; lists are replaced.
void merge_bake(doc::Value& below, const doc::Value& above);

struct BakeTarget {
  std::string name;
  doc::Map fields;
};
// The targets that are meant, groups and what they inherit resolved, each once. `variable`: a value from outside, over
// the file's default. overrides: TARGET.KEY=VALUE as `set` has them. Errors: invalid, not_found.
Result<std::vector<BakeTarget>> bake_targets(
    const doc::Value& file, const std::vector<std::string>& wanted, const std::vector<std::string>& overrides,
    const std::function<std::optional<std::string>(const std::string&)>& variable);

}  // namespace slipway::ci
