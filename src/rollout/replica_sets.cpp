#include "base/text.h"
#include "rollout/detail/work.h"

namespace slipway::rollout::detail {
namespace {

const std::string template_annotation = "slipway.dev/template-hash";

doc::Value without_hash(doc::Value pod_template) {
  if (auto* labels = pod_template["metadata"]["labels"].if_map()) labels->erase(hash_label);
  return pod_template;
}

std::int64_t last_revision(const Work& work) {
  std::int64_t last = to_int(work.state.rollout.annotation(revision_annotation)).value_or(0);
  for (const auto& set : work.sets) last = std::max(last, set.revision);
  return last;
}

doc::Value new_set(const Work& work, std::int64_t revision) {
  const auto& rollout = work.state.rollout;
  auto pod_template = work.spec.pod_template;
  pod_template["metadata"]["labels"][hash_label] = work.new_hash;
  kube::StringMap labels;
  for (const auto& [key, value] : doc::View(pod_template)["metadata"]["labels"].members()) labels[key] = value.text();
  auto set = kube::make_object({"apps/v1", "ReplicaSet"},
                               {rollout.ns(), fmt::format("{}-{}", rollout.name(), work.new_hash)}, labels,
                               {{revision_annotation, std::to_string(revision)},
                                {desired_annotation, std::to_string(work.spec.replicas)},
                                {template_annotation, work.new_hash}});
  set["metadata"]["ownerReferences"] = doc::List{kube::owner_reference(rollout)};
  auto selector = work.spec.selector;
  selector["matchLabels"][hash_label] = work.new_hash;
  set["spec"] = doc::Map{{"replicas", 0}, {"selector", std::move(selector)}, {"template", std::move(pod_template)}};
  if (work.spec.min_ready_seconds > 0) set["spec"]["minReadySeconds"] = work.spec.min_ready_seconds;
  return set;
}

// The Rollout carries the revision of its template.
void write_revision(Work& work, std::int64_t revision) {
  auto text = std::to_string(revision);
  if (work.state.rollout.annotation(revision_annotation) == text) return;
  auto object = work.state.rollout.copy();
  object["metadata"]["annotations"][revision_annotation] = text;
  work.decision.writes.push_back({Write::Verb::update, std::move(object), "revision"});
}

// The ReplicaSet of the wanted template: by our hash, as label or as annotation; else one that Argo made and that says
// the same: its label stays, its pods are not touched.
Set* find_set(Work& work, const doc::Value& wanted, const std::string& own_hash) {
  if (auto* set = work.find(own_hash)) return set;
  for (auto& set : work.sets)
    if (set.object.annotation(template_annotation) == own_hash) return &set;
  for (auto it = work.sets.rbegin(); it != work.sets.rend(); ++it) {
    bool foreign = it->object.annotation(template_annotation).empty();
    if (foreign && !it->hash.empty() && covers(without_hash(it->object["spec"]["template"].value()), wanted))
      return &*it;
  }
  return nullptr;
}

}  // namespace

bool ensure_new_set(Work& work) {
  auto wanted = without_hash(work.spec.pod_template);
  auto own_hash = template_hash(wanted, work.now_status()["collisionCount"].num_or(0));
  auto* set = find_set(work, wanted, own_hash);
  work.new_hash = set == nullptr ? own_hash : set->hash;
  if (set == nullptr) {
    auto revision = last_revision(work) + 1;
    work.decision.writes.push_back({Write::Verb::create, new_set(work, revision), "NewReplicaSetCreated"});
    work.event("NewReplicaSetCreated", fmt::format("Created ReplicaSet {}-{} (revision {})", work.state.rollout.name(),
                                                   work.new_hash, revision));
    write_revision(work, revision);
    return false;
  }
  auto annotate = [&](const std::string& key, const std::string& value) {
    if (set->changed.is_null()) set->changed = set->object.copy();
    set->changed["metadata"]["annotations"][key] = value;
  };
  if (set->object.annotation(template_annotation).empty()) annotate(template_annotation, own_hash);
  // Going back to an older template makes it the newest revision.
  auto last = last_revision(work);
  bool newest = std::none_of(work.sets.begin(), work.sets.end(), [&](const Set& other) {
    return other.hash != set->hash && other.revision >= set->revision;
  });
  if (!newest) {
    annotate(revision_annotation, std::to_string(last + 1));
    set->revision = last + 1;
  }
  write_revision(work, set->revision);
  return true;
}

void settle_old_sets(Work& work, std::int64_t older) {
  std::int64_t kept = 0;
  std::vector<Set*> old;
  for (auto it = work.sets.rbegin(); it != work.sets.rend(); ++it)
    if (it->hash != work.new_hash && it->hash != work.stable_hash()) old.push_back(&*it);
  for (auto* set : old) {
    if (set->wanted == 0) {
      work.clear_deadline(*set);
      continue;
    }
    bool in_limit = !work.spec.scale_down_limit || kept < *work.spec.scale_down_limit;
    if (set->deadline && *set->deadline > work.state.now && in_limit) {
      ++kept;
      work.wake_at(*set->deadline);
      continue;
    }
    auto keep = set->deadline ? 0 : std::min(older, set->wanted);
    older -= keep;
    work.scale(*set, keep);
    if (keep == 0) work.clear_deadline(*set);
  }
  // Beyond the history's limit: the oldest without pods go.
  std::int64_t empty = 0;
  for (auto* set : old) {
    if (set->wanted != 0 || set->replicas != 0 || ++empty <= work.spec.history_limit) continue;
    work.decision.writes.push_back({Write::Verb::remove, set->object.copy(), "history"});
    set->changed = doc::Value();
  }
}

void write_sets(Work& work) {
  for (auto& set : work.sets)
    if (!set.changed.is_null())
      work.decision.writes.push_back({Write::Verb::update, std::exchange(set.changed, {}), "ScalingReplicaSet"});
}

}  // namespace slipway::rollout::detail
