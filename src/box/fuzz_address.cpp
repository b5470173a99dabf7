// Addresses of flags and of interfaces: what is read prints to the same.
#include "box/detail/netlink.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::box;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto ip = parse_ip(text)) SLP_ASSERT(parse_ip(print_ip(*ip)).value() == *ip);
  if (auto cidr = parse_cidr(text)) {
    SLP_ASSERT(cidr->prefix >= 0 && cidr->prefix <= 32 && cidr->contains(cidr->base));
    (void)cidr->size();
  }
  return 0;
}
