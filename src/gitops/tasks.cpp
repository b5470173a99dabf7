#include "gitops/tasks.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view kinds_in_order[] = {"Namespace",
                                               "NetworkPolicy",
                                               "ResourceQuota",
                                               "LimitRange",
                                               "PodSecurityPolicy",
                                               "PodDisruptionBudget",
                                               "ServiceAccount",
                                               "Secret",
                                               "SecretList",
                                               "ConfigMap",
                                               "StorageClass",
                                               "PersistentVolume",
                                               "PersistentVolumeClaim",
                                               "CustomResourceDefinition",
                                               "ClusterRole",
                                               "ClusterRoleList",
                                               "ClusterRoleBinding",
                                               "ClusterRoleBindingList",
                                               "Role",
                                               "RoleList",
                                               "RoleBinding",
                                               "RoleBindingList",
                                               "Service",
                                               "DaemonSet",
                                               "Pod",
                                               "ReplicationController",
                                               "ReplicaSet",
                                               "Deployment",
                                               "HorizontalPodAutoscaler",
                                               "StatefulSet",
                                               "Job",
                                               "CronJob",
                                               "IngressClass",
                                               "Ingress",
                                               "APIService"};

std::optional<SyncPhase> phase_of(std::string_view word) {
  if (word == "PreSync" || word == "pre-install" || word == "pre-upgrade") return SyncPhase::pre_sync;
  if (word == "Sync") return SyncPhase::sync;
  if (word == "PostSync" || word == "post-install" || word == "post-upgrade") return SyncPhase::post_sync;
  if (word == "SyncFail") return SyncPhase::sync_fail;
  if (word == "PreDelete" || word == "pre-delete") return SyncPhase::pre_delete;
  if (word == "PostDelete" || word == "post-delete") return SyncPhase::post_delete;
  return std::nullopt;
}

bool has_argo_hook(const kube::Object& object) { return !object.annotation("argocd.argoproj.io/hook").empty(); }

std::set<DeletePolicy> policies_of(std::string_view words) {
  std::set<DeletePolicy> policies;
  for (auto word : split(words, ',')) {
    word = trim(word);
    if (word == "HookSucceeded" || word == "hook-succeeded") policies.insert(DeletePolicy::succeeded);
    if (word == "HookFailed" || word == "hook-failed") policies.insert(DeletePolicy::failed);
    if (word == "BeforeHookCreation" || word == "before-hook-creation") policies.insert(DeletePolicy::before_creation);
  }
  return policies;
}

// Words that nobody takes: the object would silently never run.
std::string warning_of(std::string_view word, const kube::Object& object, bool helm) {
  // Helm's tests and rollback hooks are not for Argo CD either.
  if (word == "Skip" || helm) return "";
  return fmt::format(
      "{}: hook {} is unknown and never run, want PreSync, Sync, PostSync, SyncFail, PreDelete, PostDelete or Skip",
      object.describe(), word);
}

void sort_by_kind(std::vector<const Task*>& tasks) {
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) {
    return std::tuple(kind_rank(a->type.kind), std::string_view(a->type.kind), std::string_view(a->key.name)) <
           std::tuple(kind_rank(b->type.kind), std::string_view(b->type.kind), std::string_view(b->key.name));
  });
}

}  // namespace

std::string hook_finalizer(SyncPhase phase, bool cleanup) {
  return fmt::format("{}-finalizer.argocd.argoproj.io{}", phase == SyncPhase::pre_delete ? "pre-delete" : "post-delete",
                     cleanup ? "/cleanup" : "");
}

bool is_hook_finalizer(std::string_view finalizer) {
  for (auto phase : {SyncPhase::pre_delete, SyncPhase::post_delete})
    for (bool cleanup : {false, true})
      if (finalizer == hook_finalizer(phase, cleanup)) return true;
  return false;
}

std::set<DeletePolicy> delete_policies_of(const kube::Object& hook, SyncPhase phase) {
  auto policies = policies_of(
      hook.annotation(has_argo_hook(hook) ? "argocd.argoproj.io/hook-delete-policy" : "helm.sh/hook-delete-policy"));
  if (policies.empty()) policies.insert(is_deletion(phase) ? DeletePolicy::succeeded : DeletePolicy::before_creation);
  return policies;
}

int wave_of(const kube::Object& object) {
  for (auto key : {"argocd.argoproj.io/sync-wave", "helm.sh/hook-weight"})
    if (auto wave = to_int(object.annotation(key)); wave && *wave == static_cast<int>(*wave))
      return static_cast<int>(*wave);
  return 0;
}

std::string_view to_string(SyncPhase phase) {
  static constexpr std::string_view names[] = {"PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete"};
  return names[static_cast<int>(phase)];
}

int kind_rank(std::string_view kind) {
  auto at = std::find(std::begin(kinds_in_order), std::end(kinds_in_order), kind);
  return static_cast<int>(at - std::begin(kinds_in_order));
}

std::string Task::id(const kube::Type& type, const kube::Key& key) {
  return fmt::format("{}/{}:{}/{}", type.group(), type.kind, key.ns, key.name);
}

std::vector<Task> tasks_of(const std::vector<doc::Value>& objects, const SyncOptions& options,
                           std::vector<std::string>& warnings) {
  std::vector<Task> tasks;
  for (const auto& value : objects) {
    kube::Object object{doc::Value(value)};
    Task task{value, object.type(), object.key()};
    task.wave = wave_of(object);
    task.options = options_of(options, object);
    task.ignore_health = object.annotation("argocd.argoproj.io/ignore-healthcheck") == "true";
    bool helm = !has_argo_hook(object);
    auto hook = object.annotation(helm ? "helm.sh/hook" : "argocd.argoproj.io/hook");
    if (hook.empty() || hook == "crd-install") {
      tasks.push_back(std::move(task));
      continue;
    }
    task.hook = true;
    std::set<SyncPhase> phases;
    for (auto word : split(hook, ',')) {
      word = trim(word);
      if (auto phase = phase_of(word))
        phases.insert(*phase);
      else if (auto warning = warning_of(word, object, helm); !warning.empty())
        warnings.push_back(std::move(warning));
    }
    for (auto phase : phases) {
      task.phase = phase;
      task.delete_policies = delete_policies_of(object, phase);
      tasks.push_back(task);
    }
  }
  return tasks;
}

std::vector<Step> steps_of(const std::vector<Task>& tasks) {
  using Place = std::pair<SyncPhase, int>;
  std::map<const Task*, Place> place;
  for (const auto& task : tasks)
    if (task.phase < SyncPhase::sync_fail) place[&task] = {task.phase, task.wave};
  // What others need comes with the first of them: a Namespace before what lives in it, a CRD before its objects.
  for (const auto& needed : tasks) {
    bool is_namespace = needed.type.kind == "Namespace", is_crd = needed.type.kind == "CustomResourceDefinition";
    if ((!is_namespace && !is_crd) || !place.contains(&needed)) continue;
    auto view = doc::View(needed.object)["spec"];
    for (const auto& [task, at] : place) {
      bool needs = is_namespace
                       ? task->key.ns == needed.key.name
                       : task->type.group() == view["group"].text() && task->type.kind == view["names"]["kind"].text();
      if (needs && at < place[&needed]) place[&needed] = at;
    }
  }
  std::map<Place, std::vector<const Task*>> grouped;
  for (const auto& task : tasks)
    if (place.contains(&task)) grouped[place[&task]].push_back(&task);
  std::vector<Step> steps;
  for (auto& [at, list] : grouped) {
    sort_by_kind(list);
    steps.push_back({at.first, at.second, std::move(list)});
  }
  return steps;
}

std::vector<Step> deletion_steps(const std::vector<Task>& tasks, SyncPhase phase) {
  std::map<int, std::vector<const Task*>> waves;
  for (const auto& task : tasks)
    if (task.phase == phase) waves[task.wave].push_back(&task);
  std::vector<Step> steps;
  for (auto& [wave, list] : waves) {
    sort_by_kind(list);
    steps.push_back({phase, wave, std::move(list)});
  }
  return steps;
}

}  // namespace slipway::gitops
