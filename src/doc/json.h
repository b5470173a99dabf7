#pragma once
// JSON in and out (RFC 8259).
#include <string>
#include <string_view>

#include "doc/value.h"

namespace slipway::doc {

// Integers that fit 64 bits stay integers; depth at most 100. Errors: invalid with source:line:col.
Result<Value> parse_json(std::string_view text, std::string_view source = "<input>");
// The same without marks and in as little memory as it can be: for texts that the program wrote itself.
Result<Value> parse_json_bare(std::string_view text, std::string_view source);
std::string print_json(const Value& value);  // compact
std::string print_json_pretty(const Value& value, int indent = 2);
std::string json_quote(std::string_view text);           // "…" with escapes
void append_json(std::string& out, const Value& value);  // compact, onto a buffer

}  // namespace slipway::doc
