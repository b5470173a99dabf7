#include "cluster/node/services.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace slipway::cluster {
namespace {

bool headless(const kube::Object& service) {
  auto ip = service["spec"]["clusterIP"].str_or("");
  return ip.empty() || ip == "None";
}

std::string variable(std::string_view name) {
  std::string out;
  for (char c : name) out += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

void add_links(kube::StringMap& env, const kube::Object& service) {
  auto ip = service["spec"]["clusterIP"].str_or("");
  auto ports = service["spec"]["ports"].items();
  if (headless(service) || ports.empty()) return;
  auto prefix = variable(service.name());
  env[prefix + "_SERVICE_HOST"] = ip;
  env[prefix + "_SERVICE_PORT"] = ports[0]["port"].text();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    auto number = ports[i]["port"].text(), protocol = ports[i]["protocol"].str_or("TCP");
    if (auto name = ports[i]["name"].str_or(""); !name.empty())
      env[prefix + "_SERVICE_PORT_" + variable(name)] = number;
    auto url = fmt::format("{}://{}:{}", lower(protocol), ip, number);
    auto base = fmt::format("{}_PORT_{}_{}", prefix, number, protocol);
    if (i == 0) env[prefix + "_PORT"] = url;
    env[base] = url;
    env[base + "_PROTO"] = lower(protocol);
    env[base + "_PORT"] = number;
    env[base + "_ADDR"] = ip;
  }
}

std::string service_name(const kube::Key& key) { return fmt::format("{}.{}.svc.{}", key.name, key.ns, kClusterDomain); }

std::string dashed(std::string ip) {
  std::replace(ip.begin(), ip.end(), '.', '-');
  return ip;
}

}  // namespace

std::vector<const ServiceTable::Slice*> ServiceTable::slices_of(const State& state, const kube::Key& service) {
  std::vector<const Slice*> found;
  for (const auto& [key, slice] : state.slices)
    if (slice.service == service) found.push_back(&slice);
  return found;
}

void ServiceTable::program(const kube::Key& key) {
  if (network_ == nullptr) return;
  std::lock_guard order(order_);
  box::ServiceRule rule{.id = key.str(), .cluster_ip = {}, .ports = {}};
  {
    std::lock_guard lock(mutex_);
    auto found = state_.services.find(key);
    if (found != state_.services.end() && !headless(found->second) &&
        found->second["spec"]["type"].str_or("") != "ExternalName") {
      const auto& service = found->second;
      rule.cluster_ip = service["spec"]["clusterIP"].str_or("");
      bool unready = service["spec"]["publishNotReadyAddresses"].bool_or(false);
      for (auto port : service["spec"]["ports"].items()) {
        box::ServicePort out{.protocol = lower(port["protocol"].str_or("TCP")),
                             .port = static_cast<int>(port["port"].num_or(0)),
                             .node_port = static_cast<int>(port["nodePort"].num_or(0)),
                             .endpoints = {}};
        auto name = port["name"].str_or("");
        for (const auto* slice : slices_of(state_, key))
          for (std::size_t i = 0; i < slice->ports.size(); ++i) {
            if (slice->ports[i].first != name || lower(slice->protocols[i]) != out.protocol) continue;
            for (const auto& e : slice->endpoints)
              if (e.ready || unready) out.endpoints.emplace_back(e.ip, slice->ports[i].second);
          }
        rule.ports.push_back(std::move(out));
      }
    }
  }
  if (auto done = network_->set_service(rule); !done)
    LOG(warn, "node.service", {"service", rule.id}, {"error", done.error().what()});
}

void ServiceTable::service_changed(const kube::Object& service) {
  {
    std::lock_guard lock(mutex_);
    state_.services[service.key()] = service;
  }
  program(service.key());
}

void ServiceTable::service_removed(const kube::Key& key) {
  {
    std::lock_guard lock(mutex_);
    state_.services.erase(key);
  }
  program(key);
}

void ServiceTable::slice_changed(const kube::Object& object) {
  Slice slice{.service = {object.ns(), object.label("kubernetes.io/service-name")},
              .ports = {},
              .protocols = {},
              .endpoints = {}};
  if (object["addressType"].str_or("IPv4") != "IPv4") return;
  for (auto port : object["ports"].items()) {
    slice.ports.emplace_back(port["name"].str_or(""), static_cast<int>(port["port"].num_or(0)));
    slice.protocols.push_back(port["protocol"].str_or("TCP"));
  }
  for (auto e : object["endpoints"].items()) {
    auto conditions = e["conditions"];
    Endpoint endpoint{.ip = {},
                      .hostname = e["hostname"].str_or(""),
                      .ready = conditions["ready"].bool_or(true),
                      .serving = conditions["serving"].bool_or(true),
                      .terminating = conditions["terminating"].bool_or(false)};
    for (auto address : e["addresses"].items()) {
      endpoint.ip = address.text();
      slice.endpoints.push_back(endpoint);
    }
  }
  auto service = slice.service;
  {
    std::lock_guard lock(mutex_);
    state_.slices[object.key()] = std::move(slice);
  }
  program(service);
}

void ServiceTable::slice_removed(const kube::Object& object) {
  kube::Key service;
  {
    std::lock_guard lock(mutex_);
    auto found = state_.slices.find(object.key());
    if (found == state_.slices.end()) return;
    service = found->second.service;
    state_.slices.erase(found);
  }
  program(service);
}

void ServiceTable::keep_services(const std::set<kube::Key>& keys) {
  std::vector<kube::Key> gone;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, service] : state_.services)
      if (!keys.contains(key)) gone.push_back(key);
  }
  for (const auto& key : gone) service_removed(key);
}

void ServiceTable::keep_slices(const std::set<kube::Key>& keys) {
  std::set<kube::Key> services;
  {
    std::lock_guard lock(mutex_);
    for (auto it = state_.slices.begin(); it != state_.slices.end();)
      if (keys.contains(it->first)) {
        ++it;
      } else {
        services.insert(it->second.service);
        it = state_.slices.erase(it);
      }
  }
  for (const auto& key : services) program(key);
}

kube::StringMap ServiceTable::environment(const std::string& ns, bool links) const {
  std::lock_guard lock(mutex_);
  kube::StringMap env;
  for (const auto& [key, service] : state_.services)
    if ((links && key.ns == ns) || key == kube::Key{"default", "kubernetes"}) add_links(env, service);
  return env;
}

std::string ServiceTable::cluster_ip(const kube::Key& key) const {
  std::lock_guard lock(mutex_);
  auto found = state_.services.find(key);
  return found == state_.services.end() || headless(found->second) ? "" : found->second["spec"]["clusterIP"].str_or("");
}

// Rule: Kubernetes DNS-based service discovery 1.1: svc.ns.svc.domain, host.svc.ns.svc.domain, _port._proto.svc...
DnsAnswer ServiceTable::resolve_service(const State& state, std::vector<std::string_view> labels) const {
  DnsAnswer answer;
  kube::Key key{std::string(labels[labels.size() - 1]), std::string(labels[labels.size() - 2])};
  labels.resize(labels.size() - 2);
  auto found = state.services.find(key);
  if (found == state.services.end()) return answer;
  const auto& service = found->second;
  auto slices = slices_of(state, key);
  bool unready = service["spec"]["publishNotReadyAddresses"].bool_or(false);
  auto each = [&](auto call) {
    for (const auto* slice : slices)
      for (const auto& e : slice->endpoints)
        if (e.ready || unready) call(*slice, e);
  };
  if (service["spec"]["type"].str_or("") == "ExternalName" && labels.empty()) {
    answer.exists = true;
    answer.alias = service["spec"]["externalName"].str_or("");
    return answer;
  }
  if (labels.empty()) {
    answer.exists = true;
    if (!headless(service))
      answer.addresses = {service["spec"]["clusterIP"].str_or("")};
    else
      each([&](const Slice&, const Endpoint& e) { answer.addresses.push_back(e.ip); });
  } else if (labels.size() == 2 && labels[0].starts_with('_') && labels[1].starts_with('_')) {
    auto port_name = labels[0].substr(1), protocol = labels[1].substr(1);
    if (!headless(service)) {
      for (auto port : service["spec"]["ports"].items())
        if (port["name"].str_or("") == port_name && lower(port["protocol"].str_or("TCP")) == protocol)
          answer.services.push_back({static_cast<int>(port["port"].num_or(0)), service_name(key)});
    } else {
      each([&](const Slice& slice, const Endpoint& e) {
        for (std::size_t i = 0; i < slice.ports.size(); ++i)
          if (slice.ports[i].first == port_name && lower(slice.protocols[i]) == protocol)
            answer.services.push_back(
                {slice.ports[i].second, (e.hostname.empty() ? dashed(e.ip) : e.hostname) + "." + service_name(key)});
      });
    }
    answer.exists = !answer.services.empty();
  } else if (labels.size() == 1) {
    each([&](const Slice&, const Endpoint& e) {
      if ((!e.hostname.empty() && e.hostname == labels[0]) || dashed(e.ip) == labels[0])
        answer.addresses.push_back(e.ip);
    });
    answer.exists = !answer.addresses.empty();
  }
  return answer;
}

DnsAnswer ServiceTable::resolve_pointer(const State& state, std::string_view name) const {
  auto labels = split(name, '.');
  if (labels.size() != 6) return {};
  auto ip = fmt::format("{}.{}.{}.{}", labels[3], labels[2], labels[1], labels[0]);
  for (const auto& [key, service] : state.services)
    if (service["spec"]["clusterIP"].str_or("") == ip)
      return {.exists = true, .addresses = {}, .alias = {}, .services = {}, .pointer = service_name(key)};
  for (const auto& [key, slice] : state.slices)
    for (const auto& e : slice.endpoints)
      if (e.ip == ip)
        return {.exists = true,
                .addresses = {},
                .alias = {},
                .services = {},
                .pointer = (e.hostname.empty() ? dashed(ip) : e.hostname) + "." + service_name(slice.service)};
  return {};
}

DnsAnswer ServiceTable::resolve(std::string_view name) const {
  std::lock_guard lock(mutex_);
  if (name.ends_with(".in-addr.arpa")) return resolve_pointer(state_, name);
  if (name == kClusterDomain || name == "svc.cluster.local")
    return {.exists = true, .addresses = {}, .alias = {}, .services = {}, .pointer = {}};
  if (!name.ends_with(".cluster.local")) return {};
  name.remove_suffix(kClusterDomain.size() + 1);
  auto labels = split(name, '.');
  auto kind = labels.back();
  labels.pop_back();
  if (kind == "svc" && labels.size() >= 2) return resolve_service(state_, std::move(labels));
  // 10-244-0-5.shop.pod.cluster.local is the address it spells.
  if (kind == "pod" && labels.size() == 2) {
    auto ip = std::string(labels[0]);
    std::replace(ip.begin(), ip.end(), '-', '.');
    bool valid = std::count(ip.begin(), ip.end(), '.') == 3 && ip.find_first_not_of("0123456789.") == std::string::npos;
    if (valid) return {.exists = true, .addresses = {ip}, .alias = {}, .services = {}, .pointer = {}};
  }
  if (kind == "svc" && labels.size() == 1) {
    for (const auto& [key, service] : state_.services)
      if (key.ns == labels[0]) return {.exists = true, .addresses = {}, .alias = {}, .services = {}, .pointer = {}};
  }
  return {};
}

}  // namespace slipway::cluster
