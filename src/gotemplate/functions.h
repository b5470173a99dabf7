#pragma once
// What templates may call.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gotemplate/value.h"

namespace slipway::gotemplate {

// `parameters` is a letter each: s string, i int, I int64, f float64, b bool, d map[string]interface {}, S []string,
// a anything; a last letter with * may come any number of times. Arguments are checked before `run` sees them: an `a`
// or `d` may be nil, and a string is a string. Errors of `run` are shown as "error calling NAME: what".
struct Function {
  std::string_view parameters;
  std::function<Result<Value>(const Items&)> run;
};
using Functions = std::map<std::string, Function, std::less<>>;

// index, slice, len, eq, printf ... (`and` and `or` are the engine's).
const Functions& builtin_functions();
// Sprig's, as of its version 3. Those that read the environment or the network are not there; those that make keys and
// certificates say so when they are called.
const Functions& sprig_functions();

// Go's words for a wrong call: for use in `run`.
template <class... Args>
Fail wrong(fmt::format_string<Args...> text, Args&&... args) {
  return fail(Kind::invalid, text, std::forward<Args>(args)...);
}

}  // namespace slipway::gotemplate
