#pragma once
// Flux's postBuild: ${variables} in rendered objects, and metadata for all of them.
#include <map>
#include <string>
#include <vector>

#include "doc/value.h"

namespace slipway::gitops::flux {

using Variables = std::map<std::string, std::string>;

// Bash-like expressions of drone/envsubst, as Flux takes them: ${v}, ${v:-d}, ${v-d}, ${v:=d}, ${v=d}, ${v:+d}, ${v+d},
// ${#v}, ${v^}, ${v^^}, ${v,}, ${v,,}, ${v:pos}, ${v:pos:len}, ${v#p}, ${v##p}, ${v%p}, ${v%%p}, ${v/a/b}, ${v//a/b},
// ${v/#a/b}, ${v/%a/b}. Patterns are globs. $${v} stays ${v}; $v and all else stay as they are. Variables that are not
// there are "". Errors: invalid (an expression that is none of these, nested too deep).
Result<std::string> expand(std::string_view text, const Variables& variables);

// Each object as YAML, expanded, and read again: an unquoted ${n} may become a number. Objects with the label or
// annotation kustomize.toolkit.fluxcd.io/substitute: disabled stay as they are. Errors: invalid, naming the object.
Result<> substitute(std::vector<doc::Value>& objects, const Variables& variables);
// Whether a name can be a variable's.
bool is_variable_name(std::string_view name);

// {labels, annotations} onto every object (not into templates); null: nothing.
void set_metadata(std::vector<doc::Value>& objects, const doc::Value& metadata);

}  // namespace slipway::gitops::flux
