// What a client asks a token for is repositories with known actions, and not too many.
#include "oci/detail/access.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::oci;
  auto grants = detail::parse_scopes({reinterpret_cast<const char*>(data), size});
  SLP_ASSERT(grants.size() <= 64);
  for (const auto& grant : grants) {
    SLP_ASSERT(valid_repository(grant.repository));
    for (const auto& action : grant.actions) SLP_ASSERT(action == "pull" || action == "push" || action == "delete");
  }
  return 0;
}
