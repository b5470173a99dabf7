#include "gitops/status.h"

namespace slipway::gitops {
namespace {

doc::Value texts(const std::vector<std::string>& list) {
  doc::List values;
  for (const auto& text : list) values.emplace_back(text);
  return values;
}

// `revision` for one source, `revisions` for many: as Argo CD has them.
void put_revisions(doc::Map& map, const Revisions& revisions) {
  if (revisions.size() > 1)
    map.set("revisions", texts(revisions));
  else
    map.set("revision", revisions.empty() ? "" : revisions.front());
}

Revisions revisions_of(doc::View view) {
  Revisions revisions;
  for (const auto& revision : view["revisions"].items()) revisions.push_back(revision.text());
  if (revisions == Revisions{""}) revisions.clear();  // one that says nothing is none
  if (revisions.empty() && !view["revision"].text().empty()) revisions.push_back(view["revision"].text());
  return revisions;
}

void put_source(doc::Map& map, const doc::Value& source) {
  if (source.is_null()) return;
  map.set(source.is_list() ? "sources" : "source", source);
}
doc::Value source_of(doc::View view) {
  return view["sources"].present() ? view["sources"].value() : view["source"].value();
}

doc::Map identity(const kube::Type& type, const kube::Key& key) {
  doc::Map map;
  if (!type.group().empty()) map.set("group", type.group());
  map.set("version", type.version());
  map.set("kind", type.kind);
  if (!key.ns.empty()) map.set("namespace", key.ns);
  map.set("name", key.name);
  return map;
}

doc::Value resource_doc(const Compared& c) {
  auto map = identity(c.type, c.key);
  map.set("status", to_string(c.state));
  if (c.extra) map.set("requiresPruning", true);
  if (c.needs_consent) map.set("requiresDeletionConfirmation", true);
  if (c.health) {
    doc::Map health{{"status", to_string(c.health->health)}};
    if (!c.health->message.empty()) health.set("message", c.health->message);
    map.set("health", std::move(health));
  }
  if (c.task != nullptr && c.task->wave != 0) map.set("syncWave", c.task->wave);
  if (!c.message.empty()) map.set("message", c.message);
  if (!c.fields.empty()) map.set("differs", texts(c.fields));
  return map;
}

doc::Value result_doc(const TaskResult& result) {
  auto map = identity(result.type, result.key);
  if (!result.status.empty()) map.set("status", result.status);
  if (result.hook) map.set("hookType", result.phase);
  map.set("hookPhase", result.outcome);
  map.set("syncPhase", result.phase);
  if (!result.message.empty()) map.set("message", result.message);
  return map;
}

TaskResult result_from(doc::View view) {
  auto group = view["group"].text(), version = view["version"].text();
  TaskResult result;
  result.type = {group.empty() ? version : group + "/" + version, view["kind"].text()};
  result.key = {view["namespace"].text(), view["name"].text()};
  result.phase = view["syncPhase"].text(), result.hook = view["hookType"].present();
  result.outcome = view["hookPhase"].text(), result.status = view["status"].text(),
  result.message = view["message"].text();
  return result;
}

}  // namespace

doc::Value operation_doc(const Operation& op) {
  doc::Map state{{"phase", op.phase}, {"message", op.message}, {"startedAt", op.started_at}};
  if (!op.finished_at.empty()) state.set("finishedAt", op.finished_at);
  if (op.retries > 0) state.set("retryCount", op.retries);
  state.set("operation", op.request);
  doc::Map sync;
  put_revisions(sync, op.revisions);
  put_source(sync, op.source);
  doc::List results;
  for (const auto& result : op.results) results.push_back(result_doc(result));
  if (!results.empty()) sync.set("resources", std::move(results));
  state.set("syncResult", std::move(sync));
  return state;
}

Operation operation_from(doc::View view) {
  Operation op;
  op.phase = view["phase"].text(), op.message = view["message"].text();
  op.request = view["operation"].value();
  op.revisions = revisions_of(view["syncResult"]), op.source = source_of(view["syncResult"]);
  op.started_at = view["startedAt"].text(), op.finished_at = view["finishedAt"].text();
  op.retries = view["retryCount"].num_or(0);
  for (const auto& r : view["syncResult"]["resources"].items()) op.results.push_back(result_from(r));
  return op;
}

namespace {

doc::Value history_doc(const HistoryEntry& h) {
  doc::Map map{{"id", h.id}};
  put_revisions(map, h.revisions);
  map.set("deployedAt", h.deployed_at);
  if (!h.started_at.empty()) map.set("deployStartedAt", h.started_at);
  put_source(map, h.source);
  if (!h.initiated_by.is_null()) map.set("initiatedBy", h.initiated_by);
  return map;
}

// The old time while the words it dates stay the same.
std::string dated(const doc::View& before, std::string_view now, bool same) {
  auto old = before["lastTransitionTime"].text();
  return same && !old.empty() ? old : std::string(now);
}

doc::Value sync_doc(const AppStatus& status, doc::View spec) {
  doc::Map sync{{"status", status.sync}};
  put_revisions(sync, status.revisions);
  doc::Map compared;
  put_source(compared, source_of(spec));
  compared.set("destination", spec["destination"].value());
  sync.set("comparedTo", std::move(compared));
  return sync;
}

doc::Value conditions_doc(const AppStatus& status, const kube::Object& before, const std::string& now) {
  doc::List conditions;
  for (const auto& c : status.conditions) {
    std::string since = now;
    for (const auto& old : before["status"]["conditions"].items())
      if (old["type"].text() == c.type && old["message"].text() == c.message) since = dated(old, now, true);
    conditions.emplace_back(doc::Map{{"type", c.type}, {"message", c.message}, {"lastTransitionTime", since}});
  }
  return conditions;
}

}  // namespace

AppStatus status_from(const kube::Object& application) {
  AppStatus status;
  auto view = application["status"];
  status.sync = view["sync"]["status"].text();
  status.revisions = revisions_of(view["sync"]);
  status.health = view["health"]["status"].text();
  for (const auto& r : view["inventory"].items())
    status.inventory.push_back({{r["apiVersion"].text(), r["kind"].text()}, {r["namespace"].text(), r["name"].text()}});
  status.operation = operation_from(view["operationState"]);
  status.deletion = operation_from(view["deletionState"]);
  for (const auto& h : view["history"].items())
    status.history.push_back({h["id"].num_or(0), revisions_of(h), h["deployedAt"].text(), h["deployStartedAt"].text(),
                              source_of(h), h["initiatedBy"].value()});
  return status;
}

doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now) {
  doc::Map map;
  map.set("sync", sync_doc(status, before["spec"]));
  auto old_health = before["status"]["health"];
  bool same = old_health["status"].text() == status.health && old_health["message"].text() == status.health_message;
  doc::Map health{{"status", status.health}, {"lastTransitionTime", dated(old_health, now, same)}};
  if (!status.health_message.empty()) health.set("message", status.health_message);
  map.set("health", std::move(health));
  doc::List resources, inventory, history, orphans;
  for (const auto& r : status.resources) resources.push_back(resource_doc(r));
  for (const auto& i : status.inventory)
    inventory.emplace_back(doc::Map{
        {"apiVersion", i.type.api_version}, {"kind", i.type.kind}, {"namespace", i.key.ns}, {"name", i.key.name}});
  for (const auto& h : status.history) history.push_back(history_doc(h));
  map.set("resources", std::move(resources));
  map.set("inventory", std::move(inventory));
  map.set("history", std::move(history));
  for (const auto& o : status.orphans) orphans.emplace_back(identity(o.type, o.key));
  if (!orphans.empty()) map.set("orphanedResources", std::move(orphans));
  map.set("conditions", conditions_doc(status, before, now));
  doc::Map summary{{"images", texts(status.images)}};
  if (!status.urls.empty()) summary.set("externalURLs", texts(status.urls));
  map.set("summary", std::move(summary));
  if (status.source_types.size() > 1)
    map.set("sourceTypes", texts(status.source_types));
  else if (!status.source_types.empty())
    map.set("sourceType", status.source_types.front());
  if (!status.operation.phase.empty()) map.set("operationState", operation_doc(status.operation));
  if (!status.deletion.phase.empty()) map.set("deletionState", operation_doc(status.deletion));
  // It moves only when something else does, or somebody asked: an idle controller writes nothing.
  auto reconciled = before["status"]["reconciledAt"].str_or(now);
  map.set("reconciledAt", reconciled);
  bool asked = !before.annotation("argocd.argoproj.io/refresh").empty();
  doc::Value shown(std::move(map));
  if (asked || !(shown == before["status"].value())) shown["reconciledAt"] = now;
  return shown;
}

}  // namespace slipway::gitops
