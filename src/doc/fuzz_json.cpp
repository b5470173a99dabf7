// What is read, printed and read again is the same value; a real beyond 2^53 is printed by its shortest digits, as Go
// does, and then read as an integer that prints the same.
#include "doc/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto value = doc::parse_json({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  for (const auto& text : {doc::print_json(*value), doc::print_json_pretty(*value)}) {
    auto again = doc::parse_json(text);
    SLP_ASSERT(again.has_value());
    SLP_ASSERT(*again == *value || doc::print_json(*again) == doc::print_json(*value));
  }
  return 0;
}
