#include "cluster/controllers/revisions.h"
#include "cluster/controllers/scheduler.h"

namespace slipway::cluster {
namespace {

using kube::Object;

constexpr std::string_view hash_label = "controller-revision-hash";

// A daemon stays through the node's troubles. Rule: AddOrUpdateDaemonPodTolerations.
void tolerate_trouble(doc::Value& pod) {
  auto& list = pod["spec"]["tolerations"].list();
  for (auto [key, effect] : {std::pair{"node.kubernetes.io/not-ready", "NoExecute"},
                             {"node.kubernetes.io/unreachable", "NoExecute"},
                             {"node.kubernetes.io/disk-pressure", "NoSchedule"},
                             {"node.kubernetes.io/memory-pressure", "NoSchedule"},
                             {"node.kubernetes.io/pid-pressure", "NoSchedule"},
                             {"node.kubernetes.io/unschedulable", "NoSchedule"}}) {
    doc::Value toleration;
    toleration["key"] = key;
    toleration["operator"] = "Exists";
    toleration["effect"] = effect;
    list.push_back(std::move(toleration));
  }
}

doc::Value daemon_pod(const Object& set, const Object& revision, const std::string& node) {
  auto pod = pod_from_template(set, set["spec"]["template"].value());
  pod["metadata"]["labels"][hash_label] = revision_hash(revision);
  tolerate_trouble(pod);
  doc::Value field;
  field["key"] = "metadata.name";
  field["operator"] = "In";
  field["values"].list().push_back(node);
  doc::Value term;
  term["matchFields"].list().push_back(std::move(field));
  // Pins it to its node, as the scheduler is to honour; other required terms are part of the template's wish already.
  auto& required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required["nodeSelectorTerms"].is_null())
    required["nodeSelectorTerms"].list().push_back(std::move(term));
  else
    for (auto& present : required["nodeSelectorTerms"].list()) present["matchFields"] = *term.find("matchFields");
  return pod;
}

struct Daemons {
  std::vector<Object> fresh, old;  // not being deleted
  bool leaving = false;
};

class Pass {
 public:
  Pass(const Ctx& ctx, const Env& env, Object set) : ctx_(ctx), env_(env), set_(std::move(set)) {}
  Result<kube::Reconciled> run();

 private:
  bool belongs_on(const Object& node) const;
  bool available(const Object& pod);
  Result<> remove(const Object& pod);
  Result<> settle(const std::optional<Object>& node);
  Result<> roll(const Object& node);
  Result<> create(const Object& node);
  Result<> write_status(bool wanted);

  const Ctx& ctx_;
  const Env& env_;
  Object set_;
  Revisions revisions_;
  Daemons daemons_;
  std::optional<Millis> again_;
};

bool Pass::belongs_on(const Object& node) const {
  auto pod = daemon_pod(set_, revisions_.update, node.name());
  // Room is the scheduler's matter: a daemon that does not fit is pending, not absent.
  pod["spec"].map().erase("containers");
  pod["spec"].map().erase("initContainers");
  auto why = why_not(Object(pod), node, {});
  return why.empty() || why == "node(s) were unschedulable";
}

bool Pass::available(const Object& pod) {
  auto when = availability(pod, Millis(set_["spec"]["minReadySeconds"].num_or(0) * 1000), ctx_.clock->wall());
  if (when.wait) again_ = std::min(again_.value_or(*when.wait), *when.wait);
  return when.available;
}

Result<> Pass::remove(const Object& pod) {
  TRY_OK(remove_quietly(ctx_, env_, pod));
  env_.event(ctx_, set_, "Normal", "SuccessfulDelete", "Deleted pod: " + pod.name());
  daemons_.leaving = true;
  return {};
}

Result<> Pass::create(const Object& node) {
  auto made = env_.client.create(ctx_, daemon_pod(set_, revisions_.update, node.name()), env_.write());
  if (!made) {
    env_.event(ctx_, set_, "Warning", "FailedCreate", "Error creating: " + made.error().what());
    return Fail(std::move(made).error());
  }
  env_.event(ctx_, set_, "Normal", "SuccessfulCreate", "Created pod: " + made->name());
  daemons_.fresh.push_back(*std::move(made));
  return {};
}

// With maxSurge the new one comes first and the old one goes when it serves; else the other way round.
Result<> Pass::roll(const Object& node) {
  if (daemons_.old.empty() || set_["spec"]["updateStrategy"]["type"].str_or("") == "OnDelete") return {};
  bool surges = scaled(set_["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"], 1, true, 0) > 0;
  if (surges && daemons_.fresh.empty() && available(daemons_.old[0])) return create(node);
  bool replaced = !daemons_.fresh.empty() && available(daemons_.fresh[0]);
  for (const auto& pod : daemons_.old)
    if (!surges || replaced || !available(pod)) TRY_OK(remove(pod));
  if (!surges || !replaced) daemons_.old.clear();
  return {};
}

Result<> Pass::settle(const std::optional<Object>& node) {
  if (!node || !belongs_on(*node)) {
    for (const auto& pod : daemons_.fresh) TRY_OK(remove(pod));
    for (const auto& pod : daemons_.old) TRY_OK(remove(pod));
    daemons_.fresh.clear(), daemons_.old.clear();
    return {};
  }
  for (std::size_t i = 1; i < daemons_.fresh.size(); ++i) TRY_OK(remove(daemons_.fresh[i]));
  for (std::size_t i = 1; i < daemons_.old.size(); ++i) TRY_OK(remove(daemons_.old[i]));
  if (daemons_.fresh.size() > 1) daemons_.fresh.resize(1);
  if (daemons_.old.size() > 1) daemons_.old.resize(1);
  if (daemons_.fresh.empty() && daemons_.old.empty()) return daemons_.leaving ? Result<>{} : create(*node);
  return roll(*node);
}

Result<> Pass::write_status(bool wanted) {
  std::int64_t present = !daemons_.fresh.empty() || !daemons_.old.empty(), ready = 0, usable = 0;
  for (const auto* list : {&daemons_.fresh, &daemons_.old})
    for (const auto& pod : *list) ready |= is_ready(pod), usable |= available(pod);
  std::int64_t desired = wanted ? 1 : 0;
  doc::Value status;
  if (const auto* conditions = set_.value().find_path({"status", "conditions"})) status["conditions"] = *conditions;
  status["observedGeneration"] = set_.generation();
  status["currentNumberScheduled"] = std::min(present, desired);
  status["desiredNumberScheduled"] = desired;
  status["numberMisscheduled"] = wanted ? 0 : present;
  status["numberReady"] = std::min(ready, desired);
  std::int64_t updated = daemons_.fresh.empty() ? 0 : 1;
  if (updated > 0) status["updatedNumberScheduled"] = updated;
  if (usable > 0)
    status["numberAvailable"] = usable;
  else if (desired > 0)
    status["numberUnavailable"] = desired;
  return put_status(ctx_, env_, set_, std::move(status));
}

Result<kube::Reconciled> Pass::run() {
  TRY(auto selector, selector_of(set_));
  TRY(auto pods, claimed_pods(ctx_, env_, set_, selector));
  TRY(revisions_, sync_revisions(ctx_, env_, set_));
  auto hash = revision_hash(revisions_.update);
  for (auto& pod : pods) {
    if (pod.deleting()) {
      daemons_.leaving = true;
    } else if (is_finished(pod) && !set_.deleting()) {
      env_.event(ctx_, set_, "Warning", "FailedDaemonPod",
                 fmt::format("Found failed daemon pod {} on node {}, will try to kill it", pod.name(),
                             pod["spec"]["nodeName"].str_or("")));
      TRY_OK(remove(pod));
    } else {
      (pod.label(hash_label) == hash ? daemons_.fresh : daemons_.old).push_back(std::move(pod));
    }
  }
  TRY(auto node, env_.client.get(ctx_, node_type, {"", env_.settings.node_name}));
  bool wanted = node && belongs_on(*node);
  if (!set_.deleting()) TRY_OK(settle(node));
  TRY_OK(write_status(wanted));
  std::set<std::string> in_use;
  for (const auto& pod : daemons_.old) in_use.insert(pod.label(hash_label));
  TRY_OK(trim_revisions(ctx_, env_, set_, revisions_, in_use));
  return kube::Reconciled{again_};
}

}  // namespace

Result<> run_daemonsets(const Ctx& ctx, const Env& env) {
  // Labels, taints and the node's coming matter; its heart-beat does not, and costs one pass over few objects.
  auto everyone = [&](const kube::Event&) {
    std::vector<kube::Key> keys;
    if (auto all = env.client.list(ctx, daemonset_type, {}))
      for (const auto& set : all->items) keys.push_back(set.key());
    return keys;
  };
  kube::ControllerOptions options{.name = env.name,
                                  .sources = {{.type = daemonset_type},
                                              pods_of(env.client, daemonset_type, ctx),
                                              {.type = node_type, .keys = everyone}},
                                  .workers = 1};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) -> Result<kube::Reconciled> {
                                TRY(auto set, env.client.get(inner, daemonset_type, key));
                                if (!set) return kube::Reconciled{};
                                return Pass(inner, env, *std::move(set)).run();
                              });
}

}  // namespace slipway::cluster
