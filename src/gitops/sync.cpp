#include "gitops/sync.h"

#include <algorithm>

#include "base/text.h"
#include "gitops/detail/desired.h"
#include "gitops/detail/operate.h"
#include "gitops/detail/request.h"
#include "gitops/front.h"

namespace slipway::gitops {
namespace {

void add_condition(AppStatus& status, std::string type, std::string message) {
  status.conditions.push_back({std::move(type), std::move(message)});
}

// An Application that stands in its own repository.
bool is_itself(const Application& app, const kube::Type& type, const kube::Key& key) {
  return type.group() == app.front->type().group() && type.kind == app.front->type().kind && key == app.key;
}

// Objects of the inventory that Git no longer wants; those that are gone or not ours leave the inventory.
Result<std::vector<Compared>> find_extras(const Ctx& ctx, kube::Client& client, const Application& app,
                                          const std::vector<Task>& tasks, AppStatus& status) {
  std::set<std::pair<kube::Type, kube::Key>> wanted;
  for (const auto& task : tasks) wanted.emplace(task.type, task.key);
  std::set<std::pair<std::pair<std::string, std::string>, kube::Key>> wanted_any_version;
  for (const auto& [type, key] : wanted) wanted_any_version.insert({{type.group(), type.kind}, key});
  std::vector<Compared> extras;
  std::vector<InventoryEntry> kept;
  for (const auto& entry : status.inventory) {
    if (wanted_any_version.contains({{entry.type.group(), entry.type.kind}, entry.key})) continue;
    // What it lives in, and itself, are never taken away.
    if (entry.type.kind == "Namespace" && app.manages_namespace() && entry.key.name == app.ns) continue;
    if (is_itself(app, entry.type, entry.key)) continue;
    auto live = client.get(ctx, entry.type, entry.key);
    if (!live && live.error().is(Kind::not_found)) continue;  // the kind itself is gone
    if (!live) return Fail(std::move(live).error());
    if (!*live || owner_of(**live, tracking_of(app.customizations.get())) != app.owner) continue;
    Compared extra{entry.type, entry.key, SyncState::out_of_sync};
    extra.extra = true;
    auto words = (*live)->annotation("argocd.argoproj.io/compare-options");
    for (auto word : split(words, ',')) extra.extraneous = extra.extraneous || trim(word) == "IgnoreExtraneous";
    extra.live = **live;
    extra.health = health_of(ctx, app, **live);
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

std::vector<doc::View> pod_specs(doc::View object) {
  auto spec = object["spec"];
  if (object["kind"].text() == "Pod") return {spec};
  return {spec["template"]["spec"], spec["jobTemplate"]["spec"]["template"]["spec"]};
}

// Where people find what an Ingress serves. Rule: Argo CD's status.summary.externalURLs.
void add_urls(const kube::Object& ingress, std::set<std::string>& urls) {
  std::set<std::string> secure;
  for (const auto& entry : ingress["spec"]["tls"].items())
    for (const auto& host : entry["hosts"].items()) secure.insert(host.text());
  std::vector<std::string> addresses;
  for (const auto& entry : ingress["status"]["loadBalancer"]["ingress"].items())
    addresses.push_back(entry["hostname"].text().empty() ? entry["ip"].text() : entry["hostname"].text());
  for (const auto& rule : ingress["spec"]["rules"].items()) {
    auto host = rule["host"].text();
    for (const auto& name : host.empty() ? addresses : std::vector{host})
      for (const auto& path : rule["http"]["paths"].items()) {
        auto text = path["path"].text();
        if (text.ends_with('*')) text.pop_back();
        urls.insert(fmt::format("{}://{}{}", secure.contains(host) ? "https" : "http", name, text));
      }
  }
}

void summarize(AppStatus& status, const Application& app, const std::vector<doc::Value>& objects) {
  auto worst = Health::healthy;
  std::string message;
  std::size_t missing = 0, counted = 0;
  bool synced = !status.namespace_differs;
  for (const auto& r : status.resources) {
    if (r.state != SyncState::synced && !r.extraneous) synced = false;
    if (r.extra || !r.health || is_itself(app, r.type, r.key)) continue;
    // A child Application that nobody looked at yet says nothing of its parent.
    bool child = r.type.kind == "Application" && r.type.group() == "argoproj.io";
    if (child && (r.health->health == Health::missing || r.health->health == Health::unknown)) continue;
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
  for (const auto& object : objects)
    for (const auto& pod : pod_specs(doc::View(object)))
      for (auto list : {"initContainers", "containers"})
        for (const auto& container : pod[list].items()) images.insert(container["image"].text());
  status.images.assign(images.begin(), images.end());
  std::set<std::string> urls;
  for (const auto& r : status.resources)
    if (r.type.kind == "Ingress" && r.live) add_urls(r.live, urls);
  status.urls.assign(urls.begin(), urls.end());
}

// What is managed, and the hooks: their events are what an operation waits for.
std::vector<kube::Type> types_of(const AppStatus& status, const std::vector<Task>& tasks) {
  std::set<kube::Type> types;
  for (const auto& entry : status.inventory) types.insert(entry.type);
  for (const auto& task : tasks) types.insert(task.type);
  return {types.begin(), types.end()};
}

// What an earlier look found of the objects stays on show.
void keep_found(const kube::Object& application, doc::Value& status) {
  for (auto key : {"resources", "summary", "sourceType", "sourceTypes"})
    if (auto old = application["status"][key]; old.present()) status.map().set(key, old.value());
}

// Nothing can be said of the objects: what the last good look found stays on show, and a request is answered.
Looked unknown(const Ctx& ctx, const kube::Object& application, AppStatus status, std::string type, std::string message,
               std::optional<Millis> again) {
  status.sync = "Unknown";
  if (status.health.empty()) status.health = "Unknown";
  if (auto request = application["operation"]; request["sync"].present()) {
    auto now = rfc3339(ctx.clock->wall());
    Operation op;
    op.phase = "Error", op.message = message, op.request = request.value(), op.started_at = op.finished_at = now;
    op.revisions = status.revisions;
    status.operation = std::move(op);
  }
  add_condition(status, std::move(type), std::move(message));
  auto shown = front_of(application.type()).to_doc(status, application, rfc3339(ctx.clock->wall()));
  Looked result{std::move(shown), again, types_of(status, {}), false};
  keep_found(application, result.status);
  return result;
}

// Every object that Git wants beside the live one; what the project forbids is not even asked about.
Result<> compare_all(const Ctx& ctx, const SyncContext& context, const Application& app, const Project& project,
                     const std::vector<Task>& tasks, AppStatus& status) {
  for (const auto& task : tasks) {
    if (task.hook) continue;
    if (auto refusal = project.refusal(task.type, task.key); !refusal.empty()) {
      Compared refused{task.type, task.key, SyncState::unknown};
      refused.task = &task, refused.message = refusal;
      status.resources.push_back(std::move(refused));
      continue;
    }
    auto compared = context.comparer.compare(ctx, context.client, app, task);
    if (!compared && compared.error().is(Kind::not_found)) {  // its kind is not there (yet)
      Compared missing{task.type, task.key, SyncState::out_of_sync};
      missing.missing = true, missing.task = &task, missing.message = compared.error().what();
      missing.health = HealthStatus{Health::missing, ""};
      status.resources.push_back(std::move(missing));
      continue;
    }
    if (!compared) return Fail(std::move(compared).error());
    if (!compared->shared_with.empty())
      add_condition(status, "SharedResourceWarning",
                    fmt::format("{} {} is part of applications {} and {}", task.type.kind, task.key.str(), app.owner,
                                compared->shared_with));
    if (!compared->dropped.empty() && task.options.validate)
      status.conditions.push_back(detail::unknown_fields(task, compared->dropped));
    for (const auto& warning : compared->warnings) add_condition(status, "ComparisonError", warning);
    status.resources.push_back(*std::move(compared));
  }
  return {};
}

// What else lies in its namespace, when its project asks. What Git wants of the Application is none of it, whoever made
// it.
void note_orphans(const SyncContext& context, const Application& app, const Project& project, AppStatus& status) {
  constexpr std::size_t most_shown = 50;
  auto rules = project.orphan_rules();
  if (context.place && context.place->remote && rules && rules->warn)
    add_condition(status, "OrphanedResourceWarning", "orphaned resources of another cluster are not looked for");
  if (!context.orphans || context.away != nullptr) return;
  auto found = context.orphans(app, rules.has_value());
  if (!rules) return;
  std::set<std::string> wanted;
  for (const auto& r : status.resources) wanted.insert(Task::id(r.type, r.key));
  std::erase_if(found, [&](const InventoryEntry& entry) {
    return rules->ignores(entry.type, entry.key.name) || !project.refusal(entry.type, entry.key).empty() ||
           wanted.contains(Task::id(entry.type, entry.key));
  });
  if (rules->warn && !found.empty())
    add_condition(status, "OrphanedResourceWarning",
                  fmt::format("Application has {} orphaned resources", found.size()));
  if (found.size() > most_shown) found.resize(most_shown);
  status.orphans = std::move(found);
}

}  // namespace

Result<Looked> look_without(const Ctx& ctx, const SyncContext& context, const kube::Object& application,
                            const Error& why) {
  const auto& front = front_of(application.type());
  auto status = front.status_from(application);
  if (application.deleting()) return detail::tear_down_without(ctx, context, application, std::move(status), why);
  auto type = why.retryable() || why.is(Kind::denied) ? "ComparisonError" : "InvalidSpecError";
  return unknown(ctx, application, std::move(status), type, why.what(), std::nullopt);
}

Result<Looked> look(const Ctx& ctx, const SyncContext& context, const kube::Object& application) {
  const auto& front = front_of(application.type());
  auto status = front.status_from(application);
  if (application.deleting()) return detail::tear_down(ctx, context, application, std::move(status));
  TRY(auto read, detail::read_desired(ctx, context, application, status));
  if (auto* wrong = std::get_if<detail::Unreadable>(&read))
    return unknown(ctx, application, std::move(status), std::move(wrong->type), std::move(wrong->message),
                   wrong->again);
  auto& [app, project, objects, tasks, revisions, source_types] = std::get<detail::Desired>(read);
  TRY(auto blocked, detail::unready_dependency(ctx, context.home(), app));
  TRY(auto held, detail::hold_for_hooks(ctx, context.home(), application, tasks));
  // What is found then is what is asked for, and not what the Application says.
  bool other = &front == &argo_front() && detail::asks_for_other(application, detail::request_of(application, status));
  status.revisions = std::move(revisions), status.source_types = std::move(source_types);
  auto compared = compare_all(ctx, context, app, project, tasks, status);
  // Without what is to be ignored, everything that was to be left alone would be taken for drift.
  if (!compared && compared.error().is(Kind::invalid))
    return unknown(ctx, held, front.status_from(application), "ComparisonError", compared.error().what(),
                   Millis(180000));
  if (!compared) return Fail(std::move(compared).error());
  TRY(auto extras, find_extras(ctx, context.client, app, tasks, status));
  status.resources.insert(status.resources.end(), extras.begin(), extras.end());
  note_orphans(context, app, project, status);
  TRY(status.namespace_differs, detail::namespace_differs(ctx, context.client, app));
  detail::Work work{context, app, held, project, tasks, status, blocked, {}};
  if (held.resource_version() != application.resource_version()) work.versions.insert(held.resource_version());
  TRY(auto again, detail::operate(ctx, work));
  summarize(status, app, objects);
  if (other) {
    auto before = front.status_from(application);
    status.sync = before.sync.empty() ? "Unknown" : before.sync;
    status.revisions = before.revisions, status.source_types = before.source_types;
    if (!detail::goes_on(status.operation)) again = Millis(1);
  }
  Looked result{front.to_doc(status, held, rfc3339(ctx.clock->wall())),
                again,
                types_of(status, tasks),
                status.operation.running(),
                std::move(work.versions),
                std::move(work.happened)};
  if (other) keep_found(application, result.status);
  return result;
}

void tell(const Ctx& ctx, kube::Client& home, const kube::Object& application,
          const std::vector<kube::Happening>& what) {
  for (const auto& one : what) kube::record_event(ctx, home, application, one);
}

}  // namespace slipway::gitops
