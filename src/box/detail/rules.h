#pragma once
// The nftables side of the node's network: texts of transactions, and the library that runs them.
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "box/network.h"

struct nft_ctx;

namespace slipway::box {

struct RuleNames {
  std::string table, bridge, pod_cidr, service_cidr;
};
// The whole table, in one transaction with the removal of a former one.
std::string table_text(const RuleNames& names, const std::vector<ServiceRule>& services,
                       const std::set<std::string>& pod_ips);
// From one state of a service to the next; either may be empty (no ports).
std::string service_text(const RuleNames& names, const ServiceRule& before, const ServiceRule& after);
std::string pod_text(const RuleNames& names, const std::string& ip, bool add);

// Errors: invalid unless every address and port is one: texts are made of them.
Result<> check(const ServiceRule& rule);

// libnftables in process. Threads: any (one transaction at a time).
class Nft {
 public:
  static Result<std::unique_ptr<Nft>> open();
  ~Nft();
  Result<> run(const std::string& text);

 private:
  Nft() = default;
  std::mutex mutex_;
  nft_ctx* ctx_ = nullptr;
};

}  // namespace slipway::box
