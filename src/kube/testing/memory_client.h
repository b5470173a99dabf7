#pragma once
// Objects in memory behind kube::Client, for tests of controllers: versions, conflicts, generations, the status
// subresource, label selectors, merge patches, owner deletion. No schemas, no watches: a test reconciles by hand.
#include <map>
#include <mutex>

#include "base/hash.h"
#include "base/time.h"
#include "doc/patch.h"
#include "kube/client.h"
#include "kube/selector.h"

namespace slipway::kube {

class MemoryClient final : public Client {
 public:
  explicit MemoryClient(const Clock& clock = real_clock()) : clock_(&clock) {}

  // Called before each write; a test may fail it. what: "create Pod shop/web".
  std::function<Result<>(const std::string& what)> before_write;
  std::vector<std::string> writes;

  Result<std::optional<Object>> get(const Ctx& ctx, const Type& type, const Key& key) override {
    TRY_OK(ctx.alive());
    std::lock_guard lock(mutex_);
    auto it = objects_.find({type.group() + "/" + type.kind, key});
    return it == objects_.end() ? std::optional<Object>() : it->second;
  }
  Result<ObjectList> list(const Ctx& ctx, const Type& type, const ListOptions& options) override {
    TRY_OK(ctx.alive());
    TRY(auto selector, LabelSelector::parse(options.label_selector));
    std::lock_guard lock(mutex_);
    ObjectList found;
    for (const auto& [id, object] : objects_)
      if (id.first == type.group() + "/" + type.kind && (options.ns.empty() || options.ns == id.second.ns) &&
          selector.matches(object.labels()))
        found.items.push_back(object);
    found.resource_version = std::to_string(version_);
    return found;
  }
  Result<std::unique_ptr<Watch>> watch(const Ctx&, const Type&, const WatchOptions&) override {
    return fail(Kind::unavailable, "the objects in memory have no watches");
  }
  Result<Object> create(const Ctx& ctx, doc::Value object, const WriteOptions& options) override {
    TRY_OK(ctx.alive());
    if (options.subresource == "eviction") {
      Object pod(object);
      TRY_OK(remove(ctx, {"v1", "Pod"}, pod.key(), {}));
      return pod;
    }
    auto& meta = object["metadata"];
    if (meta.str_at({"name"}).empty()) meta["name"] = meta.str_at({"generateName"}) + random_name(5);
    if (meta.str_at({"namespace"}).empty()) meta["namespace"] = "default";
    Object probe(object);
    TRY_OK(note("create", probe));
    std::lock_guard lock(mutex_);
    if (objects_.contains(id(probe))) return fail(Kind::conflict, "{} already exists", probe.describe());
    meta["uid"] = fmt::format("uid-{}", ++uids_);
    meta["generation"] = 1;
    meta["creationTimestamp"] = rfc3339(clock_->wall());
    return put(std::move(object));
  }
  Result<Object> update(const Ctx& ctx, doc::Value object, const WriteOptions& options) override {
    TRY_OK(ctx.alive());
    Object probe(object);
    TRY_OK(note(options.subresource.empty() ? "update" : "update " + options.subresource, probe));
    std::lock_guard lock(mutex_);
    auto it = objects_.find(id(probe));
    if (it == objects_.end()) return fail(Kind::not_found, "{} not found", probe.describe());
    const auto& old = it->second;
    if (!probe.resource_version().empty() && probe.resource_version() != old.resource_version())
      return fail(Kind::conflict, "{} was changed meanwhile", probe.describe());
    if (options.subresource == "status") {
      auto copy = old.copy();
      copy["status"] = object.find("status") == nullptr ? doc::Value() : *object.find("status");
      return put(std::move(copy));
    }
    if (const auto* status = old.value().find("status"))
      object["status"] = *status;
    else
      object.map().erase("status");
    auto spec = [](const doc::Value& v) { return v.find("spec") == nullptr ? doc::Value() : *v.find("spec"); };
    object["metadata"]["uid"] = old.uid();
    object["metadata"]["creationTimestamp"] = old.value().str_at({"metadata", "creationTimestamp"});
    object["metadata"]["generation"] = old.generation() + (spec(object) == spec(old.value()) ? 0 : 1);
    return put(std::move(object));
  }
  Result<Object> patch(const Ctx& ctx, const Type& type, const Key& key, PatchType kind, const doc::Value& patch,
                       const WriteOptions& options) override {
    TRY(auto old, get(ctx, type, key));
    if (!old) return fail(Kind::not_found, "{} {} not found", type.kind, key.str());
    if (kind == PatchType::json) {
      TRY(auto patched, doc::json_patch(old->value(), patch));
      return update(ctx, std::move(patched), options);
    }
    return update(ctx, doc::merge_patch(old->value(), patch), options);
  }
  Result<Object> apply(const Ctx& ctx, doc::Value object, const WriteOptions& options) override {
    Object probe(object);
    TRY(auto old, get(ctx, probe.type(), probe.key()));
    return old ? update(ctx, doc::merge_patch(old->value(), object), options) : create(ctx, std::move(object), options);
  }
  Result<> remove(const Ctx& ctx, const Type& type, const Key& key, const RemoveOptions&) override {
    TRY(auto old, get(ctx, type, key));
    if (!old) return fail(Kind::not_found, "{} {} not found", type.kind, key.str());
    TRY_OK(note("remove", *old));
    std::lock_guard lock(mutex_);
    objects_.erase(id(*old));
    std::erase_if(objects_, [&](const auto& item) {
      auto owner = item.second.controller();
      return owner && owner->uid == old->uid();
    });
    return {};
  }
  Result<Resource> resource(const Ctx&, const Type& type) override { return Resource{type, "", "", true, {}}; }
  Result<std::vector<Resource>> resources(const Ctx&) override { return std::vector<Resource>(); }

 private:
  using Id = std::pair<std::string, Key>;
  static Id id(const Object& object) { return {object.type().group() + "/" + object.kind(), object.key()}; }
  Object put(doc::Value object) {
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    Object stored(std::move(object));
    objects_[id(stored)] = stored;
    return stored;
  }
  Result<> note(const std::string& verb, const Object& object) {
    auto what = fmt::format("{} {}", verb, object.describe());
    if (before_write) TRY_OK(before_write(what));
    std::lock_guard lock(mutex_);
    writes.push_back(std::move(what));
    return {};
  }
  const Clock* clock_;
  std::mutex mutex_;
  std::map<Id, Object> objects_;
  std::int64_t version_ = 0, uids_ = 0;
};

}  // namespace slipway::kube
