// What is read, printed and read again is the same value, in both dialects.
#include "doc/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto dialect : {doc::Dialect::kubernetes, doc::Dialect::actions}) {
    auto all = doc::parse_yaml_all(text, {.dialect = dialect, .max_nodes = 10'000});
    if (!all) continue;
    for (const auto& value : *all) {
      for (bool keep : {false, true}) {
        auto printed = doc::print_yaml(value, {.keep_style = keep});
        auto again = doc::parse_yaml(printed, {.dialect = dialect, .max_depth = 200});
        SLP_ASSERT(again.has_value());
        SLP_ASSERT(*again == value);
      }
    }
  }
  return 0;
}
