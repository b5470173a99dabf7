// Anybody in a pod may send anything to the name server; upstream servers may answer anything.
#include "cluster/node/dns.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::cluster;
  std::string_view message(reinterpret_cast<const char*>(data), size);
  (void)dns_addresses(message);
  auto question = parse_dns_question(message);
  if (!question) return 0;
  DnsAnswer answer{.exists = true,
                   .addresses = {"1.2.3.4"},
                   .alias = question->name,
                   .services = {{80, question->name}},
                   .pointer = question->name};
  auto text = dns_answer(message, *question, answer, 512);
  SLP_ASSERT(text.size() >= 12 && dns_addresses(text).size() <= 1);
  return 0;
}
