#pragma once
// "%s of %d".format([...]).
#include "cel/detail/run.h"

namespace slipway::cel::detail {

// Errors: invalid (a clause that is none, an argument of another type or one too few).
Result<std::string> format(Run& run, std::string_view pattern, const List& args);

}  // namespace slipway::cel::detail
