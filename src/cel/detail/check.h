#pragma once
// Names become variables, types, functions.
#include "cel/cel.h"
#include "cel/detail/run.h"

namespace slipway::cel::detail {

// Sets what names mean, which functions calls mean, and how many slots an evaluation needs. Errors: invalid.
Result<> resolve(Code& code, const Options& options);

}  // namespace slipway::cel::detail
