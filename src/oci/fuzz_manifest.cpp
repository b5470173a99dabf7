// Manifests, indexes and configurations: what parses prints, and the print is stable.
#include "oci/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::oci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto m = parse_manifest(text)) SLP_ASSERT(print(parse_manifest(print(*m)).value()) == print(*m));
  if (auto i = parse_index(text)) SLP_ASSERT(print(parse_index(print(*i)).value()) == print(*i));
  if (auto c = parse_config(text)) SLP_ASSERT(print(parse_config(print(*c)).value()) == print(*c));
  return 0;
}
