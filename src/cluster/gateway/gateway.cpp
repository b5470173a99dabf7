#include "cluster/gateway.h"

#include "base/log.h"
#include "cluster/gateway/proxy.h"
#include "kube/controller.h"

namespace slipway::cluster {
namespace {

using kube::Object;

const kube::Type ingress_type{"networking.k8s.io/v1", "Ingress"},
    route_type{"gateway.networking.k8s.io/v1", "HTTPRoute"}, service_type{"v1", "Service"},
    slice_type{"discovery.k8s.io/v1", "EndpointSlice"}, pod_type{"v1", "Pod"};

// Argo's controller and the embedded rollouts name their hash one way, Deployments the other.
std::string hash_of(const Object& pod) {
  auto hash = pod.label("rollouts-pod-template-hash");
  return hash.empty() ? pod.label("pod-template-hash") : hash;
}

}  // namespace

struct Gateway::Rep {
  std::shared_ptr<kube::Client> client;
  GatewayOptions options;
  UpstreamPool pool;
  Guarded<std::shared_ptr<const Table>> table;
  using TallyKey = std::tuple<std::string, std::string, std::string>;
  Guarded<std::map<TallyKey, TallyPtr>> tallies;
  std::map<kube::Key, std::string> hashes;  // of pods; only the reconciling thread
  std::unique_ptr<net::Server> server;      // last: it goes first

  Result<kube::Reconciled> rebuild(const Ctx& ctx);
  Result<std::vector<Object>> list(const Ctx& ctx, const kube::Type& type, bool optional);
  std::string pod_hash(const Ctx& ctx, const std::string& ns, const std::string& pod);
  TallyPtr tally(const std::string& ns, const std::string& service, const std::string& hash);
  Result<> tell_ingresses(const Ctx& ctx, const std::vector<Object>& ingresses);
  Result<> tell_routes(const Ctx& ctx, const std::vector<Object>& routes);
};

Result<std::vector<Object>> Gateway::Rep::list(const Ctx& ctx, const kube::Type& type, bool optional) {
  auto found = client->list(ctx, type, {});
  if (found) return std::move(found->items);
  if (optional && (found.error().is(Kind::not_found) || found.error().is(Kind::invalid))) return std::vector<Object>();
  return Fail(std::move(found).error());
}

std::string Gateway::Rep::pod_hash(const Ctx& ctx, const std::string& ns, const std::string& pod) {
  // A pod's name is not used again by a ReplicaSet, and its hash never changes. Names of StatefulSets return: they have
  // none.
  auto& hash = hashes[{ns, pod}];
  if (!hash.empty()) return hash;
  auto found = client->get(ctx, pod_type, {ns, pod});
  if (found && *found) hash = hash_of(**found);
  return hash;
}

TallyPtr Gateway::Rep::tally(const std::string& ns, const std::string& service, const std::string& hash) {
  auto all = tallies.lock();
  auto& slot = (*all)[{ns, service, hash}];
  if (!slot) slot = std::make_shared<Tally>();
  return slot;
}

Result<> Gateway::Rep::tell_ingresses(const Ctx& ctx, const std::vector<Object>& ingresses) {
  if (options.node_ip.empty()) return {};
  for (const auto& ingress : ingresses) {
    doc::Value address, status;
    address["ip"] = options.node_ip;
    status["loadBalancer"]["ingress"].list().push_back(std::move(address));
    auto written = kube::write_status(ctx, *client, ingress, std::move(status), "gateway");
    if (!written && !written.error().is(Kind::not_found) && !written.error().is(Kind::conflict))
      return Fail(std::move(written).error());
  }
  return {};
}

Result<> Gateway::Rep::tell_routes(const Ctx& ctx, const std::vector<Object>& routes) {
  for (const auto& route : routes) {
    doc::List parents;
    std::vector<doc::Value> refs;
    for (auto ref : route["spec"]["parentRefs"].items()) refs.push_back(ref.value());
    // One that names no gateway is served all the same, and who waits for its status is told so.
    if (refs.empty()) refs.emplace_back(doc::Map{{"name", "slipway"}});
    for (auto& ref : refs) {
      doc::Value parent;
      parent["parentRef"] = std::move(ref);
      parent["controllerName"] = "slipway.dev/gateway";
      for (auto [type, reason] : {std::pair{"Accepted", "Accepted"}, {"ResolvedRefs", "ResolvedRefs"}}) {
        doc::Value condition;
        condition["type"] = type;
        condition["status"] = "True";
        condition["reason"] = reason;
        condition["message"] = "";
        condition["observedGeneration"] = route.generation();
        condition["lastTransitionTime"] = route["metadata"]["creationTimestamp"].value();
        parent["conditions"].list().push_back(std::move(condition));
      }
      parents.push_back(std::move(parent));
    }
    doc::Value status;
    status["parents"] = std::move(parents);
    auto written = kube::write_status(ctx, *client, route, std::move(status), "gateway");
    if (!written && !written.error().is(Kind::not_found) && !written.error().is(Kind::conflict))
      return Fail(std::move(written).error());
  }
  return {};
}

Result<kube::Reconciled> Gateway::Rep::rebuild(const Ctx& ctx) {
  World world;
  TRY(world.ingresses, list(ctx, ingress_type, true));
  TRY(world.routes, list(ctx, route_type, true));
  TRY(world.services, list(ctx, service_type, false));
  TRY(world.slices, list(ctx, slice_type, false));
  if (hashes.size() > 10'000) hashes.clear();
  world.pod_hash = [&](const std::string& ns, const std::string& pod) { return pod_hash(ctx, ns, pod); };
  world.tally = [&](const std::string& ns, const std::string& service, const std::string& hash) {
    return tally(ns, service, hash);
  };
  auto made = make_table(world);
  *table.lock() = std::move(made);
  pool.trim();
  TRY_OK(tell_ingresses(ctx, world.ingresses));
  TRY_OK(tell_routes(ctx, world.routes));
  return kube::Reconciled{};
}

Gateway::Gateway(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::open(std::shared_ptr<kube::Client> client, GatewayOptions options) {
  auto rep = std::make_unique<Rep>();
  rep->client = std::move(client);
  rep->options = std::move(options);
  net::ServerOptions server{.host = rep->options.host, .port = rep->options.port, .threads = 512};
  auto handler = [r = rep.get()](const Ctx& ctx, net::Request& request) {
    auto table = *r->table.lock();
    return proxy(ctx, r->pool, table, request);
  };
  TRY_IN(rep->server, "gateway", net::Server::start(std::move(server), handler));
  return std::unique_ptr<Gateway>(new Gateway(std::move(rep)));
}

int Gateway::port() const { return rep_->server->port(); }

Result<> Gateway::run(const Ctx& ctx) {
  // Whatever changes, there is one table to make; changes that come together make it once.
  auto one = [](const kube::Event&) { return std::vector<kube::Key>{{"", "table"}}; };
  kube::ControllerOptions options{
      .name = "gateway", .workers = 1, .backoff_max = Millis(2000)};  // HTTPRoute may be defined later
  for (const auto& type : {ingress_type, route_type, service_type, slice_type})
    options.sources.push_back({.type = type, .keys = one});
  return kube::run_controller(ctx, *rep_->client, options,
                              [this](const Ctx& inner, const kube::Key&) { return rep_->rebuild(inner); });
}

std::vector<BackendStats> Gateway::stats() const {
  std::vector<BackendStats> all;
  auto tallies = rep_->tallies.lock();
  for (const auto& [key, tally] : *tallies) {
    BackendStats stats;
    std::tie(stats.ns, stats.service, stats.pod_hash) = key;
    tally->read(stats);
    if (stats.requests > 0) all.push_back(std::move(stats));
  }
  return all;
}

std::string Gateway::metrics_text() const {
  std::string requests =
      "# HELP slipway_gateway_requests_total requests by backend and outcome\n# TYPE slipway_gateway_requests_total "
      "counter\n";
  std::string seconds =
      "# HELP slipway_gateway_request_seconds time to the end of the answer\n# TYPE slipway_gateway_request_seconds "
      "histogram\n";
  for (const auto& s : stats()) {
    auto labels = fmt::format("namespace=\"{}\",service=\"{}\",pod_template_hash=\"{}\"", s.ns, s.service, s.pod_hash);
    auto good = s.requests - std::min(s.requests, s.errors_4xx + s.errors_5xx + s.failures);
    for (auto [code, n] : {std::pair<const char*, std::uint64_t>{"success", good},
                           {"4xx", s.errors_4xx},
                           {"5xx", s.errors_5xx},
                           {"failure", s.failures}})
      requests += fmt::format("slipway_gateway_requests_total{{{},code=\"{}\"}} {}\n", labels, code, n);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < s.buckets.size(); ++i) {
      below += s.buckets[i];
      auto bound = i < gateway_bounds().size() ? fmt::format("{}", gateway_bounds()[i]) : "+Inf";
      seconds += fmt::format("slipway_gateway_request_seconds_bucket{{{},le=\"{}\"}} {}\n", labels, bound, below);
    }
    seconds += fmt::format("slipway_gateway_request_seconds_sum{{{}}} {}\n", labels, s.seconds_sum);
    seconds += fmt::format("slipway_gateway_request_seconds_count{{{}}} {}\n", labels, below);
  }
  return requests + seconds;
}

}  // namespace slipway::cluster
