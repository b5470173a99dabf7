#include "gitops/status.h"

namespace slipway::gitops {
namespace {

doc::Value resource_doc(const Compared& c) {
  doc::Map map;
  if (!c.type.group().empty()) map.set("group", c.type.group());
  map.set("version", c.type.version());
  map.set("kind", c.type.kind);
  if (!c.key.ns.empty()) map.set("namespace", c.key.ns);
  map.set("name", c.key.name);
  if (c.task != nullptr && c.task->hook) {
    map.set("hook", true);
  } else {
    map.set("status", to_string(c.state));
    if (c.extra) map.set("requiresPruning", true);
  }
  if (c.health) {
    doc::Map health{{"status", to_string(c.health->health)}};
    if (!c.health->message.empty()) health.set("message", c.health->message);
    map.set("health", std::move(health));
  }
  if (c.task != nullptr && c.task->wave != 0) map.set("syncWave", c.task->wave);
  if (!c.message.empty()) map.set("message", c.message);
  if (!c.fields.empty()) {
    doc::List fields;
    for (const auto& field : c.fields) fields.emplace_back(field);
    map.set("differs", std::move(fields));
  }
  return map;
}

doc::Value operation_doc(const Operation& op) {
  doc::Map sync{{"revision", op.revision}};
  doc::Map state{{"phase", op.phase}, {"message", op.message}, {"startedAt", op.started_at}};
  if (!op.finished_at.empty()) state.set("finishedAt", op.finished_at);
  if (op.retries > 0) state.set("retryCount", op.retries);
  doc::Map initiated;
  if (op.initiated_by.empty()) initiated.set("automated", true);
  else initiated.set("username", op.initiated_by);
  state.set("operation", doc::Map{{"sync", sync}, {"initiatedBy", std::move(initiated)}});
  doc::List hooks;
  for (const auto& hook : op.hooks) {
    doc::Map entry{{"id", hook.id}, {"hookType", hook.phase}, {"hookPhase", hook.outcome}, {"syncPhase", hook.phase}};
    if (!hook.message.empty()) entry.set("message", hook.message);
    hooks.emplace_back(std::move(entry));
  }
  if (!hooks.empty()) sync.set("resources", std::move(hooks));
  state.set("syncResult", std::move(sync));
  return state;
}

// The old time while the words it dates stay the same.
std::string dated(const doc::View& before, std::string_view now, bool same) {
  auto old = before["lastTransitionTime"].text();
  return same && !old.empty() ? old : std::string(now);
}

}  // namespace

AppStatus status_from(const kube::Object& application) {
  AppStatus status;
  auto view = application["status"];
  status.sync = view["sync"]["status"].text();
  status.revision = view["sync"]["revision"].text();
  status.health = view["health"]["status"].text();
  for (const auto& r : view["inventory"].items())
    status.inventory.push_back({{r["apiVersion"].text(), r["kind"].text()}, {r["namespace"].text(), r["name"].text()}});
  auto op = view["operationState"];
  status.operation = {op["phase"].text(), op["syncResult"]["revision"].text(), op["startedAt"].text(), op["finishedAt"].text(),
                      op["message"].text(), op["operation"]["initiatedBy"]["username"].text(), op["retryCount"].num_or(0), {}};
  for (const auto& h : op["syncResult"]["resources"].items())
    status.operation.hooks.push_back({h["id"].text(), h["hookType"].text(), h["hookPhase"].text(), h["message"].text()});
  for (const auto& h : view["history"].items()) status.history.push_back({h["id"].num_or(0), h["revision"].text(), h["deployedAt"].text()});
  return status;
}

doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now) {
  doc::Map map;
  map.set("sync", doc::Map{{"status", status.sync}, {"revision", status.revision}});
  auto old_health = before["status"]["health"];
  bool same = old_health["status"].text() == status.health && old_health["message"].text() == status.health_message;
  doc::Map health{{"status", status.health}, {"lastTransitionTime", dated(old_health, now, same)}};
  if (!status.health_message.empty()) health.set("message", status.health_message);
  map.set("health", std::move(health));
  doc::List resources, inventory, history, conditions, images;
  for (const auto& r : status.resources) resources.push_back(resource_doc(r));
  for (const auto& i : status.inventory)
    inventory.emplace_back(doc::Map{{"apiVersion", i.type.api_version}, {"kind", i.type.kind}, {"namespace", i.key.ns}, {"name", i.key.name}});
  for (const auto& h : status.history) history.emplace_back(doc::Map{{"id", h.id}, {"revision", h.revision}, {"deployedAt", h.deployed_at}});
  for (const auto& c : status.conditions) {
    std::string since = now;
    for (const auto& old : before["status"]["conditions"].items())
      if (old["type"].text() == c.type && old["message"].text() == c.message) since = dated(old, now, true);
    conditions.emplace_back(doc::Map{{"type", c.type}, {"message", c.message}, {"lastTransitionTime", since}});
  }
  for (const auto& image : status.images) images.emplace_back(image);
  map.set("resources", std::move(resources));
  map.set("inventory", std::move(inventory));
  map.set("history", std::move(history));
  map.set("conditions", std::move(conditions));
  map.set("summary", doc::Map{{"images", std::move(images)}});
  if (!status.operation.phase.empty()) map.set("operationState", operation_doc(status.operation));
  // reconciledAt moves only when something else did: an idle controller writes nothing.
  map.set("reconciledAt", before["status"]["reconciledAt"].str_or(now));
  return map;
}

}  // namespace slipway::gitops
