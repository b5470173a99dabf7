#include "gitops/compare.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "gitops/customizations.h"
#include "gitops/detail/old_servers.h"
#include "gitops/front.h"
#include "kube/apply.h"

namespace slipway::gitops {
namespace {

// Paths that no comparison looks at.
doc::Value stripped(const doc::Value& object) {
  auto copy = object;
  if (auto* map = copy.if_map()) {
    map->erase("status");
    if (auto* meta = map->find("metadata"))
      if (auto* m = meta->if_map())
        for (auto key : {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})
          m->erase(key);
  }
  return copy;
}

void keep_pod_hash(doc::Value& desired, const kube::Object& live) {
  constexpr std::string_view key = "rollouts-pod-template-hash";
  auto hash = live["spec"]["selector"][key].text();
  if (live.kind() == "Service" && !hash.empty() && desired.find_path({"spec", "selector"}) != nullptr)
    desired["spec"]["selector"][key] = hash;
}

void add_ours(const kube::Object& object, kube::FieldSet& owned) {
  for (const auto& entry : object["metadata"]["managedFields"].items())
    if (entry["manager"].text() == field_manager && entry["operation"].text() == "Apply" &&
        entry["subresource"].text().empty())
      owned.add(kube::FieldSet::from(entry["fieldsV1"].value()));
}

// What an API server may leave out of what it stores, although it knows the field: the zero of its type.
bool is_blank(const doc::Value& value) {
  for (const auto& zero : {doc::Value(), doc::Value(""), doc::Value(false), doc::Value(0), doc::Value(doc::Map{}),
                           doc::Value(doc::List{})})
    if (value == zero) return true;
  return false;
}

void find_dropped(const doc::Value& wanted, const doc::Value& stored, const std::string& path,
                  std::vector<std::string>& found) {
  if (wanted.is_map() && stored.is_map()) {
    for (const auto& [key, value] : *wanted.if_map()) {
      auto below = path + "." + key;
      const auto* have = stored.find(key);
      if (have != nullptr)
        find_dropped(value, *have, below, found);
      else if (!is_blank(value) && below != ".stringData" && found.size() < 10)
        found.push_back(below);
    }
  } else if (wanted.is_list() && stored.is_list() && wanted.if_list()->size() == stored.if_list()->size()) {
    // Lists that merge by key may stand in another order; then their items are not comparable by place.
    for (std::size_t i = 0; i < wanted.if_list()->size(); ++i) {
      const auto &mine = (*wanted.if_list())[i], &theirs = (*stored.if_list())[i];
      if (mine.str_at({"name"}) == theirs.str_at({"name"}))
        find_dropped(mine, theirs, fmt::format("{}[{}]", path, i), found);
    }
  }
}

}  // namespace

Sides compared_sides(const Application& app, const kube::Object& live, const kube::Object& would) {
  Sides sides{stripped(live.value()), stripped(would.value())};
  kube::FieldSet owned;
  add_ours(would, owned);
  if (app.compare_webhooks || owned.empty()) return sides;
  add_ours(live, owned);  // and what Git had before
  return {kube::part_of(sides.live, owned), kube::part_of(sides.would, owned)};
}

std::vector<std::string> dropped_fields(const doc::Value& wanted, const doc::Value& stored) {
  std::vector<std::string> found;
  find_dropped(wanted, stored, "", found);
  return found;
}

std::string_view to_string(SyncState state) {
  static constexpr std::string_view names[] = {"Synced", "OutOfSync", "Unknown"};
  return names[static_cast<int>(state)];
}

doc::Value applied_object(const Application& app, const Task& task) {
  auto object = task.object;
  object.map().erase("status");
  object["metadata"].map().erase("creationTimestamp");
  detail::spell_out(object);
  app.front->mark(object, app, task);
  return object;
}

Result<Applied> applied_over(const Ctx& ctx, const Application& app, const Task& task, const kube::Object& live) {
  Applied applied{applied_object(app, task), {}};
  if (!live) return applied;
  keep_pod_hash(applied.object, live);
  TRY(applied.object, take_live(ctx, app.ignore, std::move(applied.object), live, OnlyLive::stays, applied.warnings));
  return applied;
}

namespace {

// Of all that decides what is applied over a given live object.
std::string fingerprint(const Application& app, const Task& task) {
  Hasher hasher;
  hasher.update(doc::print_json(task.object)).update(tracking_id(app, task)).update(app.owner);
  const auto& tracking = tracking_of(app.customizations.get());
  hasher.update(std::to_string(static_cast<int>(tracking.method)) + tracking.label_key + "|" + tracking.installation);
  hasher.update(app.server).update(task.options.migrate ? "m" : "").update(app.compare_webhooks ? "w" : "");
  for (const auto& ignore : app.ignore) {
    if (!concerns(ignore, task.type, task.key)) continue;
    for (const auto& pointer : ignore.pointers) hasher.update("|" + pointer);
    for (const auto& path : ignore.paths) hasher.update("%" + path);
    for (const auto& manager : ignore.managers) hasher.update("@" + manager);
  }
  return hasher.finish_raw().substr(0, 15);  // fits into the string itself
}

}  // namespace

void Comparer::remember(const Application& app, const Task& task, Known known) {
  (*known_.lock())[app.key.str()][task.id()] = std::move(known);
}

void Comparer::applied(const Application& app, const Task& task, const kube::Object& live) {
  // What such an expression says of this version is for the next look to find out.
  bool to_be_asked = std::any_of(app.ignore.begin(), app.ignore.end(), [&](const IgnoreDifference& ignore) {
    return !ignore.paths.empty() && concerns(ignore, task.type, task.key);
  });
  if (to_be_asked) return;
  remember(app, task,
           {fingerprint(app, task),
            live.resource_version(),
            SyncState::synced,
            {},
            dropped_fields(applied_object(app, task), live.value()),
            {}});
}

bool Comparer::knows(const kube::Key& application, const std::string& object, const std::string& version) const {
  auto known = known_.lock();
  auto objects = known->find(application.str());
  if (objects == known->end()) return false;
  auto found = objects->second.find(object);
  return found != objects->second.end() && found->second.live_version == version;
}

Result<Compared> Comparer::compare(const Ctx& ctx, kube::Client& client, const Application& app, const Task& task) {
  Compared result{task.type, task.key};
  result.task = &task;
  TRY(auto live, client.get(ctx, task.type, task.key));
  if (task.leave || (live && task.only_create)) {
    result.state = SyncState::synced;
    if (live) result.live = *live;
    if (live && !task.ignore_health) result.health = health_of(ctx, app, *live);
    return result;
  }
  if (!live) {
    result.state = SyncState::out_of_sync;
    result.missing = true;
    result.health = HealthStatus{Health::missing, ""};
    return result;
  }
  result.live = *live;
  if (auto owner = owner_of(*live, tracking_of(app.customizations.get())); !owner.empty() && owner != app.owner)
    result.shared_with = owner;
  if (!task.ignore_health) result.health = health_of(ctx, app, *live);
  Known found{fingerprint(app, task), live->resource_version(), SyncState::synced, {}, {}, {}};
  {
    auto known = known_.lock();
    const auto& objects = (*known)[app.key.str()];
    auto before = objects.find(task.id());
    if (before != objects.end() && before->second.desired == found.desired &&
        before->second.live_version == found.live_version) {
      result.state = before->second.state;
      result.fields = before->second.fields, result.dropped = before->second.dropped;
      result.warnings = before->second.warnings;
      return result;
    }
  }
  TRY(auto applied, applied_over(ctx, app, task, *live));
  const auto& desired = applied.object;
  found.warnings = std::move(applied.warnings);
  if (app.compare_webhooks || !kube::changes_nothing(desired, live->value(), field_manager)) {
    auto would =
        client.apply(ctx, desired, {.field_manager = std::string(field_manager), .dry_run = true, .force = true});
    if (!would) {
      if (would.error().is(Kind::invalid) || would.error().is(Kind::denied)) {
        result.state = SyncState::out_of_sync;
        result.message = would.error().what();
        return result;
      }
      return Fail(std::move(would).error());
    }
    if (would->shared() != live->shared()) {
      auto sides = compared_sides(app, *live, *would);
      for (auto& change : doc::diff(sides.live, sides.would)) {
        if (found.fields.size() == 20) break;
        found.fields.push_back(std::move(change.path));
      }
    }
    found.state = found.fields.empty() ? SyncState::synced : SyncState::out_of_sync;
    found.dropped = dropped_fields(desired, would->value());
  }
  // Held by a controller that came before us: taken over, or a field that Git drops would stay.
  if (task.options.migrate && has_former_manager(*live, task.options.undo_kubectl)) {
    found.fields.emplace_back(".metadata.managedFields");
    found.state = SyncState::out_of_sync;
  }
  result.state = found.state, result.fields = found.fields, result.dropped = found.dropped;
  result.warnings = found.warnings;
  remember(app, task, std::move(found));
  return result;
}

void Comparer::forget(const std::string& application) { known_.lock()->erase(application); }

}  // namespace slipway::gitops
