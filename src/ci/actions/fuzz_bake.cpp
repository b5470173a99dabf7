// Bake files: whatever they hold, they are read or refused with their place, and their targets resolved or refused.
#include "ci/actions/bake.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto file = ci::parse_bake({reinterpret_cast<const char*>(data), size}, "bake");
  if (!file) {
    SLP_ASSERT(file.error().what().starts_with("bake:"));
    return 0;
  }
  auto none = [](const std::string&) -> std::optional<std::string> { return {}; };
  for (auto& wanted : {std::vector<std::string>{}, {"app"}, {"*"}})
    if (auto targets = ci::bake_targets(*file, wanted, {"*.args.A=1", "app.tags+=x"}, none))
      for (auto& target : *targets) SLP_ASSERT(!target.fields.contains("inherits"));
  auto twice = *file;
  ci::merge_bake(twice, *file);
  return 0;
}
