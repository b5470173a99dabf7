// Deletion: grace, finalizers, propagation; binding and eviction of pods; what is there from the start.
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "cluster/api/machinery.h"
#include "cluster/api/rbac.h"
#include "doc/yaml.h"

namespace slipway::cluster {
namespace {

constexpr std::string_view foreground = "foregroundDeletion", orphan = "orphan";
constexpr std::string_view clean_up = "customresourcecleanup.apiextensions.k8s.io";
const std::string definitions = "customresourcedefinitions.apiextensions.k8s.io";

Revision revision_of(const kube::Object& object) {
  return static_cast<Revision>(to_int(object.resource_version()).value_or(0));
}

bool runs(const kube::Object& pod) {
  auto phase = pod["status"]["phase"].text();
  return !pod["spec"]["nodeName"].text().empty() && phase != "Succeeded" && phase != "Failed";
}

std::vector<std::string> finalizers(const doc::Value& object) {
  std::vector<std::string> out;
  doc::View view(object);
  for (const auto& f : view["metadata"]["finalizers"].items()) out.push_back(f.text());
  return out;
}
void set_finalizers(doc::Value& object, const std::vector<std::string>& list) {
  if (list.empty()) {
    object["metadata"].map().erase("finalizers");
    return;
  }
  doc::List out;
  for (const auto& f : list) out.emplace_back(f);
  object["metadata"]["finalizers"] = std::move(out);
}

// Foreground and Orphan are finalizers that the garbage collector works off.
void set_propagation(doc::Value& object, const std::string& how) {
  if (how.empty()) return;
  auto list = finalizers(object);
  std::erase_if(list, [](const std::string& f) { return f == foreground || f == orphan; });
  if (how == "Foreground") list.emplace_back(foreground);
  if (how == "Orphan") list.emplace_back(orphan);
  set_finalizers(object, list);
}

ApiResult<> check_preconditions(const KindInfo& kind, const kube::Object& object, const DeleteArgs& args) {
  auto differs = [&](std::string_view what, const std::string& want, const std::string& is) {
    return ApiFail(ApiError(409, "Conflict",
                            fmt::format("Operation cannot be fulfilled on {} \"{}\": Precondition failed: {} in "
                                        "precondition: {}, {} in object meta: {}",
                                        kind.resource(), object.name(), what, want, what, is))
                       .about(kind.group, kind.plural, object.name()));
  };
  if (!args.uid.empty() && args.uid != object.uid()) return differs("UID", args.uid, object.uid());
  if (!args.resource_version.empty() && args.resource_version != object.resource_version())
    return differs("ResourceVersion", args.resource_version, object.resource_version());
  return {};
}

}  // namespace

ApiResult<Removed> Machinery::remove(const Ctx& ctx, const KindInfo& asked, const kube::Key& key,
                                     const DeleteArgs& args) {
  auto kept = kinds_.stored_kind(asked);
  const auto& kind = kept ? *kept : asked;
  if (!args.propagation.empty() && args.propagation != "Background" && args.propagation != "Foreground" &&
      args.propagation != "Orphan")
    return ApiFail(
        ApiError(422, "Invalid",
                 fmt::format("DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{}\": "
                             "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                             args.propagation)));
  for (;;) {
    auto before = store_.get(kind.table, key);
    if (!before) return ApiFail(not_found(kind, key.name));
    auto out = remove_once(ctx, kind, before, args);
    if (!out && out.error().code == 409 && out.error().reason == "Raced") {
      API_TRY_OK(ctx.alive());
      continue;
    }
    if (!out) return out;
    if (!args.dry_run) audit(asked, "delete", "", out->object, args.caller, {});
    out->object = shown(asked, out->object);
    return out;
  }
}

ApiResult<Removed> Machinery::remove_once(const Ctx& ctx, const KindInfo& kind, const kube::Object& before,
                                          const DeleteArgs& args) {
  API_TRY_OK(check_preconditions(kind, before, args));
  static const std::set<std::string_view> protected_names{"default", "kube-system", "kube-public"};
  if (kind.table == "namespaces" && protected_names.contains(before.name()))
    return ApiFail(forbidden(kind, before.name(), "this namespace may not be deleted"));
  doc::Value next = before.copy();
  set_propagation(next, args.propagation);
  if (kind.table == definitions && store_.any(before.name())) {
    auto list = finalizers(next);
    if (std::find(list.begin(), list.end(), clean_up) == list.end()) list.emplace_back(clean_up);
    set_finalizers(next, list);
  }
  std::int64_t grace = 0;
  if (kind.table == "pods" && runs(before)) {
    grace = args.grace.value_or(before["spec"]["terminationGracePeriodSeconds"].num_or(30));
    if (grace < 0) grace = 1;
    // A second deletion may only shorten what the first gave.
    if (before.deleting())
      grace = std::min(grace, args.grace ? grace : before["metadata"]["deletionGracePeriodSeconds"].num_or(0));
  }
  bool waits = !finalizers(next).empty() || grace > 0 ||
               (kind.table == "namespaces" && !before["spec"]["finalizers"].items().empty());
  if (!waits) {
    if (args.dry_run) return Removed{before, true};
    API_TRY(auto gone, store_.erase(ctx, kind.table, before.key(), std::move(next), revision_of(before)));
    if (!gone) return ApiFail(ApiError(409, "Raced", {}));
    after_removal(ctx, kind, *gone);
    return Removed{*std::move(gone), true};
  }
  auto& metadata = next["metadata"];
  bool shorter = before.deleting() && grace < before["metadata"]["deletionGracePeriodSeconds"].num_or(0);
  if (!before.deleting() || shorter) {
    metadata["deletionTimestamp"] = rfc3339(real_clock().wall() + std::chrono::seconds(grace));
    metadata["deletionGracePeriodSeconds"] = grace;
    if (!before.deleting() && before.generation() > 0) metadata["generation"] = before.generation() + 1;
  }
  if (kind.table == "namespaces") next["status"]["phase"] = "Terminating";
  if (kind.table == definitions)
    kube::set_condition(next, "Terminating", true, "InstanceDeletionInProgress",
                        "CustomResource deletion is in progress", rfc3339(real_clock().wall()));
  if (args.dry_run || next == before.value()) return Removed{kube::Object(std::move(next)), false};
  API_TRY(auto put, store_.put(ctx, kind.table, before.key(), std::move(next), revision_of(before)));
  if (!put) return ApiFail(ApiError(409, "Raced", {}));
  if (kind.table == definitions) {
    remove_instances(ctx, *put, args);
    if (!store_.get(kind.table, before.key())) return Removed{*std::move(put), true};
  }
  return Removed{*std::move(put), false};
}

void Machinery::remove_instances(const Ctx& ctx, const kube::Object& crd, const DeleteArgs& args) {
  auto kinds = Kinds::of_crd(crd);
  if (!kinds || kinds->empty()) return;
  DeleteArgs inner;
  inner.caller = args.caller;
  for (const auto& held : store_.list(crd.name(), "").items) {
    auto instance = held->object();
    auto r = remove(ctx, kinds->front(), instance.key(), inner);
    if (!r && r.error().code != 404)
      LOG(warn, "cluster.crd.instance_stays", {"object", instance.describe()}, {"error", r.error().message});
  }
}

void Machinery::after_removal(const Ctx& ctx, const KindInfo& kind, const kube::Object& gone) {
  if (kind.table == "services") addresses_.release(gone);
  if (kind.table == definitions) kinds_.forget(gone.name());
  if (!kind.custom || store_.any(kind.table)) return;
  // The last instance of a definition that is being deleted takes it along.
  auto crd = store_.get(definitions, {"", kind.table});
  if (!crd || !crd.deleting()) return;
  auto made = change(ctx, *kinds_.by_type({"apiextensions.k8s.io/v1", "CustomResourceDefinition"}), crd.key(), "", {},
                     Fields::track, [](const kube::Object& now) -> ApiResult<doc::Value> {
                       auto next = now.copy();
                       next["metadata"].map().erase("resourceVersion");
                       auto list = finalizers(next);
                       std::erase(list, std::string(clean_up));
                       set_finalizers(next, list);
                       return next;
                     });
  if (!made) LOG(warn, "cluster.crd.stays", {"name", crd.name()}, {"error", made.error().message});
}

ApiResult<Listed> Machinery::remove_collection(const Ctx& ctx, const KindInfo& kind, const ListArgs& which,
                                               const DeleteArgs& args) {
  API_TRY(auto listed, list(kind, which));
  for (const auto& held : listed.items) {
    auto object = held->object();
    auto one = args;
    one.uid = object.uid();
    auto removed = remove(ctx, kind, object.key(), one);
    if (!removed && removed.error().code != 404 && removed.error().code != 409)
      return ApiFail(std::move(removed).error());
  }
  return listed;
}

ApiResult<> Machinery::bind(const Ctx& ctx, const kube::Key& pod, const doc::Value& binding, const WriteArgs& args) {
  auto kind = kinds_.by_type({"v1", "Pod"});
  auto node = doc::View(binding)["target"]["name"].text();
  if (node.empty()) return ApiFail(bad_request("binding: target.name: Required value"));
  auto made =
      change(ctx, *kind, pod, "", args, Fields::track, [&](const kube::Object& current) -> ApiResult<doc::Value> {
        if (auto there = current["spec"]["nodeName"].text(); !there.empty() && there != node)
          return ApiFail(
              ApiError(
                  409, "Conflict",
                  fmt::format(
                      "Operation cannot be fulfilled on pods/binding \"{}\": pod {} is already assigned to node \"{}\"",
                      pod.name, pod.name, there))
                  .about("", "pods/binding", pod.name));
        if (current.deleting())
          return ApiFail(
              ApiError(409, "Conflict", fmt::format("pod {} is being deleted, cannot be assigned to a host", pod.name))
                  .about("", "pods/binding", pod.name));
        auto next = current.copy();
        next["metadata"].map().erase("resourceVersion");
        next["spec"]["nodeName"] = node;
        return next;
      });
  if (!made) return ApiFail(std::move(made).error());
  auto status =
      change(ctx, *kind, pod, "status", args, Fields::track, [&](const kube::Object& current) -> ApiResult<doc::Value> {
        auto next = current.copy();
        next["metadata"].map().erase("resourceVersion");
        kube::set_condition(next, "PodScheduled", true, "", "", rfc3339(real_clock().wall()));
        return next;
      });
  if (!status) return ApiFail(std::move(status).error());
  return {};
}

ApiResult<> Machinery::evict(const Ctx& ctx, const kube::Key& key, const DeleteArgs& args) {
  auto kind = kinds_.by_type({"v1", "Pod"});
  auto pod = store_.get("pods", key);
  if (!pod) return ApiFail(not_found(*kind, key.name));
  for (const auto& held : store_.list("poddisruptionbudgets.policy", key.ns).items) {
    auto budget = held->object();
    auto selector = kube::LabelSelector::from(budget["spec"]["selector"]);
    if (!selector || !selector->matches(pod.labels()) || !runs(pod)) continue;
    if (budget["status"]["disruptionsAllowed"].num_or(0) > 0) continue;
    ApiError error(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.");
    error.causes = {
        {"DisruptionBudget",
         fmt::format("The disruption budget {} needs {} healthy pods and has {} currently", budget.name(),
                     budget["status"]["desiredHealthy"].num_or(0), budget["status"]["currentHealthy"].num_or(0)),
         ""}};
    return ApiFail(std::move(error));
  }
  auto removed = remove(ctx, *kind, key, args);
  if (!removed) return ApiFail(std::move(removed).error());
  return {};
}

Result<> Machinery::bootstrap(const Ctx& ctx, const std::vector<std::string>& crds,
                              const std::vector<std::string>& namespaces) {
  Caller server{"system:apiserver", "slipway", {"system:masters"}};
  WriteArgs args{.caller = &server, .manager = "slipway"};
  auto add = [&](const kube::Type& type, doc::Value object) -> Result<> {
    auto kind = kinds_.by_type(type);
    auto made = create(ctx, *kind, "", std::move(object), args);
    if (!made && made.error().reason != "AlreadyExists") return Fail(made.error().to_error());
    return {};
  };
  std::vector<doc::Value> built_in;
  for (const auto& text : crds) {
    TRY_IN(auto parsed, "built-in CustomResourceDefinition", doc::parse_yaml_all(text));
    for (auto& crd : parsed) {
      kinds_.keep_status_open(crd.str_at({"metadata", "name"}));
      built_in.push_back(std::move(crd));
    }
  }
  for (const auto& crd : store_.list(definitions, "").items) TRY_OK(kinds_.define(crd->object()));
  std::vector<std::string> wanted{"default", "kube-system", "kube-public", "kube-node-lease"};
  wanted.insert(wanted.end(), namespaces.begin(), namespaces.end());
  for (const auto& name : wanted)
    if (!store_.get("namespaces", {"", name}))
      TRY_OK(add({"v1", "Namespace"}, kube::make_object({"v1", "Namespace"}, {"", name})));
  if (!store_.get("services", {"default", "kubernetes"})) {
    auto service = kube::make_object({"v1", "Service"}, {"default", "kubernetes"},
                                     {{"component", "apiserver"}, {"provider", "kubernetes"}});
    service["spec"] = doc::Map{{"clusterIP", addresses_.first()},
                               {"ports", doc::List{doc::Map{{"name", "https"}, {"port", 443}, {"targetPort", 443}}}}};
    TRY_OK(add({"v1", "Service"}, std::move(service)));
  }
  for (auto& object : default_roles()) {
    kube::Type kind_type{object.str_at({"apiVersion"}), object.str_at({"kind"})};
    if (!store_.get(kinds_.by_type(kind_type)->table, {"", object.str_at({"metadata", "name"})}))
      TRY_OK(add(kind_type, std::move(object)));
  }
  const kube::Type type{"apiextensions.k8s.io/v1", "CustomResourceDefinition"};
  for (const auto& crd : built_in) {
    auto name = crd.str_at({"metadata", "name"});
    auto there = store_.get(definitions, {"", name});
    if (there && !there.deleting() && there["spec"]["versions"].value() == *crd.find_path({"spec", "versions"}))
      continue;
    auto made = patch(ctx, *kinds_.by_type(type), {"", name}, "", PatchKind::apply, crd,
                      {.caller = &server, .manager = "slipway", .force = true});
    if (!made) return Fail(made.error().to_error().in(name));
  }
  return {};
}

}  // namespace slipway::cluster
