// What a registry asks for on the way in, and the platforms of an image.
#include "base/text.h"
#include "oci/detail/session.h"
#include "oci/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& challenge : oci::detail::parse_challenges(split(text, '\n')))
    SLP_ASSERT(!challenge.scheme.empty() && challenge.scheme == lower(challenge.scheme));
  (void)oci::detail::is_loopback(text);
  (void)oci::parse_platform(text);
  return 0;
}
