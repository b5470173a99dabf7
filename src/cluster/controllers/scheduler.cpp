// Binds pods to the one node, if they fit there.
#include "cluster/controllers/scheduler.h"
#include "base/text.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

using kube::Object;

bool tolerates(const Object& pod, doc::View taint) {
  for (auto toleration : pod["spec"]["tolerations"].items()) {
    auto effect = toleration["effect"].str_or(""), key = toleration["key"].str_or("");
    if (!effect.empty() && effect != taint["effect"].str_or("")) continue;
    if (key.empty() && toleration["operator"].str_or("") == "Exists") return true;
    if (key != taint["key"].str_or("")) continue;
    if (toleration["operator"].str_or("Equal") == "Exists" ||
        toleration["value"].str_or("") == taint["value"].str_or(""))
      return true;
  }
  return false;
}

bool matches_expression(const kube::StringMap& labels, doc::View expression) {
  auto it = labels.find(expression["key"].str_or(""));
  auto op = expression["operator"].str_or("");
  std::set<std::string> values;
  for (auto value : expression["values"].items()) values.insert(value.text());
  if (op == "Exists") return it != labels.end();
  if (op == "DoesNotExist") return it == labels.end();
  if (op == "In") return it != labels.end() && values.contains(it->second);
  if (op == "NotIn") return it == labels.end() || !values.contains(it->second);
  if (it == labels.end() || values.size() != 1) return false;
  auto have = to_int(it->second), want = to_int(*values.begin());
  return have && want && (op == "Gt" ? *have > *want : op == "Lt" && *have < *want);
}

bool matches_affinity(const Object& pod, const Object& node) {
  auto required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (!required.present()) return true;
  auto labels = node.labels();
  for (auto term : required["nodeSelectorTerms"].items()) {
    auto expressions = term["matchExpressions"].items();
    auto fields = term["matchFields"].items();
    if (expressions.empty() && fields.empty()) continue;  // an empty term matches nothing
    kube::StringMap named{{"metadata.name", node.name()}};
    bool all = std::all_of(expressions.begin(), expressions.end(),
                           [&](doc::View e) { return matches_expression(labels, e); }) &&
               std::all_of(fields.begin(), fields.end(), [&](doc::View e) { return matches_expression(named, e); });
    if (all) return true;
  }
  return false;
}

// The larger of what runs together and what each init container needs alone.
double request_of(const Object& pod, std::string_view resource) {
  double sum = 0, init = 0;
  for (auto container : pod["spec"]["containers"].items())
    sum += parse_quantity(container["resources"]["requests"][resource].text());
  for (auto container : pod["spec"]["initContainers"].items()) {
    auto need = parse_quantity(container["resources"]["requests"][resource].text());
    if (container["restartPolicy"].str_or("") == "Always")
      sum += need;
    else
      init = std::max(init, need);
  }
  return std::max(sum, init) + parse_quantity(pod["spec"]["overhead"][resource].text());
}

}  // namespace

double parse_quantity(std::string_view text) {
  auto quantity = kube::Quantity::parse(text);
  return quantity ? static_cast<double>(quantity->nanos) / 1e9 : 0;
}

std::string why_not(const Object& pod, const Object& node, const std::vector<Object>& others) {
  if (node["spec"]["unschedulable"].bool_or(false)) return "node(s) were unschedulable";
  auto labels = node.labels();
  for (auto& [key, value] : pod["spec"]["nodeSelector"].members())
    if (auto it = labels.find(key); it == labels.end() || it->second != value.text())
      return "node(s) didn't match Pod's node affinity/selector";
  if (!matches_affinity(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
  for (auto taint : node["spec"]["taints"].items())
    if (taint["effect"].str_or("") != "PreferNoSchedule" && !tolerates(pod, taint))
      return fmt::format("node(s) had untolerated taint {{{}: {}}}", taint["key"].str_or(""),
                         taint["value"].str_or(""));
  auto room = node["status"]["allocatable"];
  for (auto& [resource, amount] : room.members()) {
    auto need = request_of(pod, resource);
    double used = 0;
    if (resource == "pods") need = 1, used = static_cast<double>(others.size());
    if (need <= 0) continue;
    if (resource != "pods")
      for (const auto& other : others) used += request_of(other, resource);
    if (need + used > parse_quantity(amount.text()) * (1 + 1e-9))
      return resource == "pods" ? "Too many pods" : "Insufficient " + resource;
  }
  for (auto container : pod["spec"]["containers"].items())
    for (auto& [resource, amount] : container["resources"]["requests"].members())
      if (!room[resource].present() && room.present() && parse_quantity(amount.text()) > 0)
        return "Insufficient " + resource;
  return "";
}

namespace {

Result<> refuse(const Ctx& ctx, const Env& env, const Object& pod, const std::string& why) {
  auto message = fmt::format("0/1 nodes are available: 1 {}.", why);
  doc::Value status = pod["status"].value();
  if (!status.is_map()) status = doc::Map();
  if (!put_condition(status, {"PodScheduled", "False", "Unschedulable", message}, ctx.clock->wall())) return {};
  env.event(ctx, pod, "Warning", "FailedScheduling", message);
  return put_status(ctx, env, pod, std::move(status));
}

Result<> assign(const Ctx& ctx, const Env& env, const Object& pod, const std::string& node) {
  doc::Value binding;
  binding["apiVersion"] = "v1";
  binding["kind"] = "Binding";
  binding["metadata"]["name"] = pod.name();
  binding["metadata"]["namespace"] = pod.ns();
  binding["metadata"]["uid"] = pod.uid();
  binding["target"]["apiVersion"] = "v1";
  binding["target"]["kind"] = "Node";
  binding["target"]["name"] = node;
  auto bound = env.client.create(ctx, std::move(binding), env.write("binding"));
  if (!bound)
    return bound.error().is(Kind::not_found) || bound.error().is(Kind::conflict) ? Result<>{}
                                                                                 : Fail(std::move(bound).error());
  env.event(ctx, pod, "Normal", "Scheduled",
            fmt::format("Successfully assigned {}/{} to {}", pod.ns(), pod.name(), node));
  return {};
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto pod, env.client.get(ctx, pod_type, key));
  if (!pod || pod->deleting() || (*pod)["spec"]["nodeName"].present() || is_finished(*pod)) return kube::Reconciled{};
  if ((*pod)["spec"]["schedulerName"].str_or("default-scheduler") != "default-scheduler") return kube::Reconciled{};
  if (!(*pod)["spec"]["schedulingGates"].items().empty()) return kube::Reconciled{};
  TRY(auto node, env.client.get(ctx, node_type, {"", env.settings.node_name}));
  if (!node) {
    TRY_OK(refuse(ctx, env, *pod, "node(s) not there yet"));
    return kube::Reconciled{};  // the node's own event comes
  }
  TRY(auto all, env.client.list(ctx, pod_type, {}));
  std::erase_if(all.items, [&](const Object& other) {
    return is_finished(other) || other["spec"]["nodeName"].str_or("") != node->name();
  });
  auto why = why_not(*pod, *node, all.items);
  if (why.empty()) {
    TRY_OK(assign(ctx, env, *pod, node->name()));
    return kube::Reconciled{};
  }
  TRY_OK(refuse(ctx, env, *pod, why));
  return kube::Reconciled{Millis(5000)};  // room may come without an event of this pod's
}

}  // namespace

Result<> run_scheduler(const Ctx& ctx, const Env& env) {
  auto pending = [&](const kube::Event&) {
    std::vector<kube::Key> keys;
    auto pods = env.client.list(ctx, pod_type, {});
    if (!pods) return keys;
    for (const auto& pod : pods->items)
      if (!pod["spec"]["nodeName"].present()) keys.push_back(pod.key());
    return keys;
  };
  // A pod that ends leaves room; the rest of what happens to a bound pod is not our matter.
  auto of_pod = [&](const kube::Event& event) {
    bool ended = event.type == kube::Event::Type::deleted || is_finished(event.object);
    if (ended) return pending(event);
    return event.object["spec"]["nodeName"].present() ? std::vector<kube::Key>()
                                                      : std::vector<kube::Key>{event.object.key()};
  };
  kube::ControllerOptions options{.name = env.name,
                                  .sources = {{.type = pod_type, .keys = of_pod}, {.type = node_type, .keys = pending}},
                                  .workers = 1};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
