// Problem matchers of strangers, over lines of strangers.
#include "base/text.h"
#include "ci/run/matchers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto end = text.find("\n---\n");
  ci::Matchers matchers;
  auto added = matchers.add(text.substr(0, end), "matcher.json");
  if (!added || end == std::string_view::npos) return 0;
  for (auto line : lines(text.substr(end + 5)))
    if (auto issue = matchers.match(line)) SLP_ASSERT(issue->line >= 0 && issue->column >= 0);
  return 0;
}
