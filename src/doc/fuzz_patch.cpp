// Two documents, separated by an empty line: every way to patch one by the other ends, and differences close.
#include "base/text.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto [left, right] = cut(text, "\n\n").value_or(std::pair{text, std::string_view("{}")});
  doc::ParseOptions small{.max_nodes = 2'000};
  auto target = doc::parse_yaml(left, small), patch = doc::parse_yaml(right, small);
  if (!target || !patch) return 0;
  (void)doc::json_patch(*target, *patch);
  (void)doc::strategic_merge(*target, *patch, nullptr);
  auto merged = doc::merge_patch(*target, *patch);
  auto back = doc::make_merge_patch(*target, merged);
  SLP_ASSERT(doc::merge_patch(*target, back) == merged);
  SLP_ASSERT(doc::diff(merged, merged).empty());
  (void)doc::unified_diff(left, right, "a", "b");
  return 0;
}
