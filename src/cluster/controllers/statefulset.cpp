#include "base/text.h"
#include "cluster/controllers/revisions.h"

namespace slipway::cluster {
namespace {

using kube::Object;

constexpr std::string_view revision_label = "controller-revision-hash";

std::optional<std::int64_t> ordinal_of(const Object& set, const Object& pod) {
  auto prefix = set.name() + "-";
  auto name = pod.name();
  if (!name.starts_with(prefix)) return std::nullopt;
  auto number = std::string_view(name).substr(prefix.size());
  if (number.find_first_not_of("0123456789") != number.npos) return std::nullopt;
  return to_int(number);
}

class Pass {
 public:
  Pass(const Ctx& ctx, const Env& env, Object set) : ctx_(ctx), env_(env), set_(std::move(set)) {}
  Result<kube::Reconciled> run();

 private:
  bool parallel() const { return set_["spec"]["podManagementPolicy"].str_or("") == "Parallel"; }
  std::int64_t first() const { return set_["spec"]["ordinals"]["start"].num_or(0); }
  std::int64_t replicas() const { return set_["spec"]["replicas"].num_or(1); }
  std::int64_t partition() const { return set_["spec"]["updateStrategy"]["rollingUpdate"]["partition"].num_or(0); }
  bool on_delete() const { return set_["spec"]["updateStrategy"]["type"].str_or("") == "OnDelete"; }
  bool available(const Object& pod);
  Result<> scale_up(bool& waits);
  Result<> scale_down(bool& waits);
  Result<> roll();
  Result<> create(std::int64_t ordinal);
  Result<> ensure_claims(std::int64_t ordinal);
  Result<> release_claims(std::int64_t ordinal);
  void name_claims(doc::Value& pod, std::int64_t ordinal) const;
  const Object& revision_for(std::int64_t ordinal) const;
  Result<> write_status();

  const Ctx& ctx_;
  const Env& env_;
  Object set_;
  Revisions revisions_;
  Object current_;                       // the revision that pods below the partition keep
  std::map<std::int64_t, Object> pods_;  // by ordinal
  std::optional<Millis> again_;
};

bool Pass::available(const Object& pod) {
  auto when = availability(pod, Millis(set_["spec"]["minReadySeconds"].num_or(0) * 1000), ctx_.clock->wall());
  if (when.wait) again_ = std::min(again_.value_or(*when.wait), *when.wait);
  return when.available && !pod.deleting();
}

const Object& Pass::revision_for(std::int64_t ordinal) const {
  bool keeps = !on_delete() && partition() > 0 && ordinal < first() + partition() && current_;
  return keeps ? current_ : revisions_.update;
}

std::string claim_name(std::string_view volume, const std::string& set, std::int64_t ordinal) {
  return fmt::format("{}-{}-{}", volume, set, ordinal);
}

Result<> Pass::ensure_claims(std::int64_t ordinal) {
  for (auto wanted : set_["spec"]["volumeClaimTemplates"].items()) {
    auto name = claim_name(wanted["metadata"]["name"].str_or(""), set_.name(), ordinal);
    TRY(auto present, env_.client.get(ctx_, claim_type, {set_.ns(), name}));
    if (present) continue;
    auto made = kube::make_object(claim_type, {set_.ns(), name});
    for (auto part : {"labels", "annotations"})
      if (wanted["metadata"][part].present()) made["metadata"][part] = wanted["metadata"][part].value();
    for (auto& [key, value] : set_["spec"]["selector"]["matchLabels"].members())
      made["metadata"]["labels"][key] = value.text();
    made["spec"] = wanted["spec"].value();
    bool goes_along = set_["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"].str_or("Retain") == "Delete";
    if (goes_along) made["metadata"]["ownerReferences"].list().push_back(kube::owner_reference(set_, false));
    auto created = env_.client.create(ctx_, std::move(made), env_.write());
    if (!created && !created.error().is(Kind::conflict)) return Fail(std::move(created).error());
  }
  return {};
}

Result<> Pass::release_claims(std::int64_t ordinal) {
  if (set_["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"].str_or("Retain") != "Delete") return {};
  for (auto wanted : set_["spec"]["volumeClaimTemplates"].items()) {
    TRY(auto claim,
        env_.client.get(ctx_, claim_type,
                        {set_.ns(), claim_name(wanted["metadata"]["name"].str_or(""), set_.name(), ordinal)}));
    if (claim) TRY_OK(remove_quietly(ctx_, env_, *claim));
  }
  return {};
}

void Pass::name_claims(doc::Value& pod, std::int64_t ordinal) const {
  auto& volumes = pod["spec"]["volumes"].list();
  for (auto wanted : set_["spec"]["volumeClaimTemplates"].items()) {
    auto name = wanted["metadata"]["name"].str_or("");
    std::erase_if(volumes, [&](const doc::Value& v) { return v.str_at({"name"}) == name; });
    doc::Value volume;
    volume["name"] = name;
    volume["persistentVolumeClaim"]["claimName"] = claim_name(name, set_.name(), ordinal);
    volumes.push_back(std::move(volume));
  }
  if (volumes.empty()) pod["spec"].map().erase("volumes");
}

Result<> Pass::create(std::int64_t ordinal) {
  TRY_OK(ensure_claims(ordinal));
  const auto& revision = revision_for(ordinal);
  auto pod = pod_from_template(set_, template_of(revision));
  auto name = fmt::format("{}-{}", set_.name(), ordinal);
  pod["metadata"].map().erase("generateName");
  pod["metadata"]["name"] = name;
  auto& labels = pod["metadata"]["labels"];
  labels["statefulset.kubernetes.io/pod-name"] = name;
  labels["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
  labels[revision_label] = revision.name();
  pod["spec"]["hostname"] = name;
  if (auto service = set_["spec"]["serviceName"].str_or(""); !service.empty()) pod["spec"]["subdomain"] = service;
  name_claims(pod, ordinal);
  auto made = env_.client.create(ctx_, std::move(pod), env_.write());
  if (!made) {
    env_.event(ctx_, set_, "Warning", "FailedCreate",
               fmt::format("create Pod {} in StatefulSet {} failed error: {}", name, set_.name(), made.error().what()));
    return Fail(std::move(made).error());
  }
  env_.event(ctx_, set_, "Normal", "SuccessfulCreate",
             fmt::format("create Pod {} in StatefulSet {} successful", name, set_.name()));
  pods_[ordinal] = *std::move(made);
  return {};
}

Result<> Pass::scale_up(bool& waits) {
  for (auto ordinal = first(); ordinal < first() + replicas(); ++ordinal) {
    auto it = pods_.find(ordinal);
    if (it != pods_.end() && is_finished(it->second) && !it->second.deleting()) {
      TRY_OK(remove_quietly(ctx_, env_, it->second));  // a pod of the same name follows when it is gone
      waits = true;
    } else if (it == pods_.end()) {
      TRY_OK(create(ordinal));
      waits = waits || !parallel();
    } else if (!available(it->second)) {
      waits = waits || !parallel();
    }
    if (waits && !parallel()) return {};
  }
  return {};
}

// From the highest down, one at a time unless parallel.
Result<> Pass::scale_down(bool& waits) {
  for (auto it = pods_.rbegin(); it != pods_.rend(); ++it) {
    auto& [ordinal, pod] = *it;
    if (ordinal >= first() && ordinal < first() + replicas()) continue;
    if (!pod.deleting()) {
      TRY_OK(remove_quietly(ctx_, env_, pod));
      env_.event(ctx_, set_, "Normal", "SuccessfulDelete",
                 fmt::format("delete Pod {} in StatefulSet {} successful", pod.name(), set_.name()));
      TRY_OK(release_claims(ordinal));
    }
    waits = true;
    if (!parallel()) return {};
  }
  return {};
}

// From the highest ordinal down to the partition; the next one only when those above serve again.
Result<> Pass::roll() {
  if (on_delete()) return {};
  auto limit = std::max<std::int64_t>(
      1, scaled(set_["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"], replicas(), true, 1));
  std::int64_t down = 0;
  for (auto& [ordinal, pod] : pods_)
    if (ordinal >= first() && ordinal < first() + replicas() && !available(pod)) ++down;
  for (auto ordinal = first() + replicas() - 1; ordinal >= first() + partition(); --ordinal) {
    auto it = pods_.find(ordinal);
    if (it == pods_.end()) return {};
    bool serves = available(it->second);
    if (it->second.label(revision_label) != revisions_.update.name() && !it->second.deleting()) {
      // One that does not serve costs nothing to replace: a broken update can be mended by the next.
      if (serves && down >= limit) return {};
      TRY_OK(remove_quietly(ctx_, env_, it->second));
      env_.event(ctx_, set_, "Normal", "SuccessfulDelete",
                 fmt::format("delete Pod {} in StatefulSet {} successful", it->second.name(), set_.name()));
      if (serves) ++down;
      if (limit == 1) return {};
    } else if (!serves && limit == 1) {
      return {};
    }
  }
  return {};
}

Result<> Pass::write_status() {
  std::int64_t ready = 0, usable = 0, updated = 0, of_current = 0;
  for (auto& [ordinal, pod] : pods_) {
    ready += is_ready(pod) && !pod.deleting();
    usable += available(pod);
    if (pod.deleting()) continue;
    updated += pod.label(revision_label) == revisions_.update.name();
    of_current += current_ && pod.label(revision_label) == current_.name();
  }
  doc::Value status;
  if (const auto* conditions = set_.value().find_path({"status", "conditions"})) status["conditions"] = *conditions;
  status["observedGeneration"] = set_.generation();
  status["replicas"] = static_cast<std::int64_t>(pods_.size());
  if (ready > 0) status["readyReplicas"] = ready;
  status["availableReplicas"] = usable;
  bool complete = updated == replicas() && ready == replicas() &&
                  static_cast<std::int64_t>(pods_.size()) == replicas() && partition() == 0;
  if (complete) current_ = revisions_.update, of_current = updated;
  if (of_current > 0) status["currentReplicas"] = of_current;
  if (updated > 0) status["updatedReplicas"] = updated;
  status["currentRevision"] = (current_ ? current_ : revisions_.update).name();
  status["updateRevision"] = revisions_.update.name();
  status["collisionCount"] = set_["status"]["collisionCount"].num_or(0);
  return put_status(ctx_, env_, set_, std::move(status));
}

Result<kube::Reconciled> Pass::run() {
  TRY(auto selector, selector_of(set_));
  TRY(auto pods, claimed_pods(ctx_, env_, set_, selector));
  for (auto& pod : pods)
    if (auto ordinal = ordinal_of(set_, pod)) pods_.emplace(*ordinal, std::move(pod));
  TRY(revisions_, sync_revisions(ctx_, env_, set_));
  auto named = set_["status"]["currentRevision"].str_or("");
  for (const auto& revision : revisions_.all)
    if (revision.name() == named) current_ = revision;
  if (!current_) current_ = revisions_.update;
  bool waits = false;
  if (!set_.deleting()) {
    TRY_OK(scale_up(waits));
    if (!waits || parallel()) TRY_OK(scale_down(waits));
    // Also while something waits: an update may be what it waits for.
    TRY_OK(roll());
  }
  TRY_OK(write_status());
  std::set<std::string> in_use{current_.name()};
  for (auto& [ordinal, pod] : pods_) in_use.insert(pod.label(revision_label));
  TRY_OK(trim_revisions(ctx_, env_, set_, revisions_, in_use));
  return kube::Reconciled{again_};
}

}  // namespace

Result<> run_statefulsets(const Ctx& ctx, const Env& env) {
  kube::ControllerOptions options{.name = env.name,
                                  .sources = {{.type = statefulset_type}, pods_of(env.client, statefulset_type, ctx)},
                                  .workers = 1};
  return kube::run_controller(ctx, env.client, options,
                              [&](const Ctx& inner, const kube::Key& key) -> Result<kube::Reconciled> {
                                TRY(auto set, env.client.get(inner, statefulset_type, key));
                                if (!set) return kube::Reconciled{};
                                return Pass(inner, env, *std::move(set)).run();
                              });
}

}  // namespace slipway::cluster
