#pragma once
#include "doc/value.h"

namespace slipway::gitops::detail {

// Writes out what older API servers do not fill in when something is applied server-side, and newer ones would: they
// refuse the whole object else. Nothing changes its meaning.
void spell_out(doc::Value& object);

}  // namespace slipway::gitops::detail
