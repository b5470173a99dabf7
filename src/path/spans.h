#pragma once
// When the user's own commands ran: what is left of a stage's time is Slipway's. Commands run side by side, so it is
// the union of their spans that counts, never the sum.
#include <vector>

#include "base/time.h"
#include "doc/value.h"

namespace slipway::path {

struct Span {
  WallTime from, to;
  bool operator==(const Span&) const = default;
};
using Spans = std::vector<Span>;

// In order, overlapping ones joined, empty ones gone.
Spans merged(Spans spans);
// The time in which at least one of them ran.
Millis covered(const Spans& spans);
// [{from, to}], RFC 3339 with microseconds.
doc::Value to_doc(const Spans& spans);

}  // namespace slipway::path
