#include "cluster/controllers/deployment.h"

#include "base/text.h"

namespace slipway::cluster {
namespace {

using kube::Object;

// One pass over one Deployment. Reads are consistent with our own writes, so each pass starts from what is.
class Pass {
 public:
  Pass(const Ctx& ctx, const Env& env, Object deployment) : ctx_(ctx), env_(env), deployment_(std::move(deployment)) {}
  Result<kube::Reconciled> run();

 private:
  Result<> load();
  Result<> ensure_new_set(bool create);
  Result<> create_new_set();
  Result<> set_revisions(std::int64_t revision);
  Result<bool> apply(const Sizes& sizes);
  Result<Object> scale(const Object& set, std::int64_t size);
  Result<> recreate();
  Result<> trim_history();
  Result<kube::Reconciled> finish();
  doc::Value new_set(const std::string& hash) const;
  std::vector<SetState> old_states() const;
  std::vector<Object> all() const;

  const Ctx& ctx_;
  const Env& env_;
  Object deployment_;
  std::optional<Object> fresh_;
  std::vector<Object> old_;
  std::string found_;
};

bool is_copied(std::string_view annotation) {
  for (auto own : {std::string_view("kubectl.kubernetes.io/last-applied-configuration"), revision_annotation,
                   history_annotation, desired_annotation, max_annotation})
    if (annotation == own) return false;
  return annotation != "deprecated.deployment.rollback.to";
}

std::vector<SetState> Pass::old_states() const {
  std::vector<SetState> states;
  for (const auto& set : old_) states.push_back(state_of(set));
  return states;
}

std::vector<Object> Pass::all() const {
  auto sets = old_;
  if (fresh_) sets.push_back(*fresh_);
  return sets;
}

Result<> Pass::load() {
  TRY(auto selector, selector_of(deployment_));
  TRY(auto list,
      env_.client.list(ctx_, replicaset_type, {.ns = deployment_.ns(), .mentions = mentions_of(deployment_)}));
  TRY(old_, claim(ctx_, env_, deployment_, selector, std::move(list.items)));
  // The oldest set with our template is the new one: should there be two, all copies of us choose the same.
  std::sort(old_.begin(), old_.end(), [](const Object& a, const Object& b) {
    return std::pair(created_at(a), a.name()) < std::pair(created_at(b), b.name());
  });
  auto wanted = deployment_["spec"]["template"].value();
  auto collisions = deployment_["status"]["collisionCount"].num_or(0);
  auto named = deployment_.name() + "-" + hash_text(wanted, collisions);
  for (auto it = old_.begin(); it != old_.end(); ++it) {
    // By name too: a server that adds defaults to one kind and not the other must not make us roll for ever.
    if (it->name() != named && !same_template((*it)["spec"]["template"].value(), wanted)) continue;
    fresh_ = *it;
    old_.erase(it);
    break;
  }
  return {};
}

doc::Value Pass::new_set(const std::string& hash) const {
  auto set = kube::make_object(replicaset_type, {deployment_.ns(), deployment_.name() + "-" + hash});
  auto pods = deployment_["spec"]["template"].value();
  pods["metadata"]["labels"]["pod-template-hash"] = hash;
  set["metadata"]["labels"] = pods["metadata"]["labels"];
  for (const auto& [key, value] : deployment_.annotations())
    if (is_copied(key)) set["metadata"]["annotations"][key] = value;
  set["metadata"]["ownerReferences"].list().push_back(kube::owner_reference(deployment_, true));
  auto selector = deployment_["spec"]["selector"].value();
  selector["matchLabels"]["pod-template-hash"] = hash;
  set["spec"]["selector"] = std::move(selector);
  set["spec"]["template"] = std::move(pods);
  set["spec"]["replicas"] = 0;
  if (auto seconds = deployment_["spec"]["minReadySeconds"].num_or(0); seconds > 0)
    set["spec"]["minReadySeconds"] = seconds;
  return set;
}

Result<> Pass::create_new_set() {
  auto collisions = deployment_["status"]["collisionCount"].num_or(0);
  auto hash = hash_text(deployment_["spec"]["template"].value(), collisions);
  auto set = new_set(hash);
  auto bounds = bounds_of(deployment_);
  std::int64_t others = 0;
  for (const auto& state : old_states()) others += state.spec;
  bool recreates = deployment_["spec"]["strategy"]["type"].str_or("") == "Recreate";
  auto size = recreates ? (others > 0 ? 0 : bounds.replicas)
                        : std::max<std::int64_t>(0, std::min(bounds.max_total() - others, bounds.replicas));
  set["spec"]["replicas"] = size;
  std::int64_t last = 0;
  for (const auto& other : old_) last = std::max(last, revision_of(other));
  set["metadata"]["annotations"][revision_annotation] = std::to_string(last + 1);
  set["metadata"]["annotations"][desired_annotation] = std::to_string(bounds.replicas);
  set["metadata"]["annotations"][max_annotation] = std::to_string(bounds.max_total());
  auto made = env_.client.create(ctx_, std::move(set), env_.write());
  if (made) {
    fresh_ = *std::move(made);
    found_ = "NewReplicaSetCreated";
    if (size > 0)
      env_.event(ctx_, deployment_, "Normal", "ScalingReplicaSet",
                 fmt::format("Scaled up replica set {} from 0 to {}", fresh_->name(), size));
    return {};
  }
  if (!made.error().is(Kind::conflict)) {
    env_.event(ctx_, deployment_, "Warning", "ReplicaSetCreateError",
               "Failed to create new replica set: " + made.error().what());
    return Fail(std::move(made).error());
  }
  // Somebody else's set has the name: another hash, in the next pass.
  auto status = deployment_["status"].value();
  status["collisionCount"] = collisions + 1;
  TRY_OK(put_status(ctx_, env_, deployment_, std::move(status)));
  return fail(Kind::conflict, "{}: the name of the new ReplicaSet is taken", deployment_.describe());
}

// The new set carries the highest revision; the Deployment repeats it.
Result<> Pass::set_revisions(std::int64_t revision) {
  auto change = [&](doc::Value& value, bool set) {
    doc::Value& annotations = value["metadata"]["annotations"];
    auto before = annotations;
    auto old = annotations.str_at({revision_annotation});
    if (set) {
      for (const auto& [key, text] : deployment_.annotations())
        if (is_copied(key)) annotations[key] = text;
      if (auto number = to_int(old); !old.empty() && number.value_or(0) < revision) {
        auto history = annotations.str_at({history_annotation});
        annotations[history_annotation] = history.empty() ? old : history + "," + old;
      }
    }
    annotations[revision_annotation] = std::to_string(revision);
    return annotations != before;
  };
  auto copy = fresh_->copy();
  if (change(copy, true)) {
    TRY(auto changed, kube::modify(ctx_, env_.client, replicaset_type, fresh_->key(), env_.write(),
                                   [&](doc::Value& value) -> Result<bool> { return change(value, true); }));
    fresh_ = std::move(changed);
  }
  if (deployment_.annotation(revision_annotation) == std::to_string(revision)) return {};
  TRY(auto changed, kube::modify(ctx_, env_.client, deployment_type, deployment_.key(), env_.write(),
                                 [&](doc::Value& value) -> Result<bool> { return change(value, false); }));
  deployment_ = std::move(changed);
  return {};
}

Result<> Pass::ensure_new_set(bool create) {
  if (!fresh_) {
    if (!create) return {};
    TRY_OK(create_new_set());
  } else if (create) {
    found_ = "FoundNewReplicaSet";
  }
  std::int64_t last = 0;
  for (const auto& other : old_) last = std::max(last, revision_of(other));
  return set_revisions(std::max(last + 1, revision_of(*fresh_)));
}

Result<Object> Pass::scale(const Object& set, std::int64_t size) {
  auto bounds = bounds_of(deployment_);
  auto before = set["spec"]["replicas"].num_or(1);
  TRY(auto changed,
      kube::modify(ctx_, env_.client, replicaset_type, set.key(), env_.write(), [&](doc::Value& value) -> Result<bool> {
        auto old = value;
        value["spec"]["replicas"] = size;
        value["metadata"]["annotations"][desired_annotation] = std::to_string(bounds.replicas);
        value["metadata"]["annotations"][max_annotation] = std::to_string(bounds.max_total());
        return value != old;
      }));
  if (before != size)
    env_.event(
        ctx_, deployment_, "Normal", "ScalingReplicaSet",
        fmt::format("Scaled {} replica set {} from {} to {}", size > before ? "up" : "down", set.name(), before, size));
  return changed;
}

// True: something changed. Sets that keep their size get the annotations of the present size all the same.
Result<bool> Pass::apply(const Sizes& sizes) {
  bool changed = false;
  auto bounds = bounds_of(deployment_);
  auto one = [&](Object& set) -> Result<> {
    auto state = state_of(set);
    auto it = sizes.find(set.name());
    if (it == sizes.end() && (state.spec == 0 || (state.desired == bounds.replicas && state.max == bounds.max_total())))
      return {};
    TRY(set, scale(set, it == sizes.end() ? state.spec : it->second));
    changed |= it != sizes.end();
    return {};
  };
  if (fresh_) TRY_OK(one(*fresh_));
  for (auto& set : old_) TRY_OK(one(set));
  return changed;
}

Result<> Pass::recreate() {
  Sizes sizes;
  for (const auto& state : old_states())
    if (state.spec > 0) sizes[state.name] = 0;
  if (!sizes.empty()) {
    TRY(bool changed, apply(sizes));
    (void)changed;
    return {};
  }
  // Also those that are being deleted or have no set any more: two versions never run at once.
  TRY(auto selector, selector_of(deployment_));
  TRY(auto pods, env_.client.list(ctx_, pod_type, {.ns = deployment_.ns()}));
  for (const auto& pod : pods.items) {
    bool ours = selector.matches(pod.labels()) && !(fresh_ && is_owned_by(pod, *fresh_));
    if (ours && !is_finished(pod)) return {};
  }
  TRY_OK(ensure_new_set(true));
  auto want = deployment_["spec"]["replicas"].num_or(1);
  if ((*fresh_)["spec"]["replicas"].num_or(0) != want) {
    TRY(fresh_, scale(*fresh_, want));
  }
  return {};
}

Result<> Pass::trim_history() {
  auto limit = deployment_["spec"]["revisionHistoryLimit"].num_or(10);
  std::vector<Object> idle;
  for (const auto& set : old_) {
    auto state = state_of(set);
    if (state.spec == 0 && state.replicas == 0 && !set.deleting() &&
        set["status"]["observedGeneration"].num_or(0) >= set.generation())
      idle.push_back(set);
  }
  std::sort(idle.begin(), idle.end(), [](const Object& a, const Object& b) { return revision_of(a) < revision_of(b); });
  for (std::size_t i = 0; i + static_cast<std::size_t>(limit) < idle.size(); ++i)
    TRY_OK(remove_quietly(ctx_, env_, idle[i]));
  return {};
}

Result<kube::Reconciled> Pass::finish() {
  auto progress = deployment_status(deployment_, fresh_, all(), found_, ctx_.clock->wall());
  if (progress.complete && !deployment_.deleting()) TRY_OK(trim_history());
  TRY_OK(put_status(ctx_, env_, deployment_, std::move(progress.status)));
  return kube::Reconciled{progress.again};
}

Result<kube::Reconciled> Pass::run() {
  TRY_OK(load());
  if (deployment_.deleting()) return finish();
  bool recreates = deployment_["spec"]["strategy"]["type"].str_or("") == "Recreate";
  bool paused = deployment_["spec"]["paused"].bool_or(false);
  auto bounds = bounds_of(deployment_);
  auto states = old_states();
  if (fresh_) states.push_back(state_of(*fresh_));
  if (paused || needs_resize(bounds.replicas, states)) {
    TRY_OK(ensure_new_set(false));
    auto fresh = fresh_ ? std::optional(state_of(*fresh_)) : std::nullopt;
    TRY(bool changed, apply(resize(bounds, !recreates, fresh, old_states())));
    (void)changed;
    return finish();
  }
  if (recreates) {
    TRY_OK(fresh_ ? ensure_new_set(true) : Result<>{});
    TRY_OK(recreate());
    return finish();
  }
  TRY_OK(ensure_new_set(true));
  TRY(bool changed, apply(roll(bounds, state_of(*fresh_), old_states())));
  (void)changed;
  return finish();
}

Result<kube::Reconciled> reconcile(const Ctx& ctx, const Env& env, const kube::Key& key) {
  TRY(auto deployment, env.client.get(ctx, deployment_type, key));
  if (!deployment) return kube::Reconciled{};
  TRY(auto selector, selector_of(*deployment));
  if (selector.everything()) {
    env.event(ctx, *deployment, "Warning", "SelectingAll",
              "This deployment is selecting all pods. A non-empty selector is required.");
    return kube::Reconciled{};
  }
  return Pass(ctx, env, *std::move(deployment)).run();
}

// A pod matters to the Deployment itself only where Recreate waits for the last one to go.
std::vector<kube::Key> keys_of_gone_pod(const Ctx& ctx, const Env& env, const kube::Event& event) {
  if (event.type != kube::Event::Type::deleted && !is_finished(event.object)) return {};
  auto owner = event.object.controller();
  if (!owner || owner->kind != "ReplicaSet") return {};
  auto all = env.client.list(ctx, deployment_type, {.ns = event.object.ns()});
  std::vector<kube::Key> keys;
  if (!all) return keys;
  for (const auto& deployment : all->items) {
    if (deployment["spec"]["strategy"]["type"].str_or("") != "Recreate") continue;
    auto selector = selector_of(deployment);
    if (selector && selector->matches(event.object.labels())) keys.push_back(deployment.key());
  }
  return keys;
}

}  // namespace

Result<> run_deployments(const Ctx& ctx, const Env& env) {
  auto gone = [&](const kube::Event& event) { return keys_of_gone_pod(ctx, env, event); };
  kube::ControllerOptions options{.name = env.name,
                                  .sources = {{.type = deployment_type},
                                              {.type = replicaset_type, .keys = kube::keys_of_owner("Deployment")},
                                              {.type = pod_type, .keys = gone}},
                                  .workers = 2};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) { return reconcile(inner, env, key); });
}

}  // namespace slipway::cluster
