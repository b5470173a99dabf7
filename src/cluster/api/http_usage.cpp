// The metrics API (metrics.k8s.io/v1beta1), as kubectl top and other readers ask for it. Rule: k8s.io/metrics.
#include "base/time.h"
#include "cluster/api/call.h"
#include "kube/quantity.h"

namespace slipway::cluster {
namespace {

const kube::Type pod_type{"v1", "Pod"}, node_type{"v1", "Node"};
constexpr Millis shortest_window{1000};

doc::Value amounts(std::int64_t cpu_nanos, std::int64_t memory_bytes) {
  kube::Quantity cpu{.nanos = cpu_nanos, .format = kube::Quantity::Format::decimal};
  return doc::Map{{"cpu", cpu.print()}, {"memory", fmt::format("{}Ki", memory_bytes / 1024)}};
}

doc::Value metrics(const KindInfo& kind, const kube::Object& of, WallTime time, Millis window) {
  auto out = kube::make_object(kind.type, of.key(), of.labels());
  out["metadata"]["creationTimestamp"] = rfc3339(time);
  out["timestamp"] = rfc3339(time);
  out["window"] = print_duration(window);
  return out;
}

doc::Value pod_metrics(const KindInfo& kind, const kube::Object& pod, const PodUsage& usage) {
  auto out = metrics(kind, pod, usage.time, usage.window);
  auto& containers = out["containers"].list();
  for (const auto& c : usage.containers)
    containers.emplace_back(doc::Map{{"name", c.name}, {"usage", amounts(c.cpu_nanos, c.memory_bytes)}});
  return out;
}

// The objects of a core kind that this call is about. Errors: 404.
ApiResult<std::vector<kube::Object>> wanted_of_kind(const Call& call, const kube::Type& type) {
  auto kind = call.machinery.kinds().by_type(type);
  std::vector<kube::Object> out;
  if (!call.key.name.empty()) {
    auto object = call.machinery.get(*kind, call.key);
    if (!object) return ApiFail(object.error().code == 404 ? not_found(*call.kind, call.key.name) : object.error());
    out.push_back(*std::move(object));
    return out;
  }
  auto args = call.list_args();
  args.limit = 0, args.continued.clear(), args.resource_version.clear(), args.match.clear();
  API_TRY(auto listed, call.machinery.list(*kind, args));
  for (const auto& stored : listed.items) out.push_back(stored->object());
  return out;
}

// Of each that runs. Where somebody is asked for the first time, a second reading follows a window later.
ApiResult<doc::List> pods(const Call& call, NodeAccess& node) {
  API_TRY(auto objects, wanted_of_kind(call, pod_type));
  for (bool last : {false, true}) {
    auto used = node.usage(call.ctx, call.key.ns, shortest_window);
    if (!used) return ApiFail(ApiError(used.error()));
    std::map<kube::Key, const PodUsage*> by_key;
    for (const auto& usage : *used) by_key[usage.pod] = &usage;
    doc::List items;
    bool complete = true;
    for (const auto& pod : objects) {
      if (auto it = by_key.find(pod.key()); it != by_key.end())
        items.push_back(pod_metrics(*call.kind, pod, *it->second));
      else
        complete = complete && (pod["status"]["phase"].text() != "Running" || pod.deleting());
    }
    if (complete || last) return items;
    if (auto slept = sleep(call.ctx, shortest_window); !slept) return ApiFail(ApiError(slept.error()));
  }
  return doc::List();
}

ApiResult<doc::List> nodes(const Call& call, NodeAccess& node) {
  API_TRY(auto objects, wanted_of_kind(call, node_type));
  auto used = node.node_usage(call.ctx, shortest_window);
  if (!used && used.error().is(Kind::unavailable)) {
    if (auto slept = sleep(call.ctx, shortest_window); !slept) return ApiFail(ApiError(slept.error()));
    used = node.node_usage(call.ctx, shortest_window);
  }
  if (!used) return ApiFail(ApiError(used.error()));
  doc::List items;
  for (const auto& object : objects) {
    if (object.name() != used->name) continue;
    auto out = metrics(*call.kind, object, used->time, used->window);
    out["usage"] = amounts(used->cpu_nanos, used->memory_bytes);
    items.push_back(std::move(out));
  }
  return items;
}

}  // namespace

net::Response serve_usage(Call& call, NodeAccess* node) {
  if (call.request.method != "GET" || call.flag("watch")) return answer(method_not_allowed());
  if (node == nullptr) return answer(ApiError(503, "ServiceUnavailable", "the node agent is not up"));
  auto items = call.kind->plural == "pods" ? pods(call, *node) : nodes(call, *node);
  if (!items) return answer(items.error());
  Wanted plain{Form::object, "v1", call.wanted.yaml};
  if (!call.key.name.empty())
    return items->empty() ? answer(not_found(*call.kind, call.key.name)) : answer(200, items->front(), plain);
  return answer(200,
                doc::Map{{"kind", call.kind->list_kind},
                         {"apiVersion", call.kind->type.api_version},
                         {"metadata", doc::Map{}},
                         {"items", *std::move(items)}},
                plain);
}

}  // namespace slipway::cluster
