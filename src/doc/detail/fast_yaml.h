#pragma once
// The YAML that manifests are made of, read in one pass without libyaml: block maps and lists, plain, quoted and
// literal scalars, short flow collections. Everything else is left to the full reader.
#include <optional>
#include <string_view>
#include <vector>

#include "doc/value.h"
#include "doc/yaml.h"

namespace slipway::doc {

// All documents, null for empty ones; nothing when the text holds anything this reader does not know, or is wrong.
// What it returns is what the full reader returns, marks and styles included (fuzz_yaml_fast).
std::optional<std::vector<Value>> read_fast(std::string_view text, const ParseOptions& options);

// By libyaml alone, for comparison.
Result<std::vector<Value>> read_full(std::string_view text, const ParseOptions& options);

// Where the text of a block scalar ends whose '|' or '>' stands at `begin`: behind its last line that is not blank,
// before the line break. libyaml does not tell. Nothing when the header gives the indentation by a digit.
std::optional<std::size_t> block_scalar_end(std::string_view text, std::size_t begin, std::string_view value);

// The text of a key that was read as another type: 0x10 is "16", true "true"; nothing for lists and maps.
std::optional<std::string> key_text_of(const Value& key, std::string_view written);

}  // namespace slipway::doc
