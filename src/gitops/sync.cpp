#include "gitops/sync.h"

#include <algorithm>

#include "base/text.h"
#include "gitops/detail/operate.h"

namespace slipway::gitops {
namespace {

void add_condition(AppStatus& status, std::string type, std::string message) {
  status.conditions.push_back({std::move(type), std::move(message)});
}

// Objects without a namespace land in the destination's; cluster-scoped ones have none.
Result<> place_objects(const Ctx& ctx, kube::Client& client, const Application& app, std::vector<doc::Value>& objects, AppStatus& status) {
  std::set<std::pair<std::string, std::string>> defined;  // group, kind of CRDs that come with the application
  for (const auto& object : objects)
    if (object.str_at({"kind"}) == "CustomResourceDefinition")
      defined.emplace(object.str_at({"spec", "group"}), object.str_at({"spec", "names", "kind"}));
  for (auto& value : objects) {
    kube::Object object{doc::Value(value)};
    auto resource = client.resource(ctx, object.type());
    if (!resource && !resource.error().is(Kind::not_found)) return Fail(std::move(resource).error());
    if (!resource && !defined.contains({object.type().group(), object.kind()}))
      add_condition(status, "ComparisonError", fmt::format("{}: the cluster knows no {} of {}", object.name(), object.kind(), object.api_version()));
    bool namespaced = !resource || resource->namespaced;
    auto& meta = value["metadata"].map();
    if (namespaced && object.ns().empty()) meta.set("namespace", app.ns.empty() ? "default" : app.ns);
    if (!namespaced) meta.erase("namespace");
  }
  return {};
}

void drop_repeated(std::vector<doc::Value>& objects, AppStatus& status) {
  std::map<std::string, std::size_t> last;
  std::vector<doc::Value> kept;
  for (auto& value : objects) {
    kube::Object object{doc::Value(value)};
    if (object.name().empty()) {  // generateName: each is its own
      kept.push_back(std::move(value));
      continue;
    }
    auto id = fmt::format("{}/{}/{}", object.type().group(), object.kind(), object.key().str());
    auto [it, fresh] = last.try_emplace(id, kept.size());
    if (!fresh) {
      add_condition(status, "RepeatedResourceWarning", fmt::format("{} {} appears more than once; the last one counts", object.kind(), object.key().str()));
      kept[it->second] = std::move(value);
    } else {
      kept.push_back(std::move(value));
    }
  }
  objects = std::move(kept);
}

// The project's rules about sources and destinations. Errors: denied.
Result<> check_project(const Ctx& ctx, kube::Client& client, const Application& app) {
  TRY(auto project, client.get(ctx, {"argoproj.io/v1alpha1", "AppProject"}, {app.key.ns, app.project}));
  if (!project) {
    if (app.project == "default") return {};
    return fail(Kind::denied, "application references project {} which does not exist", app.project);
  }
  auto spec = (*project)["spec"];
  auto any = [](const std::vector<doc::View>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return p.text() == "*" || glob_match(p.text(), text); });
  };
  for (const auto& source : app.sources)
    if (!any(spec["sourceRepos"].items(), source.repo_url))
      return fail(Kind::denied, "application repo {} is not permitted in project '{}'", source.repo_url, app.project);
  for (const auto& destination : spec["destinations"].items())
    if (any({destination["namespace"]}, app.ns)) return {};
  return fail(Kind::denied, "application destination namespace {} is not permitted in project '{}'", app.ns, app.project);
}

// Objects of the inventory that Git no longer wants; those that are gone or not ours leave the inventory.
Result<std::vector<Compared>> find_extras(const Ctx& ctx, kube::Client& client, const Application& app, const std::vector<Task>& tasks, AppStatus& status) {
  std::set<std::pair<kube::Type, kube::Key>> wanted;
  for (const auto& task : tasks) wanted.emplace(task.type, task.key);
  std::set<std::pair<std::pair<std::string, std::string>, kube::Key>> wanted_any_version;
  for (const auto& [type, key] : wanted) wanted_any_version.insert({{type.group(), type.kind}, key});
  std::vector<Compared> extras;
  std::vector<InventoryEntry> kept;
  for (const auto& entry : status.inventory) {
    if (wanted_any_version.contains({{entry.type.group(), entry.type.kind}, entry.key})) continue;
    auto live = client.get(ctx, entry.type, entry.key);
    if (!live && live.error().is(Kind::not_found)) continue;  // the kind itself is gone
    if (!live) return Fail(std::move(live).error());
    if (!*live || !(*live)->annotation(tracking_annotation).starts_with(app.key.name + ":")) continue;
    Compared extra{entry.type, entry.key, SyncState::out_of_sync};
    extra.extra = true;
    extra.live = **live;
    extra.health = health_of(**live);
    extras.push_back(std::move(extra));
    kept.push_back(entry);
  }
  for (const auto& task : tasks)
    if (!task.hook) kept.push_back({task.type, task.key});
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  status.inventory = std::move(kept);
  return extras;
}

void summarize(AppStatus& status, const std::vector<doc::Value>& objects) {
  auto worst = Health::healthy;
  std::string message;
  std::size_t missing = 0, counted = 0;
  bool synced = true;
  for (const auto& r : status.resources) {
    if (r.state != SyncState::synced) synced = false;
    if (r.extra || !r.health) continue;
    ++counted;
    if (r.health->health == Health::missing) {
      ++missing;
      continue;
    }
    if (r.health->health > worst) worst = r.health->health, message = r.health->message;
  }
  if (missing > 0 && missing == counted) worst = Health::missing;
  status.sync = synced ? "Synced" : "OutOfSync";
  status.health = to_string(worst);
  status.health_message = message;
  std::set<std::string> images;
  for (const auto& object : objects) {
    auto pod = doc::View(object)["spec"]["template"]["spec"];
    for (auto list : {"initContainers", "containers"})
      for (const auto& container : pod[list].items()) images.insert(container["image"].text());
  }
  status.images.assign(images.begin(), images.end());
}

std::vector<kube::Type> types_of(const AppStatus& status) {
  std::set<kube::Type> types;
  for (const auto& entry : status.inventory) types.insert(entry.type);
  return {types.begin(), types.end()};
}

Looked written(const AppStatus& status, const kube::Object& application, const Ctx& ctx, std::optional<Millis> again) {
  return {to_doc(status, application, rfc3339(ctx.clock->wall())), again, types_of(status)};
}

}  // namespace

Result<Looked> look(const Ctx& ctx, const SyncContext& context, const kube::Object& application) {
  auto status = status_from(application);
  auto unknown = [&](std::string type, std::string message, Millis again) {
    status.sync = "Unknown";
    if (status.health.empty()) status.health = "Unknown";
    add_condition(status, std::move(type), std::move(message));
    auto result = written(status, application, ctx, again);
    // What the last good look found stays on show.
    result.status.map().set("resources", application["status"]["resources"].value());
    return result;
  };
  auto app = application_from(application);
  if (!app) return unknown("InvalidSpecError", app.error().what(), Millis(180000));
  if (app->deleting) return detail::tear_down(ctx, context, *app, application, std::move(status));
  if (auto allowed = check_project(ctx, context.client, *app); !allowed) {
    if (allowed.error().retryable()) return Fail(std::move(allowed).error());
    return unknown("InvalidSpecError", allowed.error().what(), Millis(180000));
  }
  auto rendered = context.renderer.render(ctx, *app);
  if (!rendered) {
    if (rendered.error().is(Kind::cancelled)) return Fail(std::move(rendered).error());
    return unknown("ComparisonError", rendered.error().print(), rendered.error().retryable() ? Millis(5000) : Millis(180000));
  }
  auto objects = (*rendered)->objects;
  drop_repeated(objects, status);
  TRY_OK(place_objects(ctx, context.client, *app, objects, status));
  auto tasks = tasks_of(objects);
  status.revision = (*rendered)->revision();
  for (const auto& task : tasks) {
    if (task.hook) continue;
    auto compared = context.comparer.compare(ctx, context.client, *app, task);
    if (!compared && compared.error().is(Kind::not_found)) {  // its kind is not there (yet)
      Compared missing{task.type, task.key, SyncState::out_of_sync};
      missing.missing = true, missing.task = &task, missing.message = compared.error().what();
      status.resources.push_back(std::move(missing));
      continue;
    }
    if (!compared) return Fail(std::move(compared).error());
    status.resources.push_back(*std::move(compared));
  }
  TRY(auto extras, find_extras(ctx, context.client, *app, tasks, status));
  status.resources.insert(status.resources.end(), extras.begin(), extras.end());
  TRY(auto again, detail::operate(ctx, context, *app, application, tasks, status));
  summarize(status, objects);
  return written(status, application, ctx, again);
}

}  // namespace slipway::gitops
