#include "path/spans.h"

#include <algorithm>

namespace slipway::path {

Spans merged(Spans spans) {
  std::erase_if(spans, [](const Span& s) { return s.to <= s.from; });
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
  Spans joined;
  for (const auto& span : spans) {
    if (joined.empty() || span.from > joined.back().to)
      joined.push_back(span);
    else
      joined.back().to = std::max(joined.back().to, span.to);
  }
  return joined;
}

Millis covered(const Spans& spans) {
  WallTime::duration sum{0};
  for (const auto& span : merged(spans)) sum += span.to - span.from;
  return std::chrono::duration_cast<Millis>(sum);
}

doc::Value to_doc(const Spans& spans) {
  doc::List list;
  for (const auto& span : merged(spans))
    list.push_back(doc::Map{{"from", rfc3339_micro(span.from)}, {"to", rfc3339_micro(span.to)}});
  return list;
}

}  // namespace slipway::path
