// A selector that was read prints as one that selects the same.
#include "kube/selector.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto selector = kube::LabelSelector::parse(text)) {
    auto again = kube::LabelSelector::parse(selector->print());
    SLP_ASSERT(again && again->print() == selector->print());
    for (const kube::StringMap& labels :
         {kube::StringMap{}, kube::StringMap{{"a", "b"}}, kube::StringMap{{"a", ""}, {"x", "5"}}})
      SLP_ASSERT(selector->matches(labels) == again->matches(labels));
  }
  (void)kube::FieldSelector::parse(text);
  return 0;
}
