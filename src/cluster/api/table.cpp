#include "cluster/api/table.h"

#include "base/text.h"
#include "base/time.h"
#include "doc/json.h"
#include "kube/selector.h"

namespace slipway::cluster {
namespace {

using kube::Object;

std::string since(const std::string& time, std::string_view absent = "<unknown>") {
  auto t = parse_rfc3339(time);
  if (!t) return std::string(absent);
  auto age = std::chrono::duration_cast<Millis>(real_clock().wall() - *t);
  return age.count() < 0 ? "0s" : human_duration(age);
}
std::string age(const Object& o) { return since(o.value().str_at({"metadata", "creationTimestamp"})); }
std::string text(const doc::View& v, std::string_view absent) {
  auto t = v.text();
  return t.empty() ? std::string(absent) : t;
}
std::string joined(const std::vector<std::string>& parts, std::string_view absent = "<none>") {
  return parts.empty() ? std::string(absent) : join(parts, ",");
}
std::string pairs(const doc::View& map) {
  std::vector<std::string> out;
  for (const auto& [key, value] : map.members()) out.push_back(key + "=" + value.text());
  std::sort(out.begin(), out.end());
  return joined(out);
}
std::string selector(const doc::View& v) {
  auto s = kube::LabelSelector::from(v);
  auto out = s ? s->print() : std::string("<invalid>");
  return out.empty() ? "<none>" : out;
}
std::vector<std::string> containers(const doc::View& spec, std::string_view field) {
  std::vector<std::string> out;
  for (const auto& c : spec["containers"].items()) out.push_back(c[field].text());
  return out;
}
void add_containers(doc::List& cells, const doc::View& spec) {
  cells.emplace_back(joined(containers(spec, "name")));
  cells.emplace_back(joined(containers(spec, "image")));
}

// The word of `kubectl get pods`: what keeps the pod from running, before its phase.
std::string init_state(const doc::View& status, std::size_t total, const std::set<std::string>& sidecars,
                       bool& waiting) {
  std::size_t done = 0;
  for (const auto& c : status["initContainerStatuses"].items()) {
    auto ended = c["state"]["terminated"];
    if (ended.present() && ended["exitCode"].num_or(1) == 0) {
      ++done;
      continue;
    }
    if (sidecars.contains(c["name"].text()) && c["started"].bool_or(false)) {
      ++done;
      continue;
    }
    waiting = true;
    if (ended.present()) {
      auto reason = ended["reason"].text();
      if (!reason.empty()) return "Init:" + reason;
      return ended["signal"].num_or(0) != 0 ? fmt::format("Init:Signal:{}", ended["signal"].num_or(0))
                                            : fmt::format("Init:ExitCode:{}", ended["exitCode"].num_or(0));
    }
    auto reason = c["state"]["waiting"]["reason"].text();
    if (!reason.empty() && reason != "PodInitializing") return "Init:" + reason;
    return fmt::format("Init:{}/{}", done, total);
  }
  return {};
}

struct PodLine {
  std::string status;
  std::int64_t restarts = 0, ready = 0, total = 0;
  std::string last_restart;
};
PodLine pod_line(const Object& pod) {
  PodLine line;
  auto status = pod["status"];
  line.status = text(status["reason"], text(status["phase"], "Unknown"));
  std::set<std::string> sidecars;
  auto inits = pod["spec"]["initContainers"].items();
  for (const auto& c : inits)
    if (c["restartPolicy"].text() == "Always") sidecars.insert(c["name"].text());
  line.total = static_cast<std::int64_t>(pod["spec"]["containers"].items().size() + sidecars.size());
  auto count = [&](const doc::View& c) {
    line.restarts += c["restartCount"].num_or(0);
    line.last_restart = std::max(line.last_restart, c["lastState"]["terminated"]["finishedAt"].text());
  };
  for (const auto& c : status["initContainerStatuses"].items())
    if (sidecars.contains(c["name"].text())) count(c), line.ready += c["ready"].bool_or(false);
  bool initialising = false;
  auto init = init_state(status, inits.size(), sidecars, initialising);
  if (initialising) line.status = init;
  bool running = false;
  for (const auto& c : status["containerStatuses"].items()) {
    count(c);
    if (initialising) continue;
    auto waiting = c["state"]["waiting"]["reason"].text(), ended = c["state"]["terminated"]["reason"].text();
    if (!waiting.empty())
      line.status = waiting;
    else if (!ended.empty())
      line.status = ended;
    else if (c["state"]["terminated"].present())
      line.status = fmt::format("ExitCode:{}", c["state"]["terminated"]["exitCode"].num_or(0));
    else if (c["ready"].bool_or(false) && c["state"]["running"].present())
      running = true, ++line.ready;
  }
  if (line.status == "Completed" && running)
    line.status = kube::condition_status(pod, "Ready") == "True" ? "Running" : "NotReady";
  if (pod.deleting()) line.status = status["reason"].text() == "NodeLost" ? "Unknown" : "Terminating";
  return line;
}

doc::List pod(const Object& o) {
  auto line = pod_line(o);
  auto restarts = std::to_string(line.restarts);
  if (line.restarts > 0 && !line.last_restart.empty()) restarts += fmt::format(" ({} ago)", since(line.last_restart));
  std::size_t gates = o["spec"]["readinessGates"].items().size();
  return {o.name(),
          fmt::format("{}/{}", line.ready, line.total),
          line.status,
          restarts,
          age(o),
          text(o["status"]["podIP"], "<none>"),
          text(o["spec"]["nodeName"], "<none>"),
          text(o["status"]["nominatedNodeName"], "<none>"),
          gates == 0 ? std::string("<none>") : fmt::format("0/{}", gates)};
}
doc::List deployment(const Object& o) {
  auto s = o["status"];
  doc::List cells{o.name(), fmt::format("{}/{}", s["readyReplicas"].num_or(0), o["spec"]["replicas"].num_or(0)),
                  s["updatedReplicas"].num_or(0), s["availableReplicas"].num_or(0), age(o)};
  add_containers(cells, o["spec"]["template"]["spec"]);
  cells.emplace_back(selector(o["spec"]["selector"]));
  return cells;
}
doc::List replica_set(const Object& o) {
  doc::List cells{o.name(), o["spec"]["replicas"].num_or(0), o["status"]["replicas"].num_or(0),
                  o["status"]["readyReplicas"].num_or(0), age(o)};
  add_containers(cells, o["spec"]["template"]["spec"]);
  cells.emplace_back(selector(o["spec"]["selector"]));
  return cells;
}
doc::List stateful_set(const Object& o) {
  doc::List cells{
      o.name(), fmt::format("{}/{}", o["status"]["readyReplicas"].num_or(0), o["spec"]["replicas"].num_or(0)), age(o)};
  add_containers(cells, o["spec"]["template"]["spec"]);
  return cells;
}
doc::List daemon_set(const Object& o) {
  auto s = o["status"];
  doc::List cells{o.name(),
                  s["desiredNumberScheduled"].num_or(0),
                  s["currentNumberScheduled"].num_or(0),
                  s["numberReady"].num_or(0),
                  s["updatedNumberScheduled"].num_or(0),
                  s["numberAvailable"].num_or(0),
                  pairs(o["spec"]["template"]["spec"]["nodeSelector"]),
                  age(o)};
  add_containers(cells, o["spec"]["template"]["spec"]);
  cells.emplace_back(selector(o["spec"]["selector"]));
  return cells;
}
doc::List job(const Object& o) {
  auto s = o["status"];
  auto started = s["startTime"].text(), ended = s["completionTime"].text();
  std::string duration;
  if (!started.empty() && !ended.empty()) {
    auto a = parse_rfc3339(started), b = parse_rfc3339(ended);
    if (a && b) duration = human_duration(std::chrono::duration_cast<Millis>(*b - *a));
  } else if (!started.empty()) {
    duration = since(started);
  }
  std::string status = "Running";
  auto is = [&](std::string_view type) { return kube::condition_status(o, type) == "True"; };
  if (is("Complete"))
    status = "Complete";
  else if (is("Failed"))
    status = "Failed";
  else if (o.deleting())
    status = "Terminating";
  else if (is("Suspended"))
    status = "Suspended";
  else if (is("FailureTarget"))
    status = "FailureTarget";
  else if (is("SuccessCriteriaMet"))
    status = "SuccessCriteriaMet";
  auto completions = o["spec"]["completions"].present()
                         ? fmt::format("{}/{}", s["succeeded"].num_or(0), o["spec"]["completions"].num_or(1))
                         : fmt::format("{}/1{}", s["succeeded"].num_or(0),
                                       o["spec"]["parallelism"].num_or(1) > 1
                                           ? fmt::format(" of {}", o["spec"]["parallelism"].num_or(1))
                                           : "");
  doc::List cells{o.name(), status, completions, duration, age(o)};
  add_containers(cells, o["spec"]["template"]["spec"]);
  cells.emplace_back(selector(o["spec"]["selector"]));
  return cells;
}
doc::List cron_job(const Object& o) {
  auto last = o["status"]["lastScheduleTime"].text();
  doc::List cells{o.name(),
                  o["spec"]["schedule"].text(),
                  text(o["spec"]["timeZone"], "<none>"),
                  o["spec"]["suspend"].bool_or(false) ? "True" : "False",
                  static_cast<std::int64_t>(o["status"]["active"].items().size()),
                  last.empty() ? std::string("<none>") : since(last),
                  age(o)};
  add_containers(cells, o["spec"]["jobTemplate"]["spec"]["template"]["spec"]);
  cells.emplace_back("<none>");
  return cells;
}
std::string external_address(const Object& o) {
  auto type = o["spec"]["type"].text();
  std::vector<std::string> ips;
  for (const auto& ip : o["spec"]["externalIPs"].items()) ips.push_back(ip.text());
  if (type == "ExternalName") return text(o["spec"]["externalName"], "<none>");
  if (type == "LoadBalancer") {
    for (const auto& ingress : o["status"]["loadBalancer"]["ingress"].items())
      ips.push_back(text(ingress["ip"], ingress["hostname"].text()));
    return joined(ips, "<pending>");
  }
  return joined(ips);
}
doc::List service(const Object& o) {
  std::vector<std::string> ports;
  for (const auto& p : o["spec"]["ports"].items()) {
    auto node = p["nodePort"].num_or(0);
    auto protocol = p["protocol"].str_or("TCP");
    ports.push_back(node != 0 ? fmt::format("{}:{}/{}", p["port"].text(), node, protocol)
                              : fmt::format("{}/{}", p["port"].text(), protocol));
  }
  return {o.name(),
          o["spec"]["type"].str_or("ClusterIP"),
          text(o["spec"]["clusterIP"], "<none>"),
          external_address(o),
          joined(ports),
          age(o),
          pairs(o["spec"]["selector"])};
}
doc::List endpoints(const Object& o) {
  std::vector<std::string> out;
  for (const auto& subset : o["subsets"].items())
    for (const auto& address : subset["addresses"].items()) {
      auto ports = subset["ports"].items();
      if (ports.empty()) out.push_back(address["ip"].text());
      for (const auto& port : ports) out.push_back(fmt::format("{}:{}", address["ip"].text(), port["port"].text()));
    }
  auto shown =
      out.size() > 3 ? fmt::format("{},{},{} + {} more...", out[0], out[1], out[2], out.size() - 3) : joined(out);
  return {o.name(), shown, age(o)};
}
doc::List endpoint_slice(const Object& o) {
  std::vector<std::string> ports, addresses;
  for (const auto& p : o["ports"].items()) ports.push_back(p["port"].text());
  for (const auto& e : o["endpoints"].items())
    for (const auto& a : e["addresses"].items()) addresses.push_back(a.text());
  auto shown = addresses.size() > 3 ? fmt::format("{},{},{} + {} more...", addresses[0], addresses[1], addresses[2],
                                                  addresses.size() - 3)
                                    : joined(addresses, "<unset>");
  return {o.name(), o["addressType"].text(), joined(ports, "<unset>"), shown, age(o)};
}
doc::List ingress(const Object& o) {
  std::vector<std::string> hosts, addresses;
  for (const auto& rule : o["spec"]["rules"].items()) hosts.push_back(text(rule["host"], "*"));
  for (const auto& a : o["status"]["loadBalancer"]["ingress"].items())
    addresses.push_back(text(a["ip"], a["hostname"].text()));
  return {o.name(),
          text(o["spec"]["ingressClassName"], "<none>"),
          joined(hosts, "*"),
          joined(addresses, ""),
          o["spec"]["tls"].items().empty() ? "80" : "80, 443",
          age(o)};
}
doc::List config_map(const Object& o) {
  return {o.name(), static_cast<std::int64_t>(o["data"].members().size() + o["binaryData"].members().size()), age(o)};
}
doc::List secret(const Object& o) {
  return {o.name(), o["type"].text(), static_cast<std::int64_t>(o["data"].members().size()), age(o)};
}
doc::List service_account(const Object& o) {
  return {o.name(), static_cast<std::int64_t>(o["secrets"].items().size()), age(o)};
}
doc::List name_space(const Object& o) { return {o.name(), o["status"]["phase"].text(), age(o)}; }
doc::List node(const Object& o) {
  auto ready = kube::condition_status(o, "Ready");
  std::string status = ready == "True" ? "Ready" : ready == "False" ? "NotReady" : "Unknown";
  if (o["spec"]["unschedulable"].bool_or(false)) status += ",SchedulingDisabled";
  std::vector<std::string> roles;
  for (const auto& [key, value] : o.labels()) {
    constexpr std::string_view prefix = "node-role.kubernetes.io/";
    if (key.starts_with(prefix)) roles.push_back(key.substr(prefix.size()));
  }
  auto address = [&](std::string_view type) {
    for (const auto& a : o["status"]["addresses"].items())
      if (a["type"].text() == type) return a["address"].text();
    return std::string("<none>");
  };
  auto info = o["status"]["nodeInfo"];
  return {o.name(),
          status,
          joined(roles),
          age(o),
          info["kubeletVersion"].text(),
          address("InternalIP"),
          address("ExternalIP"),
          text(info["osImage"], "<unknown>"),
          text(info["kernelVersion"], "<unknown>"),
          text(info["containerRuntimeVersion"], "<unknown>")};
}
doc::List event(const Object& o) {
  auto first = text(o["firstTimestamp"], o["eventTime"].text()),
       last = text(o["series"]["lastObservedTime"], text(o["lastTimestamp"], first));
  if (last.empty()) last = first = o.value().str_at({"metadata", "creationTimestamp"});
  auto about = o["involvedObject"];
  auto count = o["count"].num_or(o["series"]["count"].num_or(1));
  auto source = o["source"]["component"].str_or(o["reportingComponent"].text());
  if (auto host = o["source"]["host"].text(); !host.empty()) source += ", " + host;
  auto message = o["message"].text();
  while (message.ends_with('\n')) message.pop_back();
  return {since(last),
          o["type"].text(),
          o["reason"].text(),
          fmt::format("{}/{}", lower(about["kind"].text()), about["name"].text()),
          about["fieldPath"].text(),
          source,
          message,
          since(first),
          count,
          o.name()};
}
doc::List claim(const Object& o) {
  std::vector<std::string> modes;
  for (const auto& m : o["status"]["accessModes"].items()) {
    auto mode = m.text();
    modes.push_back(mode == "ReadWriteOnce"   ? "RWO"
                    : mode == "ReadOnlyMany"  ? "ROX"
                    : mode == "ReadWriteMany" ? "RWX"
                                              : "RWOP");
  }
  return {o.name(),
          o.deleting() ? std::string("Terminating") : o["status"]["phase"].text(),
          o["spec"]["volumeName"].text(),
          o["status"]["capacity"]["storage"].text(),
          joined(modes, ""),
          o["spec"]["storageClassName"].text(),
          text(o["spec"]["volumeAttributesClassName"], "<unset>"),
          age(o),
          text(o["spec"]["volumeMode"], "<unset>")};
}
// "cpu: 12%/80%", "3/10 (avg)". Rule: formatHPAMetrics of pkg/printers/internalversion.
std::string target_text(const doc::View& metric, const doc::View& seen) {
  static const std::map<std::string, std::string_view> members{{"Resource", "resource"},
                                                               {"ContainerResource", "containerResource"},
                                                               {"Pods", "pods"},
                                                               {"Object", "object"},
                                                               {"External", "external"}};
  auto type = metric["type"].text();
  auto found = members.find(type);
  if (found == members.end()) return "<unknown type>";
  auto source = metric[found->second], target = source["target"], now = seen[found->second]["current"];
  auto show = [](const doc::View& value, std::string_view after) {
    return value.present() ? value.text() + std::string(after) : std::string("<unknown>");
  };
  if (type == "Resource" || type == "ContainerResource") {
    bool share = target["averageUtilization"].present();
    std::string_view member = share ? "averageUtilization" : "averageValue", unit = share ? "%" : "";
    return fmt::format("{}: {}/{}", source["name"].text(), show(now[member], unit), show(target[member], unit));
  }
  bool average = target["averageValue"].present();
  std::string_view member = average ? "averageValue" : "value";
  return fmt::format("{}/{}{}", show(now[member], ""), show(target[member], ""),
                     average && type != "Pods" ? " (avg)" : "");
}
doc::List autoscaler(const Object& o) {
  std::vector<std::string> targets;
  auto current = o["status"]["currentMetrics"];
  std::size_t i = 0;
  for (const auto& metric : o["spec"]["metrics"].items()) targets.push_back(target_text(metric, current[i++]));
  return {o.name(),
          fmt::format("{}/{}", o["spec"]["scaleTargetRef"]["kind"].text(), o["spec"]["scaleTargetRef"]["name"].text()),
          joined(targets),
          text(o["spec"]["minReplicas"], "<unset>"),
          o["spec"]["maxReplicas"].num_or(0),
          o["status"]["currentReplicas"].num_or(0),
          age(o)};
}
doc::List budget(const Object& o) {
  return {o.name(), text(o["spec"]["minAvailable"], "N/A"), text(o["spec"]["maxUnavailable"], "N/A"),
          o["status"]["disruptionsAllowed"].num_or(0), age(o)};
}
doc::List role_binding(const Object& o) {
  std::vector<std::string> users, groups, accounts;
  for (const auto& s : o["subjects"].items()) {
    auto kind = s["kind"].text();
    if (kind == "User")
      users.push_back(s["name"].text());
    else if (kind == "Group")
      groups.push_back(s["name"].text());
    else
      accounts.push_back(fmt::format("{}/{}", s["namespace"].text(), s["name"].text()));
  }
  return {o.name(),
          fmt::format("{}/{}", o["roleRef"]["kind"].text(), o["roleRef"]["name"].text()),
          age(o),
          joined(users, ""),
          joined(groups, ""),
          joined(accounts, "")};
}
doc::List created_at(const Object& o) { return {o.name(), o.value().str_at({"metadata", "creationTimestamp"})}; }
doc::List policy(const Object& o) { return {o.name(), selector(o["spec"]["podSelector"]), age(o)}; }
doc::List ingress_class(const Object& o) {
  return {o.name(), o["spec"]["controller"].text(), text(o["spec"]["parameters"]["name"], "<none>"), age(o)};
}
doc::List lease(const Object& o) { return {o.name(), o["spec"]["holderIdentity"].text(), age(o)}; }
doc::List revision(const Object& o) {
  auto owner = o.controller();
  return {o.name(),
          owner ? fmt::format("{}.{}/{}", lower(owner->kind), kube::Type{owner->api_version, owner->kind}.group(),
                              owner->name)
                : "<none>",
          o["revision"].num_or(0), age(o)};
}
doc::List plain(const Object& o) { return {o.name(), age(o)}; }

// "Name|Ready|w:IP|#Restarts": w: only in -o wide, # a number.
struct Layout {
  std::string_view columns;
  doc::List (*cells)(const Object&);
};
const Layout& layout_of(const std::string& table) {
  static const std::map<std::string_view, Layout> known{
      {"pods", {"Name|Ready|Status|Restarts|Age|w:IP|w:Node|w:Nominated Node|w:Readiness Gates", pod}},
      {"deployments.apps", {"Name|Ready|#Up-to-date|#Available|Age|w:Containers|w:Images|w:Selector", deployment}},
      {"replicasets.apps", {"Name|#Desired|#Current|#Ready|Age|w:Containers|w:Images|w:Selector", replica_set}},
      {"statefulsets.apps", {"Name|Ready|Age|w:Containers|w:Images", stateful_set}},
      {"daemonsets.apps",
       {"Name|#Desired|#Current|#Ready|#Up-to-date|#Available|Node Selector|Age|w:Containers|w:Images|w:Selector",
        daemon_set}},
      {"jobs.batch", {"Name|Status|Completions|Duration|Age|w:Containers|w:Images|w:Selector", job}},
      {"cronjobs.batch",
       {"Name|Schedule|Timezone|Suspend|#Active|Last Schedule|Age|w:Containers|w:Images|w:Selector", cron_job}},
      {"services", {"Name|Type|Cluster-IP|External-IP|Port(s)|Age|w:Selector", service}},
      {"endpoints", {"Name|Endpoints|Age", endpoints}},
      {"endpointslices.discovery.k8s.io", {"Name|AddressType|Ports|Endpoints|Age", endpoint_slice}},
      {"ingresses.networking.k8s.io", {"Name|Class|Hosts|Address|Ports|Age", ingress}},
      {"configmaps", {"Name|#Data|Age", config_map}},
      {"secrets", {"Name|Type|#Data|Age", secret}},
      {"serviceaccounts", {"Name|#Secrets|Age", service_account}},
      {"namespaces", {"Name|Status|Age", name_space}},
      {"nodes",
       {"Name|Status|Roles|Age|Version|w:Internal-IP|w:External-IP|w:OS-Image|w:Kernel-Version|w:Container-Runtime",
        node}},
      {"events", {"Last Seen|Type|Reason|Object|w:Subobject|w:Source|Message|w:First Seen|w:#Count|w:Name", event}},
      {"persistentvolumeclaims",
       {"Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age|w:VolumeMode", claim}},
      {"horizontalpodautoscalers.autoscaling", {"Name|Reference|Targets|MinPods|#MaxPods|#Replicas|Age", autoscaler}},
      {"poddisruptionbudgets.policy", {"Name|Min Available|Max Unavailable|#Allowed Disruptions|Age", budget}},
      {"rolebindings.rbac.authorization.k8s.io", {"Name|Role|Age|w:Users|w:Groups|w:ServiceAccounts", role_binding}},
      {"clusterrolebindings.rbac.authorization.k8s.io",
       {"Name|Role|Age|w:Users|w:Groups|w:ServiceAccounts", role_binding}},
      {"roles.rbac.authorization.k8s.io", {"Name|Created At", created_at}},
      {"clusterroles.rbac.authorization.k8s.io", {"Name|Created At", created_at}},
      {"customresourcedefinitions.apiextensions.k8s.io", {"Name|Created At", created_at}},
      {"networkpolicies.networking.k8s.io", {"Name|Pod-Selector|Age", policy}},
      {"ingressclasses.networking.k8s.io", {"Name|Controller|Parameters|Age", ingress_class}},
      {"leases.coordination.k8s.io", {"Name|Holder|Age", lease}},
      {"controllerrevisions.apps", {"Name|Controller|#Revision|Age", revision}}};
  static const Layout rest{"Name|Age", plain};
  auto it = known.find(table);
  return it == known.end() ? rest : it->second;
}

doc::Value column(std::string_view name, std::string_view type, std::string_view format, int priority) {
  return doc::Map{{"name", name}, {"type", type}, {"format", format}, {"description", ""}, {"priority", priority}};
}

doc::Value custom_cell(const Column& column, const Object& object) {
  auto found = json_path(object.value(), column.path);
  if (found.empty() || found[0].is_null()) return {};
  if (column.type == "date") return since(doc::View(found[0]).text(), "<invalid>");
  if (column.type == "string") {
    if (found.size() == 1 && !found[0].is_list() && !found[0].is_map()) return doc::View(found[0]).text();
    if (found.size() == 1) return doc::print_json(found[0]);
    // Several matches read as one word list.
    std::string out;
    for (const auto& v : found) out += (out.empty() ? "" : ",") + doc::View(v).text();
    return out;
  }
  return found[0];
}

}  // namespace

doc::List columns_of(const KindInfo& kind) {
  doc::List out;
  if (kind.custom) {
    out.push_back(column("Name", "string", "name", 0));
    for (const auto& c : kind.columns) out.push_back(column(c.name, c.type, c.format, c.priority));
    return out;
  }
  for (auto word : split(layout_of(kind.table).columns, '|')) {
    int priority = word.starts_with("w:") ? 1 : 0;
    if (priority == 1) word.remove_prefix(2);
    bool number = word.starts_with("#");
    if (number) word.remove_prefix(1);
    out.push_back(column(word, number ? "integer" : "string", word == "Name" && priority == 0 ? "name" : "", priority));
  }
  return out;
}

doc::List cells_of(const KindInfo& kind, const Object& object) {
  if (!kind.custom) return layout_of(kind.table).cells(object);
  doc::List out{object.name()};
  for (const auto& c : kind.columns) out.push_back(custom_cell(c, object));
  return out;
}

}  // namespace slipway::cluster
