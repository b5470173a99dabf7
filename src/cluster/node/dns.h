#pragma once
// The cluster's DNS: names of services answered here, everything else asked of the host's own servers.
#include <thread>

#include "cluster/node/services.h"

namespace slipway::cluster {

struct DnsQuestion {
  std::uint16_t id = 0, type = 0, klass = 0, flags = 0;
  std::string name;     // lower case, no trailing dot
  std::size_t end = 0;  // of the question section in the message
};
// Errors: invalid. Compression is refused in questions; one question only.
Result<DnsQuestion> parse_dns_question(std::string_view message);
// The whole answer to a question about a name that is ours. `limit`: 512 for UDP without EDNS; longer ones are cut
// and marked so.
std::string dns_answer(std::string_view message, const DnsQuestion& question, const DnsAnswer& answer,
                       std::size_t limit);
// A question of ours, and the IPv4 addresses of its answer (whatever aliases lead to them).
std::string dns_question(std::uint16_t id, std::string_view name);
std::vector<std::string> dns_addresses(std::string_view message);
std::string dns_failure(std::string_view message, const DnsQuestion& question, unsigned rcode);

struct DnsOptions {
  std::string address;  // where to listen
  int port = 53;
  std::vector<std::string> upstream;  // name servers, IPv4
};
// The nameservers (and search list) of the host's resolv.conf.
struct HostResolver {
  std::vector<std::string> servers, search, options;
};
HostResolver read_resolv_conf(std::string_view text);

// Serves UDP and TCP from construction to destruction, one thread and a few more for what is forwarded.
class DnsServer {
 public:
  // Errors: unavailable (port taken), denied.
  static Result<std::unique_ptr<DnsServer>> start(const ServiceTable& table, DnsOptions options);
  ~DnsServer();
  int port() const;

 private:
  struct Rep;
  explicit DnsServer(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::cluster
