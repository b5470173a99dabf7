#pragma once
// Cluster IPs and node ports of Services.
#include <mutex>
#include <set>
#include <string>

#include "cluster/api/status.h"
#include "kube/object.h"

namespace slipway::cluster {

// Threads: any.
class Addresses {
 public:
  explicit Addresses(std::string cidr);
  // Gives a Service what it needs and has not: clusterIP, clusterIPs, nodePorts. `before` keeps its own.
  // Errors: 422 (outside of the range, taken), 500 (none left).
  ApiResult<> allocate(const struct KindInfo& kind, doc::Value& service, const kube::Object& before);
  void take(const kube::Object& service);  // at start
  void release(const kube::Object& service);
  std::string first() const;  // .1, the API server's own

 private:
  ApiResult<> address(const KindInfo& kind, doc::Value& service, const std::string& kept);
  ApiResult<> ports(const KindInfo& kind, doc::Value& service, const kube::Object& before);
  std::uint32_t base_ = 0, size_ = 0;
  std::uint32_t next_ = 0;
  std::mutex mutex_;
  std::set<std::uint32_t> used_;
  std::set<std::int64_t> ports_;
};

}  // namespace slipway::cluster
