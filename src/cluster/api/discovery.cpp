// What the server serves: /api, /apis and below, aggregated (v2, v2beta1) and plain.
#include "base/text.h"
#include "cluster/api/call.h"

namespace slipway::cluster {
namespace {

struct Sub {
  std::string group, version, kind;
  std::vector<std::string> verbs;
};
Sub sub_of(const KindInfo& kind, const std::string& name) {
  if (name == "scale") return {"autoscaling", "v1", "Scale", {"get", "patch", "update"}};
  if (name == "eviction") return {"policy", "v1", "Eviction", {"create"}};
  if (name == "binding") return {"", "v1", "Binding", {"create"}};
  if (name == "token") return {"authentication.k8s.io", "v1", "TokenRequest", {"create"}};
  if (name == "log") return {"", "v1", "Pod", {"get"}};
  if (name == "exec") return {"", "v1", "PodExecOptions", {"create", "get"}};
  if (name == "attach") return {"", "v1", "PodAttachOptions", {"create", "get"}};
  if (name == "portforward") return {"", "v1", "PodPortForwardOptions", {"create", "get"}};
  if (name == "finalize") return {kind.group, kind.version, kind.type.kind, {"update"}};
  return {kind.group, kind.version, kind.type.kind, {"get", "patch", "update"}};
}

doc::Value texts(const std::vector<std::string>& list) {
  doc::List out;
  for (const auto& t : list) out.emplace_back(t);
  return out;
}
doc::Value response_kind(const std::string& group, const std::string& version, const std::string& kind) {
  return doc::Map{{"group", group}, {"version", version}, {"kind", kind}};
}

doc::Value aggregated_resource(const KindInfo& kind) {
  doc::Map out{{"resource", kind.plural},
               {"responseKind", response_kind(kind.group, kind.version, kind.type.kind)},
               {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
               {"singularResource", kind.singular},
               {"verbs", texts(kind.verbs)}};
  if (!kind.short_names.empty()) out.set("shortNames", texts(kind.short_names));
  if (!kind.categories.empty()) out.set("categories", texts(kind.categories));
  doc::List subs;
  for (const auto& name : kind.subresources) {
    auto sub = sub_of(kind, name);
    subs.emplace_back(doc::Map{{"subresource", name},
                               {"responseKind", response_kind(sub.group, sub.version, sub.kind)},
                               {"verbs", texts(sub.verbs)}});
  }
  if (!subs.empty()) out.set("subresources", std::move(subs));
  return out;
}

// Groups in the order clients should look names up: core first, then built-in, then custom; each with its versions.
using Versions = std::vector<std::pair<std::string, std::vector<KindPtr>>>;
std::vector<std::pair<std::string, Versions>> grouped(const Kinds& kinds) {
  std::vector<std::pair<std::string, Versions>> out;
  auto slot = [](auto& list, const std::string& key) -> auto& {
    for (auto& [k, v] : list)
      if (k == key) return v;
    list.emplace_back(key, typename std::decay_t<decltype(list)>::value_type::second_type{});
    return list.back().second;
  };
  for (const auto& kind : kinds.all()) slot(slot(out, kind->group), kind->version).push_back(kind);
  // The preferred version comes first: v2 before v1, v1 before v1beta1.
  for (auto& [group, versions] : out)
    std::stable_sort(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
      bool stable_a = a.first.find_first_of("ab") == std::string::npos,
           stable_b = b.first.find_first_of("ab") == std::string::npos;
      return stable_a != stable_b ? stable_a : a.first > b.first;
    });
  return out;
}

net::Response aggregated(const Kinds& kinds, bool core, const std::string& version) {
  doc::List items;
  for (const auto& [group, versions] : grouped(kinds)) {
    if (group.empty() != core) continue;
    doc::List served;
    for (const auto& [name, list] : versions) {
      doc::List resources;
      for (const auto& kind : list) resources.push_back(aggregated_resource(*kind));
      served.emplace_back(doc::Map{{"version", name}, {"resources", std::move(resources)}, {"freshness", "Current"}});
    }
    doc::Map metadata;
    if (!group.empty()) metadata.set("name", group);
    metadata.set("creationTimestamp", doc::Value());
    items.emplace_back(doc::Map{{"metadata", std::move(metadata)}, {"versions", std::move(served)}});
  }
  doc::Value out = doc::Map{{"kind", "APIGroupDiscoveryList"},
                            {"apiVersion", "apidiscovery.k8s.io/" + version},
                            {"metadata", doc::Map{}},
                            {"items", std::move(items)}};
  auto response = answer(200, out);
  // The client takes the version from the type and refuses another than it asked for.
  response.headers.set("Content-Type",
                       fmt::format("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", version));
  response.headers.set("Vary", "Accept");
  return response;
}

doc::Value group_doc(const std::string& group, const Versions& versions) {
  doc::List list;
  for (const auto& [version, kinds] : versions)
    list.emplace_back(doc::Map{{"groupVersion", group + "/" + version}, {"version", version}});
  doc::Value preferred = list[0];
  return doc::Map{{"name", group}, {"versions", std::move(list)}, {"preferredVersion", std::move(preferred)}};
}

doc::Value resource_list(const std::string& group_version, const std::vector<KindPtr>& kinds) {
  doc::List resources;
  for (const auto& kind : kinds) {
    doc::Map r{{"name", kind->plural},
               {"singularName", kind->singular},
               {"namespaced", kind->namespaced},
               {"kind", kind->type.kind},
               {"verbs", texts(kind->verbs)}};
    if (!kind->short_names.empty()) r.set("shortNames", texts(kind->short_names));
    if (!kind->categories.empty()) r.set("categories", texts(kind->categories));
    resources.emplace_back(std::move(r));
    for (const auto& name : kind->subresources) {
      auto sub = sub_of(*kind, name);
      doc::Map s{{"name", kind->plural + "/" + name}, {"singularName", ""}, {"namespaced", kind->namespaced}};
      if (sub.group != kind->group || sub.version != kind->version)
        s.set("group", sub.group), s.set("version", sub.version);
      s.set("kind", sub.kind);
      s.set("verbs", texts(sub.verbs));
      resources.emplace_back(std::move(s));
    }
  }
  return doc::Map{{"kind", "APIResourceList"},
                  {"apiVersion", "v1"},
                  {"groupVersion", group_version},
                  {"resources", std::move(resources)}};
}

std::string asked_version(std::string_view accept) {
  for (auto range : split(accept, ',')) {
    if (range.find("as=APIGroupDiscoveryList") == std::string_view::npos) {
      if (trim(range).starts_with("application/json") || trim(range).starts_with("*/*")) return {};
      continue;
    }
    if (range.find("v=v2beta1") != std::string_view::npos) return "v2beta1";
    if (range.find("v=v2") != std::string_view::npos) return "v2";
  }
  return {};
}

}  // namespace

std::optional<net::Response> serve_discovery(const net::Request& request, const Kinds& kinds) {
  auto path = std::string_view(request.path);
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  auto version = asked_version(request.headers.get_or("accept", ""));
  if (path == "/api") {
    if (!version.empty()) return aggregated(kinds, true, version);
    return answer(
        200,
        doc::Map{{"kind", "APIVersions"}, {"versions", doc::List{"v1"}}, {"serverAddressByClientCIDRs", doc::List{}}});
  }
  if (path == "/apis" && !version.empty()) return aggregated(kinds, false, version);
  auto groups = grouped(kinds);
  if (path == "/apis") {
    doc::List list;
    for (const auto& [group, versions] : groups)
      if (!group.empty()) list.push_back(group_doc(group, versions));
    return answer(200, doc::Map{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(list)}});
  }
  auto parts = split(path.substr(1), '/');
  bool core = parts[0] == "api" && parts.size() == 2,
       named = parts[0] == "apis" && (parts.size() == 2 || parts.size() == 3);
  if (!core && !named) return std::nullopt;
  for (const auto& [group, versions] : groups) {
    if (group != (core ? std::string_view() : parts[1])) continue;
    if (named && parts.size() == 2) {
      auto out = group_doc(group, versions);
      out["kind"] = "APIGroup", out["apiVersion"] = "v1";
      return answer(200, out);
    }
    for (const auto& [name, list] : versions)
      if (name == parts.back()) return answer(200, resource_list(group.empty() ? name : group + "/" + name, list));
  }
  return answer(ApiError(404, "NotFound", "the server could not find the requested resource"));
}

}  // namespace slipway::cluster
