// A text with ${variables}: expanded or refused without a crash; a text without "${" stays as it is.
#include "gitops/flux/substitute.h"

#include "base/result.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  static const gitops::flux::Variables variables{{"a", "one/two.three"}, {"b", ""}, {"c", "${a}"}};
  auto out = gitops::flux::expand(text, variables);
  if (text.find("${") == text.npos) SLP_ASSERT(out && *out == text);
  return 0;
}
