#include <re2/re2.h>

#include "base/log.h"
#include "base/text.h"
#include "cluster/gateway/routes.h"

namespace slipway::cluster {
namespace {

using kube::Object;

std::shared_ptr<const void> compile(const std::string& text) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(1 << 20);
  auto pattern = std::make_shared<RE2>(text, options);
  return pattern->ok() ? std::shared_ptr<const void>(pattern) : nullptr;
}

std::int64_t annotated(const Object& object, std::string_view name, std::int64_t fallback) {
  return to_int(object.annotation(fmt::format("nginx.ingress.kubernetes.io/{}", name))).value_or(fallback);
}

}  // namespace

// Threads: one.
class TableMaker {
 public:
  explicit TableMaker(const World& world) : world_(world) {
    for (const auto& slice : world.slices)
      slices_[{slice.ns(), slice.label("kubernetes.io/service-name")}].push_back(&slice);
    for (const auto& service : world.services) services_[service.key()] = &service;
  }
  std::shared_ptr<const Table> make();

 private:
  using Routes = Table::Routes;
  TargetPtr target(const std::string& ns, const std::string& service, doc::View port);
  std::optional<std::string> port_name(const Object& service, doc::View port) const;
  void add_endpoints(Target& target, const Object& slice, const std::string& port_name);
  Routes& routes_of(const std::string& host);
  void add_ingress(const Object& ingress);
  void add_canary(const Object& ingress);
  void add_route(const Object& route);
  void add_rule(const Object& route, doc::View rule, const std::vector<std::string>& hosts);
  bool read_match(Route& made, doc::View match) const;
  bool read_filters(Route& made, doc::View rule) const;
  std::shared_ptr<Route> ingress_path(const Object& ingress, doc::View path);

  const World& world_;
  std::map<kube::Key, const Object*> services_;
  std::map<kube::Key, std::vector<const Object*>> slices_;
  std::map<std::string, TargetPtr> targets_;
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

// The name of the service's port, which its slices repeat; nothing when it has no such port.
std::optional<std::string> TableMaker::port_name(const Object& service, doc::View port) const {
  auto ports = service["spec"]["ports"].items();
  auto name = port["name"].str_or(port.str_or(""));
  auto number = port["number"].num_or(port.num_or(0));
  for (auto candidate : ports) {
    if (!name.empty() ? candidate["name"].str_or("") == name : candidate["port"].num_or(0) == number)
      return candidate["name"].str_or("");
  }
  if (name.empty() && number == 0 && ports.size() == 1) return ports[0]["name"].str_or("");
  return std::nullopt;
}

void TableMaker::add_endpoints(Target& target, const Object& slice, const std::string& name) {
  int number = 0;
  for (auto port : slice["ports"].items())
    if (port["name"].str_or("") == name && port["protocol"].str_or("TCP") == "TCP")
      number = static_cast<int>(port["port"].num_or(0));
  if (number <= 0 || number > 65535) return;
  for (auto endpoint : slice["endpoints"].items()) {
    if (!endpoint["conditions"]["ready"].bool_or(true)) continue;
    auto pod = endpoint["targetRef"]["kind"].str_or("") == "Pod" ? endpoint["targetRef"]["name"].str_or("") : "";
    auto hash = pod.empty() ? "" : world_.pod_hash(target.ns, pod);
    // One address each: the others reach the same pod.
    auto address = endpoint["addresses"][0].str_or("");
    if (!address.empty()) target.endpoints.push_back({address, number, world_.tally(target.ns, target.service, hash)});
  }
}

TargetPtr TableMaker::target(const std::string& ns, const std::string& service, doc::View port) {
  auto key = fmt::format("{}/{}:{}{}", ns, service, port.text(), port["name"].str_or("") + port["number"].text());
  auto& slot = targets_[key];
  if (slot) return slot;
  auto made = std::make_shared<Target>();
  made->ns = ns, made->service = service;
  made->none = world_.tally(ns, service, "");
  auto found = services_.find({ns, service});
  auto name = found == services_.end() ? std::nullopt : port_name(*found->second, port);
  if (name)
    for (const auto* slice : slices_[{ns, service}]) add_endpoints(*made, *slice, *name);
  slot = std::move(made);
  return slot;
}

TableMaker::Routes& TableMaker::routes_of(const std::string& host) {
  auto name = lower(host);
  if (name.empty() || name == "*") return table_->any_;
  if (!name.starts_with("*.")) return table_->exact_[name];
  auto suffix = name.substr(1);
  for (auto& [present, routes] : table_->wild_)
    if (present == suffix) return routes;
  return table_->wild_.emplace_back(suffix, Routes()).second;
}

std::shared_ptr<Route> TableMaker::ingress_path(const Object& ingress, doc::View path) {
  auto made = std::make_shared<Route>();
  made->origin = ingress.describe();
  made->path = path["path"].str_or("/");
  auto type = path["pathType"].str_or("ImplementationSpecific");
  bool regex =
      ingress.annotation("nginx.ingress.kubernetes.io/use-regex") == "true" && type == "ImplementationSpecific";
  if (type == "Exact") made->kind = Route::Path::exact;
  if (regex) {
    made->kind = Route::Path::pattern;
    made->pattern = compile(made->path + ".*");
  }
  auto service = path["backend"]["service"];
  made->shares.push_back({target(ingress.ns(), service["name"].str_or(""), service["port"]), 1});
  return made;
}

void TableMaker::add_ingress(const Object& ingress) {
  for (auto rule : ingress["spec"]["rules"].items())
    for (auto path : rule["http"]["paths"].items())
      routes_of(rule["host"].str_or("")).push_back(ingress_path(ingress, path));
  auto fallback = ingress["spec"]["defaultBackend"]["service"];
  if (!fallback.present()) return;
  auto made = std::make_shared<Route>();
  made->origin = ingress.describe();
  made->path = "";  // shorter than any other
  made->shares.push_back({target(ingress.ns(), fallback["name"].str_or(""), fallback["port"]), 1});
  table_->any_.push_back(std::move(made));
}

// A canary Ingress adds itself to the routes of the main one with the same host and path.
void TableMaker::add_canary(const Object& ingress) {
  for (auto rule : ingress["spec"]["rules"].items()) {
    for (auto path : rule["http"]["paths"].items()) {
      auto made = ingress_path(ingress, path);
      Canary canary{made->shares[0].target,
                    annotated(ingress, "canary-weight", 0),
                    annotated(ingress, "canary-weight-total", 100),
                    ingress.annotation("nginx.ingress.kubernetes.io/canary-by-header"),
                    ingress.annotation("nginx.ingress.kubernetes.io/canary-by-header-value"),
                    ingress.annotation("nginx.ingress.kubernetes.io/canary-by-cookie")};
      for (auto& route : routes_of(rule["host"].str_or("")))
        if (route->path == made->path && route->kind == made->kind && route->origin.starts_with("Ingress"))
          route->canaries.push_back(canary);
    }
  }
}

bool TableMaker::read_match(Route& made, doc::View match) const {
  made.path = match["path"]["value"].str_or("/");
  auto type = match["path"]["type"].str_or("PathPrefix");
  made.kind = type == "Exact"               ? Route::Path::exact
              : type == "RegularExpression" ? Route::Path::pattern
                                            : Route::Path::prefix;
  if (made.kind == Route::Path::pattern && !(made.pattern = compile(made.path))) return false;
  made.method = match["method"].str_or("");
  auto read = [](doc::View list, std::vector<Match>& into) {
    for (auto entry : list.items()) {
      Match one{entry["name"].str_or(""), entry["value"].str_or(""), nullptr};
      if (entry["type"].str_or("Exact") == "RegularExpression" && !(one.pattern = compile(one.value))) return false;
      into.push_back(std::move(one));
    }
    return true;
  };
  return read(match["headers"], made.headers) && read(match["queryParams"], made.queries);
}

bool TableMaker::read_filters(Route& made, doc::View rule) const {
  for (auto filter : rule["filters"].items()) {
    auto type = filter["type"].str_or("");
    if (type == "RequestHeaderModifier") {
      auto change = filter["requestHeaderModifier"];
      for (auto h : change["set"].items()) made.set_headers.emplace_back(h["name"].str_or(""), h["value"].str_or(""));
      for (auto h : change["add"].items()) made.add_headers.emplace_back(h["name"].str_or(""), h["value"].str_or(""));
      for (auto h : change["remove"].items()) made.drop_headers.push_back(h.text());
    } else if (type == "URLRewrite") {
      auto path = filter["urlRewrite"]["path"];
      made.rewrites_prefix = path["type"].str_or("") == "ReplacePrefixMatch";
      made.rewrites_all = path["type"].str_or("") == "ReplaceFullPath";
      made.prefix_rewrite = path[made.rewrites_all ? "replaceFullPath" : "replacePrefixMatch"].str_or("");
      if (auto host = filter["urlRewrite"]["hostname"].str_or(""); !host.empty())
        made.set_headers.emplace_back("Host", host);
    } else if (type == "RequestRedirect") {
      auto redirect = filter["requestRedirect"];
      made.redirect_status = static_cast<int>(redirect["statusCode"].num_or(302));
      made.redirect_scheme = redirect["scheme"].str_or(""), made.redirect_host = redirect["hostname"].str_or("");
      made.redirect_port = static_cast<int>(redirect["port"].num_or(0));
    } else {
      return false;  // Gateway API: a filter that is not done must not be skipped
    }
  }
  return true;
}

void TableMaker::add_rule(const Object& route, doc::View rule, const std::vector<std::string>& hosts) {
  std::vector<Share> shares;
  for (auto backend : rule["backendRefs"].items()) {
    if (backend["kind"].str_or("Service") != "Service") continue;
    auto ns = backend["namespace"].str_or(route.ns());
    // Another namespace's service would need a ReferenceGrant.
    if (ns != route.ns()) continue;
    shares.push_back({target(ns, backend["name"].str_or(""), backend["port"]),
                      std::max<std::int64_t>(0, backend["weight"].num_or(1))});
  }
  auto matches = rule["matches"].items();
  if (matches.empty()) matches.push_back(doc::View(Object().value()));
  for (auto match : matches) {
    for (const auto& host : hosts) {
      auto made = std::make_shared<Route>();
      made->origin = route.describe();
      if (!read_match(*made, match)) {
        LOG(warn, "gateway.route.bad_pattern", {"route", route.describe()});
        continue;
      }
      made->shares = shares;
      if (!read_filters(*made, rule)) made->shares.clear();
      routes_of(host).push_back(std::move(made));
    }
  }
}

void TableMaker::add_route(const Object& route) {
  std::vector<std::string> hosts;
  for (auto host : route["spec"]["hostnames"].items()) hosts.push_back(host.text());
  if (hosts.empty()) hosts.emplace_back();
  for (auto rule : route["spec"]["rules"].items()) add_rule(route, rule, hosts);
}

std::shared_ptr<const Table> TableMaker::make() {
  auto is_canary = [](const Object& ingress) {
    return ingress.annotation("nginx.ingress.kubernetes.io/canary") == "true";
  };
  auto by_age = [](std::vector<const Object*> objects) {
    // The oldest wins a host and path that two claim.
    std::sort(objects.begin(), objects.end(), [](const Object* a, const Object* b) {
      return std::tuple((*a)["metadata"]["creationTimestamp"].text(), a->key()) <
             std::tuple((*b)["metadata"]["creationTimestamp"].text(), b->key());
    });
    return objects;
  };
  std::vector<const Object*> ingresses, routes;
  for (const auto& ingress : world_.ingresses) ingresses.push_back(&ingress);
  for (const auto& route : world_.routes) routes.push_back(&route);
  ingresses = by_age(std::move(ingresses));
  for (const auto* ingress : ingresses)
    if (!is_canary(*ingress)) add_ingress(*ingress);
  for (const auto* ingress : ingresses)
    if (is_canary(*ingress)) add_canary(*ingress);
  for (const auto* route : by_age(std::move(routes))) add_route(*route);
  table_->sort();
  return table_;
}

std::shared_ptr<const Table> make_table(const World& world) { return TableMaker(world).make(); }

}  // namespace slipway::cluster
