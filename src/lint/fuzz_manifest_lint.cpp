// Any YAML: findings stand in the file, without crash.
#include "lint/lint.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<lint::Source> sources{{"m.yaml", std::string(reinterpret_cast<const char*>(data), size)}};
  for (const auto& f : lint::lint_manifests(sources)) SLP_ASSERT(f.place.file == "m.yaml" && !f.message.empty());
  return 0;
}
