#include "cluster/controllers/common.h"

#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "doc/json.h"

namespace slipway::cluster {

using kube::Object;

std::string phase_of(const Object& pod) { return pod["status"]["phase"].str_or("Pending"); }

bool is_finished(const Object& pod) {
  auto phase = phase_of(pod);
  return phase == "Succeeded" || phase == "Failed";
}

bool is_active(const Object& pod) { return !is_finished(pod) && !pod.deleting(); }

bool is_ready(const Object& pod) { return kube::condition_status(pod, "Ready") == "True"; }

std::int64_t restarts_of(const Object& pod) {
  std::int64_t total = 0;
  for (auto container : pod["status"]["containerStatuses"].items()) total += container["restartCount"].num_or(0);
  return total;
}

std::optional<WallTime> time_at(doc::View view) {
  auto text = view.str_or("");
  if (text.empty()) return std::nullopt;
  auto time = parse_rfc3339(text);
  return time ? std::optional(*time) : std::nullopt;
}

WallTime created_at(const Object& object) {
  return time_at(object["metadata"]["creationTimestamp"]).value_or(WallTime());
}

Availability availability(const Object& pod, Millis min_ready, WallTime now) {
  if (!is_ready(pod)) return {};
  if (min_ready.count() <= 0) return {true, {}};
  for (auto condition : pod["status"]["conditions"].items()) {
    if (condition["type"].str_or("") != "Ready") continue;
    auto since = time_at(condition["lastTransitionTime"]);
    if (!since) return {};
    if (*since + min_ready <= now) return {true, {}};
    return {false, std::chrono::ceil<Millis>(*since + min_ready - now)};
  }
  return {};
}

std::int64_t scaled(doc::View value, std::int64_t total, bool round_up, std::int64_t fallback) {
  if (!value.present()) return fallback;
  auto text = value.str_or("");
  if (!text.ends_with('%')) return value.num_or(to_int(text).value_or(fallback));
  auto percent = to_int(std::string_view(text).substr(0, text.size() - 1)).value_or(0);
  return (percent * total + (round_up ? 99 : 0)) / 100;
}

bool is_owned_by(const Object& object, const Object& owner) {
  auto ref = object.controller();
  return ref && ref->uid == owner.uid();
}

namespace {

Result<bool> change_owner(doc::Value& value, const Object& owner, bool add) {
  auto& refs = value["metadata"]["ownerReferences"].list();
  auto before = refs.size();
  std::erase_if(refs, [&](const doc::Value& ref) { return ref.str_at({"uid"}) == owner.uid(); });
  if (add) refs.push_back(kube::owner_reference(owner, true));
  if (refs.empty()) value["metadata"].map().erase("ownerReferences");
  return add || before != refs.size();
}

Result<std::optional<Object>> reown(const Ctx& ctx, const Env& env, const Object& owner, const Object& object,
                                    bool add) {
  auto changed =
      kube::modify(ctx, env.client, object.type(), object.key(), env.write(), [&](doc::Value& value) -> Result<bool> {
        Object now(value);
        // Another took it, or it is another object by now.
        if (now.uid() != object.uid() || (add && now.controller() && now.controller()->uid != owner.uid()))
          return false;
        return change_owner(value, owner, add);
      });
  if (changed) return std::optional(*std::move(changed));
  if (changed.error().is(Kind::not_found)) return std::optional<Object>();
  return Fail(std::move(changed).error());
}

}  // namespace

Result<std::vector<Object>> claim(const Ctx& ctx, const Env& env, const Object& owner,
                                  const kube::LabelSelector& selector, std::vector<Object> objects) {
  std::vector<Object> ours;
  for (auto& object : objects) {
    auto ref = object.controller();
    bool matches = selector.matches(object.labels());
    if (ref && ref->uid != owner.uid()) continue;
    if (ref && matches) {
      ours.push_back(std::move(object));
      continue;
    }
    if (owner.deleting() || (!ref && (!matches || object.deleting()))) continue;
    TRY(auto changed, reown(ctx, env, owner, object, !ref));
    if (!ref && changed && is_owned_by(*changed, owner)) ours.push_back(*std::move(changed));
  }
  return ours;
}

// Labels hold no character that JSON writes otherwise.
std::vector<std::string> mentions_of(const Object& owner) {
  auto labels = owner["spec"]["selector"]["matchLabels"].members();
  if (owner.uid().empty() || labels.empty()) return {};
  std::string longest;
  for (const auto& [key, value] : labels)
    if (auto pair = fmt::format("\"{}\":\"{}\"", key, value.text()); pair.size() > longest.size()) longest = pair;
  return {owner.uid(), longest};
}

Result<std::vector<Object>> claimed_pods(const Ctx& ctx, const Env& env, const Object& owner,
                                         const kube::LabelSelector& selector) {
  TRY(auto all, env.client.list(ctx, pod_type, {.ns = owner.ns(), .mentions = mentions_of(owner)}));
  return claim(ctx, env, owner, selector, std::move(all.items));
}

Result<kube::LabelSelector> selector_of(const Object& object) {
  return kube::LabelSelector::from(object["spec"]["selector"]);
}

kube::Source pods_of(kube::Client& client, const kube::Type& owner_type, const Ctx& ctx) {
  auto keys = [&client, owner_type, ctx](const kube::Event& event) {
    std::vector<kube::Key> result;
    if (auto owner = event.object.controller()) {
      if (owner->kind == owner_type.kind) result.push_back({event.object.ns(), owner->name});
      return result;
    }
    if (event.type == kube::Event::Type::deleted) return result;
    auto all = client.list(ctx, owner_type, {.ns = event.object.ns()});
    if (!all) return result;
    for (const auto& object : all->items) {
      auto selector = selector_of(object);
      if (selector && !selector->everything() && selector->matches(event.object.labels()))
        result.push_back(object.key());
    }
    return result;
  };
  return {.type = pod_type, .keys = keys};
}

doc::Value pod_from_template(const Object& owner, const doc::Value& pod_template) {
  doc::Value pod;
  pod["apiVersion"] = "v1";
  pod["kind"] = "Pod";
  pod["metadata"]["generateName"] = owner.name() + "-";
  pod["metadata"]["namespace"] = owner.ns();
  for (auto part : {"labels", "annotations", "finalizers"})
    if (const auto* value = pod_template.find_path({"metadata", part})) pod["metadata"][part] = *value;
  pod["metadata"]["ownerReferences"].list().push_back(kube::owner_reference(owner, true));
  if (const auto* spec = pod_template.find("spec")) pod["spec"] = *spec;
  return pod;
}

namespace {

void sort_deep(doc::Value& value) {
  if (auto* map = value.if_map()) {
    map->sort_keys();
    for (auto& [key, member] : *map) sort_deep(member);
  } else if (auto* list = value.if_list()) {
    for (auto& item : *list) sort_deep(item);
  }
}

// What a controller adds, and what says nothing.
doc::Value bare_template(doc::Value value) {
  if (auto* metadata = value.map().find("metadata"); metadata != nullptr && metadata->is_map()) {
    if (auto* labels = metadata->map().find("labels"); labels != nullptr && labels->is_map())
      for (auto key : {"pod-template-hash", "controller-revision-hash", "pod-template-generation"})
        labels->map().erase(key);
    for (auto key : {"labels", "annotations", "creationTimestamp"}) {
      auto* member = metadata->map().find(key);
      bool empty = member != nullptr && (member->is_null() || (member->is_map() && member->map().empty()));
      if (empty) metadata->map().erase(key);
    }
    if (metadata->map().empty()) value.map().erase("metadata");
  }
  return value;
}

}  // namespace

std::string hash_text(const doc::Value& value, std::int64_t salt) {
  auto copy = bare_template(value);
  sort_deep(copy);
  auto text = doc::print_json(copy);
  if (salt > 0) text += fmt::format("#{}", salt);
  // The alphabet of Kubernetes' rand.SafeEncodeString: no vowels, so no words.
  static constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string result;
  for (unsigned char c : Hasher().update(text).finish_raw().substr(0, 10)) result += alphabet[c % alphabet.size()];
  return result;
}

bool same_template(const doc::Value& a, const doc::Value& b) { return bare_template(a) == bare_template(b); }

Result<> remove_quietly(const Ctx& ctx, const Env& env, const Object& object, kube::RemoveOptions options) {
  options.uid = object.uid();
  auto removed = env.client.remove(ctx, object.type(), object.key(), options);
  // A conflict says that another object has the name by now.
  if (removed || removed.error().is(Kind::not_found) || removed.error().is(Kind::conflict)) return {};
  return removed;
}

Result<> put_status(const Ctx& ctx, const Env& env, const Object& object, doc::Value status) {
  auto written = kube::write_status(ctx, env.client, object, std::move(status), env.name);
  if (written || written.error().is(Kind::not_found)) return {};
  return Fail(std::move(written).error());
}

const doc::Value* find_condition(const doc::Value& status, std::string_view type) {
  const auto* conditions = status.find("conditions");
  if (conditions == nullptr || !conditions->is_list()) return nullptr;
  for (const auto& condition : *conditions->if_list())
    if (condition.str_at({"type"}) == type) return &condition;
  return nullptr;
}

bool put_condition(doc::Value& status, const Condition& condition, WallTime now) {
  auto text = rfc3339(now);
  doc::Value made;
  made["type"] = condition.type;
  made["status"] = condition.status;
  made["reason"] = condition.reason;
  if (!condition.message.empty()) made["message"] = condition.message;
  const auto* old = find_condition(status, condition.type);
  if (old != nullptr && old->str_at({"status"}) == condition.status && old->str_at({"reason"}) == condition.reason &&
      old->str_at({"message"}) == condition.message && !condition.update_time)
    return false;
  made["lastTransitionTime"] =
      old != nullptr && old->str_at({"status"}) == condition.status ? old->str_at({"lastTransitionTime"}) : text;
  if (condition.update_time) made["lastUpdateTime"] = text;
  auto& list = status["conditions"].list();
  for (auto& entry : list) {
    if (entry.str_at({"type"}) != condition.type) continue;
    entry = std::move(made);
    return true;
  }
  list.push_back(std::move(made));
  return true;
}

void drop_condition(doc::Value& status, std::string_view type) {
  auto* conditions = status.map().find("conditions");
  if (conditions != nullptr && conditions->is_list())
    std::erase_if(conditions->list(), [&](const doc::Value& c) { return c.str_at({"type"}) == type; });
}

}  // namespace slipway::cluster
