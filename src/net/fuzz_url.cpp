// Addresses and queries as people and other servers write them: what is read prints to the same address, and a query's
// pairs come back from their own encoding.
#include "base/encode.h"
#include "net/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  if (auto url = net::parse_url(text)) {
    auto again = net::parse_url(url->print());
    SLP_ASSERT(again && again->print() == url->print() && again->host == url->host && again->port == url->port);
    SLP_ASSERT(again->user.empty() && again->password.empty());
  }
  auto query = net::parse_query(text);
  std::string written;
  for (const auto& [name, value] : query)
    written += fmt::format("{}{}={}", written.empty() ? "" : "&", percent_encode(name), percent_encode(value));
  SLP_ASSERT(net::parse_query(written) == query);
  return 0;
}
