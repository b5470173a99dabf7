#pragma once
// The routing table: made from Ingress, HTTPRoute, Service and EndpointSlice objects, asked for each request. A table
// never changes; a new one replaces it whole. Private to the room.
#include <atomic>

#include "base/guarded.h"
#include "cluster/gateway.h"
#include "kube/object.h"
#include "net/server.h"

namespace slipway::cluster {

// What is counted for the pods of one service and hash. Threads: any.
class Tally {
 public:
  Tally();
  enum class End { answered, failed };
  void add(End end, int status, double seconds);
  void read(BackendStats& stats) const;

 private:
  std::atomic<std::uint64_t> requests_ = 0, server_errors_ = 0, client_errors_ = 0, failures_ = 0, micros_ = 0;
  std::vector<std::atomic<std::uint64_t>> buckets_;
};
using TallyPtr = std::shared_ptr<Tally>;

// Tables are made anew often: each starts counting elsewhere, or the first of a list would get every first request.
std::uint64_t first_turn();

struct Endpoint {
  std::string address;
  int port = 0;
  TallyPtr tally;
};
// The ready endpoints of one port of a service.
struct Target {
  std::string ns, service;
  std::vector<Endpoint> endpoints;
  TallyPtr none;  // counts what no endpoint could take
  mutable std::atomic<std::uint64_t> turn = first_turn();
};
using TargetPtr = std::shared_ptr<const Target>;

struct Share {
  TargetPtr target;
  std::int64_t weight = 1;
};
// Ingress-nginx's canary beside the main backend: by header, by cookie, else by weight.
struct Canary {
  TargetPtr target;
  std::int64_t weight = 0, total = 100;
  std::string header, header_value, cookie;
};
struct Match {  // a header or a query parameter
  std::string name, value;
  std::shared_ptr<const void> pattern;  // a compiled RE2 for RegularExpression
};
struct Route {
  enum class Path { exact, prefix, pattern };
  Path kind = Path::prefix;
  std::string path = "/";
  std::shared_ptr<const void> pattern;
  std::string method;
  std::vector<Match> headers, queries;
  std::vector<Share> shares;
  std::vector<Canary> canaries;
  std::string prefix_rewrite;  // URLRewrite ReplacePrefixMatch and ReplaceFullPath
  bool rewrites_prefix = false, rewrites_all = false;
  std::vector<std::pair<std::string, std::string>> set_headers, add_headers;
  std::vector<std::string> drop_headers;
  int redirect_status = 0;  // RequestRedirect
  std::string redirect_scheme, redirect_host;
  int redirect_port = 0;
  std::string origin;  // "Ingress shop/web", for people
  mutable std::atomic<std::uint64_t> turn = first_turn(), canary_turn = first_turn();
};

class Table {
 public:
  // Most specific host first, within it exact before long before short paths.
  std::shared_ptr<const Route> find(const net::Request& request) const;
  std::size_t size() const;

 private:
  friend class TableMaker;
  using Routes = std::vector<std::shared_ptr<Route>>;
  void sort();
  std::map<std::string, Routes> exact_;               // by host
  std::vector<std::pair<std::string, Routes>> wild_;  // ".example.org", longest first
  Routes any_;
};

// Chooses by weight: the n-th request of a route, spread evenly rather than by chance, so that 5% is 5% after twenty.
TargetPtr choose(const Route& route, const net::Request& request);

struct World {
  std::vector<kube::Object> ingresses, routes, services, slices;
  // The hash label of a pod, "" when it has none or is gone.
  std::function<std::string(const std::string& ns, const std::string& pod)> pod_hash;
  std::function<TallyPtr(const std::string& ns, const std::string& service, const std::string& hash)> tally;
};
std::shared_ptr<const Table> make_table(const World& world);
bool path_has_prefix(std::string_view path, std::string_view prefix);  // by segments

}  // namespace slipway::cluster
