// What a plugin answers an ApplicationSet: sets of parameters or an error; flat ones are texts.
#include "base/text.h"
#include "gitops/appset/detail.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto sets = gitops::appset::detail::parameters_in(text);
  if (!sets) {
    SLP_ASSERT(sets.error().is(Kind::invalid) && !sets.error().what().empty());
    return 0;
  }
  for (const auto& set : *sets)
    for (const auto& [name, value] : gitops::appset::flattened(set)) SLP_ASSERT(value.is_string());
  return 0;
}
