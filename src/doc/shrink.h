#pragma once
// Values that stay: without the room that reading and growing left.
#include "doc/value.h"

namespace slipway::doc {

// The same value in as little memory as it can be: no spare room, and no notes of where keys stood in a source, which
// are a fifth of a parsed document. Marks of values stay.
Value shrunk(Value value);

}  // namespace slipway::doc
