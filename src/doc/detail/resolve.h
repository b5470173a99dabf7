#pragma once
// What a plain YAML scalar means.
#include <string_view>

#include "doc/value.h"
#include "doc/yaml.h"

namespace slipway::doc {

// The value of a plain scalar. kubernetes: go-yaml v3's resolve(); actions: YAML 1.2 core schema.
Value resolve_plain(std::string_view text, Dialect dialect);

// Would a reader of YAML 1.1 or 1.2 take this plain text for something else than a string? Such strings are
// printed in double quotes (go-yaml's stringv: resolve(), old booleans, base-60 numbers, timestamps).
bool reads_as_other(std::string_view text);

}  // namespace slipway::doc
