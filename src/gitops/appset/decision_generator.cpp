// The clusters that another object's status names, such as Open Cluster Management's PlacementDecision. Rules: Argo
// CD's duck-type generator.
#include <algorithm>

#include "base/text.h"
#include "gitops/application.h"
#include "gitops/appset/detail.h"
#include "gotemplate/template.h"
#include "kube/selector.h"

namespace slipway::gitops::appset::detail {
namespace {

struct Duck {
  kube::Type type;
  bool namespaced = true;
  std::string list_key, match_key;
};

// `kind` is the plural in Argo CD's examples (placementdecisions); the kind itself is taken as well.
Result<Duck> duck_of(const Call& call, doc::View generator) {
  auto name = generator["configMapRef"];
  kube::Key key{std::string(home_namespace), name.text()};
  if (key.name.empty()) return name.wrong("is empty, want the name of a ConfigMap");
  TRY(auto map, call.world.client.get(call.ctx, {"v1", "ConfigMap"}, key));
  if (!map) return name.wrong(fmt::format("there is no ConfigMap {}", key.str()));
  auto source = fmt::format("ConfigMap {}", key.str());
  doc::View data(map->value(), source);
  data = data["data"];
  auto version = data["apiVersion"].text(), kind = data["kind"].text();
  if (kind.empty()) return data["kind"].wrong("is missing, want the plural of a kind");
  if (version.find('/') == std::string::npos || version.starts_with('/'))
    return data["apiVersion"].wrong("want GROUP/VERSION");
  Duck duck;
  duck.list_key = data["statusListKey"].str_or("clusters");
  if (duck.list_key.empty()) duck.list_key = "clusters";
  duck.match_key = data["matchKey"].text();
  // Argo CD gives no clusters then, and takes all Applications away.
  if (duck.match_key.empty()) return data["matchKey"].wrong("is missing, want what names a cluster in the list");
  TRY(auto known, call.world.client.resources(call.ctx));
  auto found = std::find_if(known.begin(), known.end(), [&](const kube::Client::Resource& r) {
    return r.type.api_version == version && (r.plural == kind || r.type.kind == kind || r.singular == kind);
  });
  if (found == known.end()) return data["kind"].wrong(fmt::format("the cluster knows no {} of {}", kind, version));
  duck.type = found->type, duck.namespaced = found->namespaced;
  return duck;
}

Result<std::vector<kube::Object>> ducks(const Call& call, const Duck& duck, doc::View generator) {
  auto name = generator["name"].text();
  auto selector = generator["labelSelector"];
  bool selects = !selector["matchLabels"].members().empty() || !selector["matchExpressions"].items().empty();
  if (name.empty() != selects) return generator.wrong("want either name or labelSelector");
  std::string ns = duck.namespaced ? std::string(home_namespace) : "";
  std::vector<kube::Object> all;
  if (!name.empty()) {
    TRY(auto one, call.world.client.get(call.ctx, duck.type, {ns, name}));
    if (one) all.push_back(*std::move(one));
  } else {
    auto labels = kube::LabelSelector::from(selector);
    if (!labels) return selector.wrong(labels.error().what());
    TRY(auto list, call.world.client.list(call.ctx, duck.type, {.ns = ns, .label_selector = labels->print()}));
    all = std::move(list.items);
  }
  if (all.empty()) return generator.wrong(fmt::format("no {} found", duck.type.kind));
  return all;
}

std::string text_of(doc::View value) {
  auto text = value.text();
  return !text.empty() || !value.present() ? text : gotemplate::print(gotemplate::from_doc(value.value()));
}

}  // namespace

Result<Params> from_decisions(const Call& call, doc::View generator) {
  TRY(auto clusters, named_clusters(call));
  TRY(auto duck, duck_of(call, generator));
  TRY(auto objects, ducks(call, duck, generator));
  Params out;
  for (const auto& object : objects) {
    auto source = object.describe();
    auto list = doc::View(object.value(), source)["status"][duck.list_key];
    if (list.present() && !list.value().is_list()) return list.wrong("want a list");
    for (const auto& decision : list.items()) {
      if (!decision.value().is_map()) return decision.wrong("want a map");
      auto wanted = text_of(decision[duck.match_key]);
      auto cluster = std::find_if(clusters.begin(), clusters.end(),
                                  [&](const NamedCluster& c) { return !wanted.empty() && c.name == wanted; });
      if (cluster == clusters.end()) continue;
      doc::Map params{{"name", cluster->name}, {"server", cluster->server}};
      for (const auto& [key, value] : decision.members()) params.set(key, text_of(value));
      TRY_OK(add_values(call, generator["values"], params));
      out.push_back(std::move(params));
    }
  }
  return out;
}

}  // namespace slipway::gitops::appset::detail
