#pragma once
// Go's text/template: parsed once, executed with data as often as wanted. Rules: the package's documentation; errors
// are worded as Go words them, since people search for those words.
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gotemplate/functions.h"
#include "gotemplate/value.h"

namespace slipway::gotemplate {

namespace detail {
struct Tree;
}

// What a key gives that a map does not have: nothing (<no value>), nil, or an error.
enum class MissingKey { invalid, zero, error };
// "missingkey=error" and the like. Errors: invalid.
Result<MissingKey> parse_option(std::string_view option);

struct Limits {
  std::size_t steps = 2'000'000;   // statements, operands and turns of loops
  std::size_t output = 16u << 20;  // bytes
  int depth = 200;                 // templates in templates
};

// A template and those it defines. Threads: execute from any.
class Template {
 public:
  Template(std::string name, std::shared_ptr<const Functions> functions)
      : name_(std::move(name)), functions_(std::move(functions)) {}
  // Parses a source, whose {{define}}s join those that are there; its own body becomes the template `name`. Errors:
  // invalid: "template: NAME:LINE: what".
  Result<> parse(std::string_view name, std::string_view text);
  Result<> parse(std::string_view text) { return parse(name_, text); }
  bool has(std::string_view name) const;
  void missing(MissingKey missing) { missing_ = missing; }
  void limits(Limits limits) { limits_ = limits; }
  // Errors: invalid: "template: NAME:LINE:COLUMN: executing "NAME" at <.field>: what", columns from 0.
  Result<std::string> execute(const Value& data) const { return execute(name_, data); }
  Result<std::string> execute(std::string_view name, const Value& data) const;

 private:
  std::string name_;
  std::shared_ptr<const Functions> functions_;
  std::map<std::string, std::shared_ptr<const detail::Tree>, std::less<>> trees_;
  MissingKey missing_ = MissingKey::invalid;
  Limits limits_;
};

}  // namespace slipway::gotemplate
