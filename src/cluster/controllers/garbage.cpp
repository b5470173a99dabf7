// The garbage collector: what is owned goes when its last owner goes. Background is the rule; an owner that waits
// for its dependents (foregroundDeletion) or leaves them behind (orphan) carries a finalizer that only this takes off.
#include "base/guarded.h"
#include "base/text.h"
#include "cluster/controllers/common.h"

namespace slipway::cluster {
namespace {

using kube::Object;

constexpr std::string_view foreground = "foregroundDeletion", orphan = "orphan";
const kube::Type crd_type{"apiextensions.k8s.io/v1", "CustomResourceDefinition"};
// Kinds that are many, short-lived and own nothing.
bool is_watched(const kube::Type& type) {
  for (auto kind :
       {"Event", "Lease", "ComponentStatus", "Binding", "Scale", "Eviction", "TokenReview", "SubjectAccessReview",
        "SelfSubjectAccessReview", "SelfSubjectRulesReview", "LocalSubjectAccessReview", "SelfSubjectReview",
        "TokenRequest", "Node", "PodMetrics", "NodeMetrics"})
    if (type.kind == kind) return false;
  return true;
}

// The queue's key holds the kind as well: "apps/v1|ReplicaSet|web-1".
kube::Key pack(const kube::Type& type, const kube::Key& key) {
  return {key.ns, type.api_version + "|" + type.kind + "|" + key.name};
}
std::optional<std::pair<kube::Type, kube::Key>> unpack(const kube::Key& packed) {
  auto parts = split(packed.name, '|');
  if (parts.size() != 3) return std::nullopt;
  return std::pair(kube::Type{std::string(parts[0]), std::string(parts[1])},
                   kube::Key{packed.ns, std::string(parts[2])});
}

bool has_finalizer(const Object& object, std::string_view name) {
  for (auto finalizer : object["metadata"]["finalizers"].items())
    if (finalizer.str_or("") == name) return true;
  return false;
}

bool owns(const Object& object, const std::string& uid) {
  auto refs = object.owners();
  return std::any_of(refs.begin(), refs.end(), [&](const kube::OwnerRef& ref) { return ref.uid == uid; });
}

// Who depends on whom, as events told it: finds the dependents of what has just gone without searching.
// Threads: any.
class Dependents {
 public:
  void learn(const Object& object) {
    auto graph = graph_.lock();
    for (const auto& ref : object.owners()) (*graph)[ref.uid].insert(pack(object.type(), object.key()));
  }
  std::vector<kube::Key> of(const std::string& uid) const {
    auto graph = graph_.lock();
    auto it = graph->find(uid);
    return it == graph->end() ? std::vector<kube::Key>() : std::vector<kube::Key>(it->second.begin(), it->second.end());
  }
  void forget(const Object& object) {
    auto graph = graph_.lock();
    graph->erase(object.uid());
    for (const auto& ref : object.owners()) {
      auto it = graph->find(ref.uid);
      if (it == graph->end()) continue;
      it->second.erase(pack(object.type(), object.key()));
      if (it->second.empty()) graph->erase(it);
    }
  }

 private:
  Guarded<std::unordered_map<std::string, std::set<kube::Key>>> graph_;
};

class Collector {
 public:
  Collector(const Env& env, std::vector<kube::Client::Resource> resources)
      : env_(env), resources_(std::move(resources)) {}
  kube::ControllerOptions options();
  Result<kube::Reconciled> reconcile(const Ctx& ctx, const kube::Key& packed);

 private:
  enum class Owner { present, gone, waiting };
  std::vector<kube::Key> wake(const kube::Event& event);
  Result<Owner> look_at(const Ctx& ctx, const Object& object, const kube::OwnerRef& ref, bool blocks);
  Result<> check_owners(const Ctx& ctx, const Object& object);
  Result<> release_dependents(const Ctx& ctx, const Object& owner);
  Result<bool> delete_dependents(const Ctx& ctx, const Object& owner);
  Result<std::vector<Object>> find_dependents(const Ctx& ctx, const Object& owner);
  Result<> drop_finalizer(const Ctx& ctx, const Object& object, std::string_view name);
  Result<> drop_owners(const Ctx& ctx, const Object& object, const std::set<std::string>& uids);

  const Env& env_;
  const std::vector<kube::Client::Resource> resources_;
  Dependents dependents_;
};

kube::ControllerOptions Collector::options() {
  kube::ControllerOptions options{.name = env_.name, .workers = 2};
  for (const auto& resource : resources_)
    options.sources.push_back(
        {.type = resource.type, .keys = [this](const kube::Event& event) { return wake(event); }});
  return options;
}

std::vector<kube::Key> Collector::wake(const kube::Event& event) {
  const auto& object = event.object;
  std::vector<kube::Key> keys;
  if (event.type == kube::Event::Type::deleted) {
    keys = dependents_.of(object.uid());
    dependents_.forget(object);
    // An owner may wait for this one to be gone.
    for (const auto& ref : object.owners()) keys.push_back(pack({ref.api_version, ref.kind}, {object.ns(), ref.name}));
    return keys;
  }
  dependents_.learn(object);
  bool has_owners = event.type == kube::Event::Type::added && !object.owners().empty();
  bool ends = object.deleting() && (has_finalizer(object, foreground) || has_finalizer(object, orphan));
  if (has_owners || ends) keys.push_back(pack(object.type(), object.key()));
  return keys;
}

Result<Collector::Owner> Collector::look_at(const Ctx& ctx, const Object& object, const kube::OwnerRef& ref,
                                            bool blocks) {
  kube::Type type{ref.api_version, ref.kind};
  auto resource = env_.client.resource(ctx, type);
  // A kind that is not served may be a definition that has not been applied yet: no proof that the owner is gone.
  if (!resource && resource.error().is(Kind::not_found)) return Owner::present;
  if (!resource) return Fail(std::move(resource).error());
  TRY(auto owner, env_.client.get(ctx, type, {resource->namespaced ? object.ns() : "", ref.name}));
  if (!owner || owner->uid() != ref.uid) return Owner::gone;
  if (owner->deleting() && has_finalizer(*owner, foreground) && blocks) return Owner::waiting;
  return Owner::present;
}

Result<> Collector::check_owners(const Ctx& ctx, const Object& object) {
  std::set<std::string> gone;
  bool present = false, waiting = false;
  auto views = object["metadata"]["ownerReferences"].items();
  auto refs = object.owners();
  for (std::size_t i = 0; i < refs.size(); ++i) {
    TRY(auto state, look_at(ctx, object, refs[i], views[i]["blockOwnerDeletion"].bool_or(false)));
    if (state == Owner::gone) gone.insert(refs[i].uid);
    present |= state == Owner::present;
    waiting |= state == Owner::waiting;
  }
  if (present) return gone.empty() ? Result<>{} : drop_owners(ctx, object, gone);
  if (object.deleting()) return {};
  using Propagation = kube::RemoveOptions::Propagation;
  auto how = has_finalizer(object, orphan) ? Propagation::orphan
             : waiting                     ? Propagation::foreground
                                           : Propagation::background;
  if (waiting) {
    TRY(auto below, find_dependents(ctx, object));
    if (below.empty()) how = Propagation::background;
  }
  return remove_quietly(ctx, env_, object, {.propagation = how});
}

Result<std::vector<Object>> Collector::find_dependents(const Ctx& ctx, const Object& owner) {
  std::vector<Object> found;
  for (const auto& resource : resources_) {
    if (!owner.ns().empty() && !resource.namespaced) continue;
    auto list = env_.client.list(ctx, resource.type, {.ns = owner.ns()});
    if (!list && (list.error().is(Kind::not_found) || list.error().is(Kind::invalid))) continue;
    if (!list) return Fail(std::move(list).error());
    for (auto& object : list->items)
      if (owns(object, owner.uid())) found.push_back(std::move(object));
  }
  return found;
}

Result<> Collector::drop_owners(const Ctx& ctx, const Object& object, const std::set<std::string>& uids) {
  auto changed =
      kube::modify(ctx, env_.client, object.type(), object.key(), env_.write(), [&](doc::Value& value) -> Result<bool> {
        if (Object(value).uid() != object.uid()) return false;
        auto& refs = value["metadata"]["ownerReferences"].list();
        auto dropped = std::erase_if(refs, [&](const doc::Value& ref) { return uids.contains(ref.str_at({"uid"})); });
        if (refs.empty()) value["metadata"].map().erase("ownerReferences");
        return dropped > 0;
      });
  if (changed || changed.error().is(Kind::not_found)) return {};
  return Fail(std::move(changed).error());
}

Result<> Collector::drop_finalizer(const Ctx& ctx, const Object& object, std::string_view name) {
  auto changed =
      kube::modify(ctx, env_.client, object.type(), object.key(), env_.write(), [&](doc::Value& value) -> Result<bool> {
        if (Object(value).uid() != object.uid()) return false;
        auto& list = value["metadata"]["finalizers"].list();
        auto dropped = std::erase_if(list, [&](const doc::Value& f) { return f == doc::Value(name); });
        if (list.empty()) value["metadata"].map().erase("finalizers");
        return dropped > 0;
      });
  if (changed || changed.error().is(Kind::not_found)) return {};
  return Fail(std::move(changed).error());
}

Result<> Collector::release_dependents(const Ctx& ctx, const Object& owner) {
  TRY(auto dependents, find_dependents(ctx, owner));
  for (const auto& object : dependents) TRY_OK(drop_owners(ctx, object, {owner.uid()}));
  return drop_finalizer(ctx, owner, orphan);
}

// True: none is left that the owner has to wait for.
Result<bool> Collector::delete_dependents(const Ctx& ctx, const Object& owner) {
  TRY(auto dependents, find_dependents(ctx, owner));
  bool blocked = false;
  for (const auto& object : dependents) {
    TRY_OK(check_owners(ctx, object));
    TRY(auto now, env_.client.get(ctx, object.type(), object.key()));
    if (!now || now->uid() != object.uid()) continue;
    for (auto ref : (*now)["metadata"]["ownerReferences"].items())
      blocked |= ref["uid"].str_or("") == owner.uid() && ref["blockOwnerDeletion"].bool_or(false);
  }
  return !blocked;
}

Result<kube::Reconciled> Collector::reconcile(const Ctx& ctx, const kube::Key& packed) {
  auto place = unpack(packed);
  if (!place) return kube::Reconciled{};
  auto resource = env_.client.resource(ctx, place->first);
  if (!resource) return kube::Reconciled{};  // its definition went, and it with it
  auto key = place->second;
  if (!resource->namespaced) key.ns.clear();
  TRY(auto object, env_.client.get(ctx, place->first, key));
  if (!object) return kube::Reconciled{};
  if (object->deleting() && has_finalizer(*object, orphan)) {
    TRY_OK(release_dependents(ctx, *object));
    return kube::Reconciled{};
  }
  if (object->deleting() && has_finalizer(*object, foreground)) {
    TRY(bool free, delete_dependents(ctx, *object));
    if (free) TRY_OK(drop_finalizer(ctx, *object, foreground));
    return kube::Reconciled{free ? std::optional<Millis>() : Millis(1000)};  // their events come first; this repairs
  }
  if (object->owners().empty()) return kube::Reconciled{};
  TRY_OK(check_owners(ctx, *object));
  // A deletion that no watch told of (a restart of the server in between) is found by looking again now and then.
  return kube::Reconciled{Millis(600'000)};
}

// The kinds that are served now, for as long as they are the same.
Result<std::vector<kube::Client::Resource>> watched_resources(const Ctx& ctx, const Env& env) {
  TRY(auto all, env.client.resources(ctx));
  std::erase_if(all, [](const auto& resource) { return !is_watched(resource.type); });
  // One version of a kind is enough: the objects are the same.
  std::set<std::pair<std::string, std::string>> seen;
  std::erase_if(all,
                [&](const auto& resource) { return !seen.emplace(resource.type.group(), resource.type.kind).second; });
  return all;
}

// Whether what a definition defines is served, as far as it asks for that.
bool serves(const std::vector<kube::Client::Resource>& resources, const Object& crd) {
  auto spec = crd["spec"];
  auto versions = spec["versions"].items();
  bool asks = std::any_of(versions.begin(), versions.end(), [](doc::View v) { return v["served"].bool_or(true); });
  return !asks || std::any_of(resources.begin(), resources.end(), [&](const auto& resource) {
    return resource.type.group() == spec["group"].text() && resource.type.kind == spec["names"]["kind"].text();
  });
}

std::set<kube::Type> types_of(const std::vector<kube::Client::Resource>& resources) {
  std::set<kube::Type> types;
  for (const auto& resource : resources) types.insert(resource.type);
  return types;
}

}  // namespace

Result<> run_garbage_collector(const Ctx& ctx, const Env& env) {
  while (!ctx.stop.stop_requested()) {
    auto resources = watched_resources(ctx, env);
    if (!resources) {
      TRY_OK(sleep(ctx, Millis(500)));
      continue;
    }
    ChildStop stop(ctx.stop);
    auto inner = ctx.with_stop(stop.token());
    auto types = types_of(*resources);
    // A new definition means a new kind to watch: start over with it.
    std::jthread watcher([&] {
      kube::ControllerOptions options{.name = env.name + "-kinds", .sources = {{.type = crd_type}}};
      (void)kube::run_controller(inner, env.client, options,
                                 [&](const Ctx& c, const kube::Key& key) -> Result<kube::Reconciled> {
                                   TRY(auto crd, env.client.get(c, crd_type, key));
                                   TRY(auto now, watched_resources(c, env));
                                   if (types_of(now) != types) stop.request_stop();
                                   // The event of a definition comes a moment before its kind is served.
                                   bool to_come = crd && !crd->deleting() && !serves(now, *crd);
                                   return kube::Reconciled{to_come ? std::optional(Millis(50)) : std::nullopt};
                                 });
    });
    Collector collector(env, *std::move(resources));
    (void)kube::run_controller(inner, env.client, collector.options(),
                               [&](const Ctx& c, const kube::Key& key) { return collector.reconcile(c, key); });
    stop.request_stop();
  }
  return ctx.alive();
}

}  // namespace slipway::cluster
