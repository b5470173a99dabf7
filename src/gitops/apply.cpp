// Writing one object, and asking about all of them first.
#include <algorithm>

#include "base/text.h"
#include "gitops/detail/operate.h"
#include "kube/apply.h"

namespace slipway::gitops::detail {
namespace {

const kube::Type namespace_type{"v1", "Namespace"};

kube::WriteOptions writing(bool dry_run = false) {
  return {.field_manager = std::string(field_manager), .dry_run = dry_run, .force = true};
}

// Deletes and waits, so that it can be made again. Finalizers may keep it: then again later.
Result<> make_way(const Ctx& ctx, kube::Client& client, const kube::Object& live) {
  if (!live.deleting()) {
    auto removed = client.remove(ctx, live.type(), live.key(),
                                 {.propagation = kube::RemoveOptions::Propagation::background, .uid = live.uid()});
    if (!removed && !removed.error().is(Kind::not_found)) return removed;
  }
  TRY(auto still, client.get(ctx, live.type(), live.key()));
  if (still && still->uid() == live.uid())
    return fail(Kind::unavailable, "{} is to be replaced and not gone yet", live.describe());
  return {};
}

// The whole object is written; what the server gave it stays its own.
Result<kube::Object> replace(const Ctx& ctx, kube::Client& client, doc::Value object, const kube::Object& live,
                             bool dry_run = false) {
  if (!live) return client.create(ctx, std::move(object), writing(dry_run));
  object["metadata"]["resourceVersion"] = live.resource_version();
  if (const auto* finalizers = live.value().find_path({"metadata", "finalizers"});
      finalizers != nullptr && object.find_path({"metadata", "finalizers"}) == nullptr)
    object["metadata"]["finalizers"] = *finalizers;
  return client.update(ctx, std::move(object), writing(dry_run));
}

// The field managers of Argo CD and Flux.
bool is_deployer(doc::View entry) {
  auto manager = entry["manager"].text();
  bool applied = entry["operation"].text() == "Apply";
  return (manager == "argocd-controller" || (manager == "kustomize-controller" && applied)) &&
         entry["subresource"].text().empty();
}

// What somebody wrote with kubectl. Rule: Flux's clean-up of field managers.
bool is_by_hand(doc::View entry) {
  auto manager = entry["manager"].text();
  return (manager.starts_with("kubectl") || manager == "before-first-apply") && entry["subresource"].text().empty();
}

// What `kubectl apply`, Argo CD or Flux owns becomes ours, as its own --server-side does it: else a field that Git
// drops would stay, held by a manager that nobody uses any more. Rule: client-go's csaupgrade.
Result<> take_over(const Ctx& ctx, kube::Client& client, const kube::Object& live, bool all_of_kubectl) {
  auto entries = live["metadata"]["managedFields"].items();
  auto is_former = [&](doc::View e) {
    bool kubectl = e["manager"].text() == "kubectl-client-side-apply" && e["operation"].text() == "Update";
    bool by_hand = all_of_kubectl && is_by_hand(e);
    return (kubectl || by_hand || is_deployer(e)) && e["subresource"].text().empty();
  };
  auto is_ours = [](doc::View e) {
    return e["manager"].text() == field_manager && e["operation"].text() == "Apply" && e["subresource"].text().empty();
  };
  if (std::none_of(entries.begin(), entries.end(), is_former)) return {};
  kube::FieldSet owned;
  doc::List kept;
  doc::Value ours;
  for (const auto& entry : entries) {
    if (!is_former(entry) && !is_ours(entry)) {
      kept.push_back(entry.value());
      continue;
    }
    owned.add(kube::FieldSet::from(entry["fieldsV1"].value()));
    if (ours.is_null() || is_ours(entry)) ours = entry.value();
  }
  ours["manager"] = field_manager, ours["operation"] = "Apply", ours["fieldsV1"] = owned.to_doc();
  kept.push_back(std::move(ours));
  doc::List patch{
      doc::Map{{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", live.resource_version()}},
      doc::Map{{"op", "replace"}, {"path", "/metadata/managedFields"}, {"value", std::move(kept)}}};
  auto taken = client.patch(ctx, live.type(), live.key(), kube::PatchType::json, std::move(patch), writing());
  return taken ? Result<>{} : Result<>(Fail(std::move(taken).error()));
}

bool brings(const Work& work, const kube::Type& type) {
  for (const auto& task : work.tasks) {
    auto spec = doc::View(task.object)["spec"];
    if (task.type.kind == "CustomResourceDefinition" && spec["group"].text() == type.group() &&
        spec["names"]["kind"].text() == type.kind)
      return true;
  }
  return false;
}
bool brings_namespace(const Work& work, const std::string& ns) {
  for (const auto& task : work.tasks)
    if (task.type.kind == "Namespace" && task.key.name == ns) return true;
  return false;
}

// Whether the namespace has what managedNamespaceMetadata says, and nothing that it said once.
bool has_metadata(const kube::Object& live, const Application& app) {
  doc::View metadata(app.namespace_metadata);
  for (auto part : {"labels", "annotations"})
    for (const auto& [key, value] : metadata[part].members())
      if (live["metadata"][part][key].text() != value.text()) return false;
  if (!metadata.present()) return true;
  for (const auto& entry : live["metadata"]["managedFields"].items()) {
    if (entry["manager"].text() != field_manager || entry["operation"].text() != "Apply") continue;
    for (auto part : {"labels", "annotations"})
      for (const auto& [field, below] : entry["fieldsV1"]["f:metadata"][fmt::format("f:{}", part)].members())
        if (field.starts_with("f:") && !metadata[part][field.substr(2)].exists()) return false;
  }
  return true;
}

// Why one object could not be synced, or nothing.
Result<> check(const Ctx& ctx, Work& work, const Compared& r) {
  auto& client = work.writes();
  if (auto refusal = work.project.refusal(r.type, r.key); !refusal.empty()) return fail(Kind::denied, "{}", refusal);
  if (work.app.options.fail_on_shared && !r.shared_with.empty())
    return fail(Kind::denied, "is part of Application {} as well", r.shared_with);
  if (!r.message.empty() && !r.missing && !r.task->options.force) {
    if (!r.task->options.replace) return fail(Kind::invalid, "{}", r.message);
    // What cannot be applied over the live object may still take its place.
    TRY(auto wanted, applied_over(ctx, work.app, *r.task, r.live));
    auto would = replace(ctx, client, std::move(wanted.object), r.live, true);
    return would ? Result<>{} : Result<>(Fail(std::move(would).error()));
  }
  if (!r.missing || r.state == SyncState::synced) return {};
  auto kind = client.resource(ctx, r.type);
  if (!kind && !kind.error().is(Kind::not_found)) return Fail(std::move(kind).error());
  if (!kind) {
    if (brings(work, r.type) || r.task->options.skip_missing_kind) return {};
    return fail(Kind::not_found, "the cluster knows no {} of {}", r.type.kind, r.type.api_version);
  }
  auto wanted = applied_object(work.app, *r.task);
  auto would = client.apply(ctx, wanted, writing(true));
  if (would && r.task->options.validate)
    if (auto dropped = dropped_fields(wanted, would->value()); !dropped.empty())
      work.status.conditions.push_back(unknown_fields(*r.task, dropped));
  bool namespace_comes =
      brings_namespace(work, r.key.ns) || (work.app.options.create_namespace && r.key.ns == work.app.ns);
  if (would || (would.error().is(Kind::not_found) && namespace_comes)) return {};
  return Fail(std::move(would).error());
}

}  // namespace

AppCondition unknown_fields(const Task& task, const std::vector<std::string>& fields) {
  return {"UnknownFieldWarning", fmt::format("{} {}: the cluster knows no {} and leaves it out", task.type.kind,
                                             task.key.str(), join(fields, ", "))};
}

Result<bool> namespace_differs(const Ctx& ctx, kube::Client& client, const Application& app) {
  if (!app.manages_namespace()) return false;
  TRY(auto live, client.get(ctx, namespace_type, {"", app.ns}));
  return live && !live->deleting() && !has_metadata(*live, app);
}

Result<Progress> ensure_namespace(const Ctx& ctx, kube::Client& client, const Application& app) {
  if (!app.options.create_namespace || app.ns.empty()) return Progress{};
  TRY(auto live, client.get(ctx, namespace_type, {"", app.ns}));
  if (live && live->deleting()) return Progress{fmt::format("deletion of namespace {}", app.ns), Millis(500)};
  if (live && has_metadata(*live, app)) return Progress{};
  auto wanted = kube::make_object(namespace_type, {"", app.ns});
  for (auto part : {"labels", "annotations"})
    for (const auto& [key, value] : doc::View(app.namespace_metadata)[part].members())
      wanted["metadata"][part][key] = value.text();
  TRY_OK_IN(fmt::format("namespace {}", app.ns), client.apply(ctx, std::move(wanted), writing()));
  return Progress{};
}

Result<kube::Object> apply_task(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task,
                                const kube::Object& live) {
  TRY(auto wanted, applied_over(ctx, app, task, live));
  const auto& object = wanted.object;
  if (live && task.options.migrate && !task.options.replace)
    TRY_OK(take_over(ctx, client, live, task.options.undo_kubectl));
  // Definitions and namespaces hold what others made: never deleted to be made again.
  bool may_remake = task.options.force && task.type.kind != "Namespace" && task.type.kind != "CustomResourceDefinition";
  auto applied = task.options.replace ? replace(ctx, client, object, live) : client.apply(ctx, object, writing());
  if (applied || !live || !may_remake || !applied.error().is(Kind::invalid)) return applied;
  TRY_OK(make_way(ctx, client, live));
  return client.apply(ctx, applied_object(app, task), writing());
}

Result<> check_all(const Ctx& ctx, Work& work) {
  Result<> first;
  for (const auto& r : work.status.resources) {
    if (r.task == nullptr) continue;
    auto checked = check(ctx, work, r);
    if (checked) continue;
    if (checked.error().retryable() || checked.error().is(Kind::cancelled)) return checked;
    auto& result = result_of(work.status.operation, r.type, r.key, r.task->phase);
    result.status = "SyncFailed", result.outcome = "Failed", result.message = checked.error().what();
    if (first) first = Fail(std::move(checked).error().in(fmt::format("{} {}", r.type.kind, r.key.str())));
  }
  for (const auto& task : work.tasks) {
    if (!task.hook || is_deletion(task.phase)) continue;
    if (auto refusal = work.project.refusal(task.type, task.key); !refusal.empty() && first)
      first = fail(Kind::denied, "hook {}: {}", task.key.name, refusal);
  }
  return first;
}

}  // namespace slipway::gitops::detail

namespace slipway::gitops {

bool has_former_manager(const kube::Object& live, bool all_of_kubectl) {
  auto entries = live["metadata"]["managedFields"].items();
  return std::any_of(entries.begin(), entries.end(), [&](doc::View entry) {
    return detail::is_deployer(entry) || (all_of_kubectl && detail::is_by_hand(entry));
  });
}

}  // namespace slipway::gitops
