#pragma once
// How a string may be written in YAML: libyaml's analysis, as go-yaml carries it.
#include <string>
#include <string_view>

namespace slipway::doc {

struct ScalarForms {
  bool plain = true;  // in block context
  bool plain_flow = true;
  bool single = true;  // '…'
  bool block = true;   // | and >
  bool multiline = false;
  bool text = true;  // UTF-8; anything else is !!binary
};
ScalarForms scalar_forms(std::string_view text);

// Appends one character of `text` at `i` as it stands in double quotes, and moves on.
void append_escaped(std::string& out, std::string_view text, std::size_t& i);

}  // namespace slipway::doc
