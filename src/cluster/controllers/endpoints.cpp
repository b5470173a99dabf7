#include "cluster/controllers/endpoints.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

using kube::Object;

constexpr std::size_t slice_size = 100;
constexpr std::string_view managed_by = "endpointslice-controller.k8s.io";
constexpr std::string_view service_label = "kubernetes.io/service-name";

std::optional<std::int64_t> target_port(const Object& pod, doc::View port) {
  auto target = port["targetPort"];
  if (!target.present()) return port["port"].num_or(0);
  auto name = target.str_or("");
  if (name.empty()) return target.num_or(port["port"].num_or(0));
  if (auto number = to_int(name)) return *number;
  auto protocol = port["protocol"].str_or("TCP");
  for (auto container : pod["spec"]["containers"].items())
    for (auto open : container["ports"].items())
      if (open["name"].str_or("") == name && open["protocol"].str_or("TCP") == protocol)
        return open["containerPort"].num_or(0);
  for (auto container : pod["spec"]["initContainers"].items())  // sidecars
    for (auto open : container["ports"].items())
      if (open["name"].str_or("") == name && open["protocol"].str_or("TCP") == protocol)
        return open["containerPort"].num_or(0);
  return std::nullopt;
}

doc::Value ports_of(const Object& service, const Object& pod) {
  doc::List ports;
  for (auto port : service["spec"]["ports"].items()) {
    auto number = target_port(pod, port);
    if (!number) continue;  // this pod does not serve that port
    doc::Value entry;
    entry["name"] = port["name"].str_or("");
    entry["protocol"] = port["protocol"].str_or("TCP");
    entry["port"] = *number;
    if (auto app = port["appProtocol"].str_or(""); !app.empty()) entry["appProtocol"] = app;
    ports.push_back(std::move(entry));
  }
  return ports;
}

bool serves(const Object& pod) { return !is_finished(pod) && pod["status"]["podIP"].present(); }

doc::Value reference_to(const Object& pod) {
  doc::Value ref;
  ref["kind"] = "Pod";
  ref["namespace"] = pod.ns();
  ref["name"] = pod.name();
  ref["uid"] = pod.uid();
  return ref;
}

doc::Value make_endpoint(const Object& service, const Object& pod) {
  bool ready = is_ready(pod), always = service["spec"]["publishNotReadyAddresses"].bool_or(false);
  doc::Value endpoint;
  endpoint["addresses"].list().push_back(pod["status"]["podIP"].str_or(""));
  endpoint["conditions"]["ready"] = always || (ready && !pod.deleting());
  endpoint["conditions"]["serving"] = always || ready;
  endpoint["conditions"]["terminating"] = pod.deleting();
  if (auto node = pod["spec"]["nodeName"].str_or(""); !node.empty()) endpoint["nodeName"] = node;
  auto hostname = pod["spec"]["hostname"].str_or("");
  if (!hostname.empty() && pod["spec"]["subdomain"].str_or("") == service.name()) endpoint["hostname"] = hostname;
  endpoint["targetRef"] = reference_to(pod);
  return endpoint;
}

void by_name(std::vector<Object>& pods) {
  std::erase_if(pods, [](const Object& pod) { return !serves(pod); });
  std::sort(pods.begin(), pods.end(), [](const Object& a, const Object& b) { return a.name() < b.name(); });
}

bool is_headless(const Object& service) { return service["spec"]["clusterIP"].str_or("") == "None"; }

doc::Value make_slice(const Object& service, const std::string& name, const doc::Value& ports, doc::List endpoints) {
  kube::StringMap labels = service.labels();
  labels[std::string(service_label)] = service.name();
  labels["endpointslice.kubernetes.io/managed-by"] = managed_by;
  if (is_headless(service)) labels["service.kubernetes.io/headless"] = "";
  auto slice = kube::make_object(slice_type, {service.ns(), name}, labels);
  slice["metadata"]["ownerReferences"].list().push_back(kube::owner_reference(service, true));
  bool v6 = !endpoints.empty() &&
            endpoints[0].find("addresses")->if_list()->at(0).if_string()->find(':') != std::string::npos;
  slice["addressType"] = v6 ? "IPv6" : "IPv4";
  slice["endpoints"] = std::move(endpoints);
  slice["ports"] = ports;
  return slice;
}

}  // namespace

std::map<std::string, doc::Value> make_slices(const Object& service, std::vector<Object> pods) {
  by_name(pods);
  std::map<std::string, std::pair<doc::Value, doc::List>> groups;  // by printed ports
  for (const auto& pod : pods) {
    auto ports = ports_of(service, pod);
    auto& group = groups[doc::print_json(ports)];
    group.first = std::move(ports);
    group.second.push_back(make_endpoint(service, pod));
  }
  if (groups.empty()) groups["[]"] = {doc::List{}, {}};  // an empty slice says that the service was looked at
  std::map<std::string, doc::Value> slices;
  for (auto& [printed, group] : groups) {
    auto stem = fmt::format("{}-{}", service.name(), sha256_hex(printed).substr(0, 5));
    for (std::size_t at = 0, part = 0; at == 0 || at < group.second.size(); at += slice_size, ++part) {
      auto end = std::min(at + slice_size, group.second.size());
      doc::List some(std::make_move_iterator(group.second.begin() + static_cast<std::ptrdiff_t>(at)),
                     std::make_move_iterator(group.second.begin() + static_cast<std::ptrdiff_t>(end)));
      auto name = part == 0 ? stem : fmt::format("{}-{}", stem, part);
      slices.emplace(name, make_slice(service, name, group.first, std::move(some)));
    }
  }
  return slices;
}

doc::Value make_endpoints(const Object& service, std::vector<Object> pods) {
  by_name(pods);
  kube::StringMap labels = service.labels();
  if (is_headless(service)) labels["service.kubernetes.io/headless"] = "";
  auto made = kube::make_object(endpoints_type, service.key(), labels);
  bool always = service["spec"]["publishNotReadyAddresses"].bool_or(false);
  std::map<std::string, doc::Value> subsets;
  for (const auto& pod : pods) {
    if (pod.deleting() && !always) continue;
    auto ports = ports_of(service, pod);
    for (auto& port : ports.list())
      if (port.str_at({"name"}).empty()) port.map().erase("name");
    auto& subset = subsets[doc::print_json(ports)];
    doc::Value address;
    address["ip"] = pod["status"]["podIP"].str_or("");
    auto hostname = pod["spec"]["hostname"].str_or("");
    if (!hostname.empty() && pod["spec"]["subdomain"].str_or("") == service.name()) address["hostname"] = hostname;
    if (auto node = pod["spec"]["nodeName"].str_or(""); !node.empty()) address["nodeName"] = node;
    address["targetRef"] = reference_to(pod);
    subset[always || is_ready(pod) ? "addresses" : "notReadyAddresses"].list().push_back(std::move(address));
    if (!ports.list().empty()) subset["ports"] = std::move(ports);
  }
  if (!subsets.empty()) {
    auto& list = made["subsets"].list();
    for (auto& [printed, subset] : subsets) list.push_back(std::move(subset));
  }
  return made;
}

namespace {

// Whether `now` already says what `wanted` says: the server's own fields do not count.
bool says(const Object& now, const doc::Value& wanted, std::initializer_list<std::string_view> members) {
  for (auto member : members) {
    const auto* a = now.value().find(member);
    const auto* b = wanted.find(member);
    static const doc::Value none = doc::List{};
    if (!((a == nullptr || a->is_null() ? none : *a) == (b == nullptr || b->is_null() ? none : *b))) return false;
  }
  return now.labels() == Object(wanted).labels();
}

Result<> put(const Ctx& ctx, const Env& env, const std::optional<Object>& now, doc::Value wanted,
             std::initializer_list<std::string_view> members) {
  if (!now) {
    auto made = env.client.create(ctx, std::move(wanted), env.write());
    return made ? Result<>{} : Fail(std::move(made).error());
  }
  if (says(*now, wanted, members)) return {};
  wanted["metadata"]["resourceVersion"] = now->resource_version();
  auto updated = env.client.update(ctx, std::move(wanted), env.write());
  return updated ? Result<>{} : Fail(std::move(updated).error());
}

Result<> put_slices(const Ctx& ctx, const Env& env, const kube::Key& key, std::map<std::string, doc::Value> wanted) {
  auto selector = fmt::format("{}={},endpointslice.kubernetes.io/managed-by={}", service_label, key.name, managed_by);
  TRY(auto present, env.client.list(ctx, slice_type, {.ns = key.ns, .label_selector = selector}));
  for (const auto& slice : present.items) {
    auto it = wanted.find(slice.name());
    if (it == wanted.end() || slice["addressType"].str_or("") != it->second.str_at({"addressType"})) {
      TRY_OK(remove_quietly(ctx, env, slice));
      continue;
    }
    TRY_OK(put(ctx, env, slice, std::move(it->second), {"endpoints", "ports"}));
    wanted.erase(it);
  }
  for (auto& [name, slice] : wanted) TRY_OK(put(ctx, env, std::nullopt, std::move(slice), {}));
  return {};
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto service, env.client.get(ctx, service_type, key));
  if (!service || service->deleting()) {
    TRY_OK(put_slices(ctx, env, key, {}));
    TRY(auto endpoints, env.client.get(ctx, endpoints_type, key));
    if (endpoints && !service) TRY_OK(remove_quietly(ctx, env, *endpoints));
    return kube::Reconciled{};
  }
  // Without a selector somebody else writes the endpoints.
  auto wanted = (*service)["spec"]["selector"];
  if (!wanted.present() || wanted.members().empty() || (*service)["spec"]["type"].str_or("") == "ExternalName")
    return kube::Reconciled{};
  TRY(auto pods, env.client.list(ctx, pod_type, {.ns = key.ns}));
  std::erase_if(pods.items, [&](const Object& pod) {
    auto labels = pod.labels();
    for (auto& [name, value] : wanted.members())
      if (auto it = labels.find(name); it == labels.end() || it->second != value.text()) return true;
    return false;
  });
  // The slices first: they are what traffic follows.
  TRY_OK(put_slices(ctx, env, key, make_slices(*service, pods.items)));
  TRY(auto endpoints, env.client.get(ctx, endpoints_type, key));
  TRY_OK(put(ctx, env, endpoints, make_endpoints(*service, std::move(pods.items)), {"subsets"}));
  return kube::Reconciled{};
}

// Every service of the namespace whose selector takes the pod, now or by an endpoint it still has.
std::vector<kube::Key> keys_of_pod(const Ctx& ctx, const Env& env, const kube::Event& event) {
  std::vector<kube::Key> keys;
  auto labels = event.object.labels();
  auto services = env.client.list(ctx, service_type, {.ns = event.object.ns()});
  if (!services) return keys;
  for (const auto& service : services->items) {
    auto members = service["spec"]["selector"].members();
    bool takes = !members.empty() && std::all_of(members.begin(), members.end(), [&](const auto& m) {
      auto it = labels.find(m.first);
      return it != labels.end() && it->second == m.second.text();
    });
    if (takes) keys.push_back(service.key());
  }
  // A pod that was relabelled is still listed where it was.
  if (event.type != kube::Event::Type::modified) return keys;
  auto slices = env.client.list(ctx, slice_type, {.ns = event.object.ns()});
  if (!slices) return keys;
  for (const auto& slice : slices->items)
    for (auto endpoint : slice["endpoints"].items())
      if (endpoint["targetRef"]["uid"].str_or("") == event.object.uid())
        keys.push_back({slice.ns(), slice.label(service_label)});
  return keys;
}

}  // namespace

Result<> run_endpoints(const Ctx& ctx, const Env& env) {
  auto of_pod = [&](const kube::Event& event) { return keys_of_pod(ctx, env, event); };
  auto of_slice = [](const kube::Event& event) {
    auto service = event.object.label(service_label);
    return service.empty() ? std::vector<kube::Key>() : std::vector<kube::Key>{{event.object.ns(), service}};
  };
  kube::ControllerOptions options{
      .name = env.name,
      .sources = {{.type = service_type}, {.type = pod_type, .keys = of_pod}, {.type = slice_type, .keys = of_slice}},
      .workers = 2};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
