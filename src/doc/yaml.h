#pragma once
// YAML in and out. Rules: YAML 1.1 as Kubernetes' tools read it (sigs.k8s.io/yaml on go-yaml v2: yes/no/on/off
// stay strings unless Dialect says so), or 1.2 core as GitHub Actions reads it.
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::doc {

enum class Dialect {
  kubernetes,  // go-yaml v3 as kustomize and kubectl use it: true/false booleans, 0x and 0o integers, merge keys
  actions      // YAML 1.2 core schema, anchors allowed, no merge keys (GitHub Actions' reader)
};
struct ParseOptions {
  Dialect dialect = Dialect::kubernetes;
  std::string_view source = "<input>";  // named in errors: source:line:col
  std::size_t max_depth = 100;
  std::size_t max_nodes = 1'000'000;  // after alias expansion: billion-laughs guard
  bool duplicate_keys = false;        // false: an error that names both places
  bool key_marks = true;              // false: where keys stand need not be kept, a fifth of the memory
  bool local_tags = false;            // `!name value` becomes {"!name": value}; false: such tags are passed over
};
// Exactly one document (an empty input is null). Errors: invalid with source:line:col.
Result<Value> parse_yaml(std::string_view text, const ParseOptions& options = {});
// All documents of a stream; empty ones are skipped.
Result<std::vector<Value>> parse_yaml_all(std::string_view text, const ParseOptions& options = {});

// What plain text means that YAML reads as a time, in the form of RFC 3339: "2020-1-2" is 2020-01-02T00:00:00Z.
// Nothing: it is no time. Rule: go-yaml's timestamps.
std::optional<std::string> yaml_time(std::string_view text);

struct PrintOptions {
  int indent = 2;
  bool indent_sequences = false;  // false: "- " at the parent's column, as kubectl and kustomize print
  bool sort_keys = false;         // as Go's YAML libraries do: digits by value, letters last
  bool keep_style = false;        // quotes and block styles as they were read, where they still fit
  int width = 0;                  // fold scalars at spaces beyond this column (kustomize: 80); 0 never
};
// Block style; strings quoted only where they would read back as another type (go-yaml v3's choices).
std::string print_yaml(const Value& value, const PrintOptions& options = {});
std::string print_yaml_all(const std::vector<Value>& values, const PrintOptions& options = {});

}  // namespace slipway::doc
