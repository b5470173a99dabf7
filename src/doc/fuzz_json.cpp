// What is read, printed and read again is the same value; a real beyond 2^53 is printed by its shortest digits, as Go
// does, and then read as an integer that prints the same. Without marks it is read the same, or refused the same.
#include "doc/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view input{reinterpret_cast<const char*>(data), size};
  auto value = doc::parse_json(input);
  auto bare = doc::parse_json_bare(input, "<input>");
  SLP_ASSERT(bare.has_value() == value.has_value());
  SLP_ASSERT(value ? *bare == *value && doc::print_json(*bare) == doc::print_json(*value)
                   : std::string_view(bare.error().what()) == value.error().what());
  if (!value) return 0;
  for (const auto& text : {doc::print_json(*value), doc::print_json_pretty(*value)}) {
    auto again = doc::parse_json(text);
    SLP_ASSERT(again.has_value());
    SLP_ASSERT(*again == *value || doc::print_json(*again) == doc::print_json(*value));
  }
  return 0;
}
