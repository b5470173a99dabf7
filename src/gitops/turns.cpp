#include "gitops/turns.h"

#include "base/hash.h"

namespace slipway::gitops {
namespace {

bool has_failed(doc::View operation) {
  auto phase = operation["phase"].text();
  return phase == "Failed" || phase == "Error";
}

doc::View ready_of(doc::View status) {
  for (const auto& condition : status["conditions"].items())
    if (condition["type"].text() == "Ready") return condition;
  return status["none"];
}

std::string first_error(doc::View status) {
  for (const auto& condition : status["conditions"].items())
    if (condition["type"].text().ends_with("Error")) return condition["message"].text();
  return "";
}

}  // namespace

std::vector<Turn> turns_of(const kube::Object& application, doc::View status) {
  auto before = application["status"];
  std::vector<Turn> turns;
  auto add = [&](std::string event, const std::string& revision, std::string message, const std::string& mark) {
    auto id = sha256_hex(application.uid() + "|" + event + "|" + mark).substr(0, 16);
    turns.push_back(
        {application.key(), application.type().kind, std::move(event), revision, std::move(message), std::move(id)});
  };
  // Flux's objects say all of it there, whatever else stands beside.
  if (auto ready = ready_of(status); ready.present()) {
    bool sick = ready["reason"].text() == "HealthCheckFailed";
    if (ready["status"].text() == "False" && ready_of(before)["status"].text() != "False")
      add(sick ? "degraded" : "sync-failed", status["lastAttemptedRevision"].text(), ready["message"].text(),
          application.resource_version());
    return turns;
  }
  auto operation = status["operationState"], former = before["operationState"];
  auto mark = [](doc::View op) { return op["startedAt"].text() + op["retryCount"].text(); };
  if (has_failed(operation) && !(has_failed(former) && mark(former) == mark(operation)))
    add("sync-failed", operation["syncResult"]["revision"].text(), operation["message"].text(), mark(operation));
  auto health = status["health"];
  if (health["status"].text() == "Degraded" && before["health"]["status"].text() != "Degraded")
    add("degraded", status["sync"]["revision"].text(), health["message"].text(), application.resource_version());
  // The first look may come before the repository does: what was never known did not turn.
  auto sync = before["sync"]["status"].text();
  if (status["sync"]["status"].text() == "Unknown" && (sync == "Synced" || sync == "OutOfSync"))
    add("unknown", status["sync"]["revision"].text(), first_error(status), application.resource_version());
  return turns;
}

}  // namespace slipway::gitops
