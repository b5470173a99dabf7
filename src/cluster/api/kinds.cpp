#include "cluster/api/kinds.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

constexpr std::string_view meta_reference = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

// Kinds whose metadata.generation counts changes of the spec (kubernetes/pkg/registry/*/strategy.go).
bool counts_generations(std::string_view table) {
  static const std::set<std::string_view> tables{"deployments.apps",
                                                 "replicasets.apps",
                                                 "statefulsets.apps",
                                                 "daemonsets.apps",
                                                 "jobs.batch",
                                                 "cronjobs.batch",
                                                 "ingresses.networking.k8s.io",
                                                 "networkpolicies.networking.k8s.io",
                                                 "poddisruptionbudgets.policy",
                                                 "endpointslices.discovery.k8s.io",
                                                 "replicationcontrollers",
                                                 "podtemplates",
                                                 "priorityclasses.scheduling.k8s.io",
                                                 "customresourcedefinitions.apiextensions.k8s.io",
                                                 "ingressclasses.networking.k8s.io",
                                                 "mutatingwebhookconfigurations.admissionregistration.k8s.io",
                                                 "validatingwebhookconfigurations.admissionregistration.k8s.io",
                                                 "validatingadmissionpolicies.admissionregistration.k8s.io",
                                                 "validatingadmissionpolicybindings.admissionregistration.k8s.io"};
  return tables.contains(table);
}

// Resources of two versions or groups that are one: where they are kept.
kube::Type stored_as(const kube::BuiltinKind& kind) {
  if (kind.type.kind == "HorizontalPodAutoscaler") return {"autoscaling/v2", kind.type.kind};
  if (kind.type.kind == "Event") return {"v1", "Event"};
  return kind.type;
}

KindPtr from_builtin(const kube::BuiltinKind& b) {
  auto k = std::make_shared<KindInfo>();
  k->type = b.type, k->stored = stored_as(b);
  k->group = b.group, k->version = b.version, k->plural = b.plural, k->singular = b.singular;
  k->list_kind = b.type.kind + "List";
  k->table = b.type.kind == "Event" ? "events" : k->resource();
  k->namespaced = b.namespaced;
  k->short_names = b.short_names, k->categories = b.categories, k->verbs = b.verbs;
  for (const auto& sub : b.subresources)
    if (sub != "proxy") k->subresources.push_back(sub);
  auto has = [&](std::string_view sub) {
    return std::find(k->subresources.begin(), k->subresources.end(), sub) != k->subresources.end();
  };
  k->status = has("status"), k->scale = has("scale");
  k->schema = b.schema;
  k->generation = counts_generations(k->table);
  return k;
}

// Of the metrics API, which answers from what the node sees: nothing of it is stored.
KindPtr metrics_kind(std::string_view kind, std::string_view plural, bool namespaced) {
  auto k = std::make_shared<KindInfo>();
  k->group = metrics_group, k->version = "v1beta1";
  k->type = k->stored = {fmt::format("{}/{}", k->group, k->version), std::string(kind)};
  k->plural = plural, k->list_kind = k->type.kind + "List", k->table = k->resource();
  k->namespaced = namespaced;
  k->verbs = {"get", "list"};
  doc::Value anything = doc::Map{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  k->owned_schema = kube::schema_of_crd(anything).value_or(nullptr);
  k->schema = k->owned_schema.get();
  return k;
}

Column column_from(const doc::View& v) {
  return {v["name"].text(), v["type"].text(), v["format"].text(), v["jsonPath"].text(),
          static_cast<int>(v["priority"].num_or(0))};
}

// What /openapi says of a custom kind. As text: a large schema takes many times its length as a tree.
std::string published(const KindInfo& kind, const doc::Value& open_api) {
  if (!open_api.is_map()) return {};
  doc::Value schema = open_api;
  schema["properties"]["apiVersion"] = doc::Map{{"type", "string"}};
  schema["properties"]["kind"] = doc::Map{{"type", "string"}};
  schema["properties"]["metadata"] = doc::Map{{"allOf", doc::List{doc::Map{{"$ref", meta_reference}}}}};
  schema["x-kubernetes-group-version-kind"] =
      doc::List{doc::Map{{"group", kind.group}, {"kind", kind.type.kind}, {"version", kind.version}}};
  return doc::print_json(schema);
}

Result<KindInfo> of_version(const doc::View& spec, const doc::View& version) {
  KindInfo k;
  auto names = spec["names"];
  TRY(k.group, spec["group"].str());
  TRY(k.version, version["name"].str());
  TRY(auto kind, names["kind"].str());
  TRY(k.plural, names["plural"].str());
  k.type = {fmt::format("{}/{}", k.group, k.version), kind};
  k.singular = names["singular"].str_or(lower(kind));
  k.list_kind = names["listKind"].str_or(kind + "List");
  k.table = k.resource();
  k.namespaced = spec["scope"].str_or("") == "Namespaced";
  k.custom = k.generation = true;
  for (const auto& name : names["shortNames"].items()) k.short_names.push_back(name.text());
  for (const auto& name : names["categories"].items()) k.categories.push_back(name.text());
  k.verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  if (version["subresources"]["status"].exists()) k.status = true, k.subresources.emplace_back("status");
  if (auto scale = version["subresources"]["scale"]; scale.present()) {
    k.scale = true, k.subresources.emplace_back("scale");
    k.scale_spec = scale["specReplicasPath"].str_or(".spec.replicas");
    k.scale_status = scale["statusReplicasPath"].str_or(".status.replicas");
    k.scale_selector = scale["labelSelectorPath"].str_or("");
  }
  for (const auto& column : version["additionalPrinterColumns"].items()) k.columns.push_back(column_from(column));
  if (k.columns.empty()) k.columns.push_back({"Age", "date", "", ".metadata.creationTimestamp", 0});
  for (const auto& field : version["selectableFields"].items()) {
    auto path = field["jsonPath"].text();
    k.selectable.push_back(path.starts_with(".") ? path.substr(1) : path);
  }
  auto open_api = version["schema"]["openAPIV3Schema"];
  if (!open_api.present()) return version["schema"]["openAPIV3Schema"].wrong("Required value: schemas are required");
  TRY(k.owned_schema, kube::schema_of_crd(open_api.value()));
  k.schema = k.owned_schema.get();
  k.open_api = published(k, open_api.value());
  k.open_api_hash = sha256_hex(k.open_api);
  return k;
}

kube::Object with_open_status(const kube::Object& crd) {
  auto copy = crd.copy();
  for (auto& version : copy["spec"]["versions"].list()) {
    auto* schema = version["schema"]["openAPIV3Schema"].if_map();
    auto* properties = schema == nullptr ? nullptr : schema->find("properties");
    auto* status = properties == nullptr || !properties->is_map() ? nullptr : properties->if_map()->find("status");
    if (status != nullptr && status->is_map()) (*status)["x-kubernetes-preserve-unknown-fields"] = true;
  }
  return kube::Object(std::move(copy));
}

}  // namespace

bool KindInfo::has_verb(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

Kinds::Kinds() {
  for (const auto& b : kube::builtin_kinds()) {
    auto kind = from_builtin(b);
    by_type_.emplace(kind->type, kind);
    builtin_.push_back(std::move(kind));
  }
  for (auto kind : {metrics_kind("NodeMetrics", "nodes", false), metrics_kind("PodMetrics", "pods", true)}) {
    by_type_.emplace(kind->type, kind);
    builtin_.push_back(std::move(kind));
  }
}

KindPtr Kinds::by_type(const kube::Type& type) const {
  std::lock_guard hold(mutex_);
  auto it = by_type_.find(type);
  return it == by_type_.end() ? nullptr : it->second;
}

KindPtr Kinds::by_path(std::string_view group, std::string_view version, std::string_view plural) const {
  std::lock_guard hold(mutex_);
  for (const auto& [type, kind] : by_type_)
    if (kind->plural == plural && kind->version == version && kind->group == group) return kind;
  return nullptr;
}

std::vector<KindPtr> Kinds::all() const {
  std::lock_guard hold(mutex_);
  auto out = builtin_;
  for (const auto& [name, kinds] : custom_) out.insert(out.end(), kinds.begin(), kinds.end());
  return out;
}

std::uint64_t Kinds::generation() const {
  std::lock_guard hold(mutex_);
  return generation_;
}

Result<std::vector<KindInfo>> Kinds::of_crd(const kube::Object& crd) {
  auto spec = crd["spec"];
  std::vector<KindInfo> out;
  std::string stored;
  for (const auto& version : spec["versions"].items()) {
    if (version["storage"].bool_or(false)) stored = version["name"].text();
    TRY(auto kind, of_version(spec, version));
    if (version["served"].bool_or(true)) out.push_back(std::move(kind));
  }
  if (stored.empty()) return spec["versions"].wrong("must have exactly one version marked as storage version");
  for (auto& kind : out) kind.stored = {fmt::format("{}/{}", kind.group, stored), kind.type.kind};
  return out;
}

void Kinds::keep_status_open(const std::string& crd_name) {
  std::lock_guard hold(mutex_);
  open_.insert(crd_name);
}

Result<> Kinds::define(const kube::Object& crd) {
  bool open = false;
  {
    std::lock_guard hold(mutex_);
    open = open_.contains(crd.name());
  }
  TRY(auto kinds, of_crd(open ? with_open_status(crd) : crd));
  std::lock_guard hold(mutex_);
  for (const auto& kind : kinds) {
    auto it = by_type_.find(kind.type);
    if (it != by_type_.end() && (!it->second->custom || it->second->resource() != crd.name()))
      return fail(Kind::conflict, "{} {} is defined already", kind.type.api_version, kind.type.kind);
  }
  for (const auto& old : custom_[crd.name()]) by_type_.erase(old->type);
  std::vector<KindPtr> fresh;
  for (auto& kind : kinds) {
    auto shared = std::make_shared<const KindInfo>(std::move(kind));
    by_type_[shared->type] = shared;
    fresh.push_back(std::move(shared));
  }
  custom_[crd.name()] = std::move(fresh);
  ++generation_;
  return {};
}

void Kinds::forget(const std::string& crd_name) {
  std::lock_guard hold(mutex_);
  auto it = custom_.find(crd_name);
  if (it == custom_.end()) return;
  for (const auto& kind : it->second) by_type_.erase(kind->type);
  custom_.erase(it);
  ++generation_;
}

}  // namespace slipway::cluster
