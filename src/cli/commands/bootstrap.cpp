// bootstrap: a cluster from Git alone, and what could not be restored.
#include <algorithm>

#include "base/text.h"
#include "cli/app_operation.h"
#include "engine/recorder.h"
#include "gitops/application.h"

namespace slipway::cli {
namespace {

bool is_error(doc::View condition) { return condition["type"].text().ends_with("Error"); }

// Whether the status is about what the Application says now, and an end of it.
bool answers_now(const kube::Object& app) {
  if (!app.annotation("argocd.argoproj.io/refresh").empty()) return false;
  auto compared = app["status"]["sync"]["comparedTo"]["source"], source = app["spec"]["source"];
  if (compared.value() != source.value()) return false;
  auto conditions = app["status"]["conditions"].items();
  if (std::any_of(conditions.begin(), conditions.end(), is_error)) return true;
  auto phase = app["status"]["operationState"]["phase"].text();
  return phase == "Succeeded" || phase == "Failed" || phase == "Error";
}

bool is_well(const kube::Object& app) {
  auto health = app["status"]["health"]["status"].text();
  return app["status"]["sync"]["status"].text() == "Synced" && (health == "Healthy" || health == "Suspended");
}
bool has_failed(const kube::Object& app) {
  auto status = app["status"];
  auto conditions = status["conditions"].items();
  return std::any_of(conditions.begin(), conditions.end(), is_error) ||
         status["operationState"]["phase"].text() == "Failed" || status["health"]["status"].text() == "Degraded";
}
bool was_looked_at(const kube::Object& app) {
  return !app["status"]["sync"]["status"].text().empty() &&
         app["status"]["operationState"]["phase"].text() != "Running";
}

// Its syncs are asked for: it comes no further by itself.
bool waits_for_a_person(const kube::Object& app) { return !gitops::syncs_by_itself(app) && was_looked_at(app); }

std::string why_not(const kube::Object& app) {
  auto status = app["status"];
  auto why = status["health"]["message"].text();
  for (const auto& condition : status["conditions"].items())
    if (is_error(condition)) why = condition["message"].text();
  return fmt::format("{}: {}, {}{}{}", app.name(), status["sync"]["status"].str_or("not looked at yet"),
                     status["health"]["status"].str_or("Unknown"), why.empty() ? "" : ": ", why);
}

// The Applications that failed, each with its reason, and how many are still on their way. Each has been looked at
// once; with `wait` each has come to an end. Or the time is up.
Result<std::size_t> tell_of_children(const Ctx& ctx, kube::Client& client, bool wait, Io& io) {
  auto asking = ctx;
  asking.deadline = Clock::time_point::max();
  auto patient = wait ? ctx : ctx.within(Millis(5000));
  TRY(auto all, client.list(asking, application_type, {}));
  std::size_t coming = 0, failed = 0;
  for (const auto& one : all.items) {
    auto there = kube::await(patient, client, application_type, one.key(), [&](const kube::Object& app) {
      return is_well(app) || has_failed(app) || waits_for_a_person(app) || (!wait && was_looked_at(app));
    });
    if (!there && !there.error().is(Kind::timeout) && !there.error().is(Kind::not_found))
      return Fail(std::move(there).error());
    TRY(auto now, client.get(asking, application_type, one.key()));
    if (!now || is_well(*now)) continue;
    if (has_failed(*now))
      io.note("not restored: " + why_not(*now)), ++failed;
    else if (waits_for_a_person(*now))
      io.note(fmt::format("waits for slipway app sync {}: its syncs are not automatic", name_of_application(*now)));
    else
      ++coming;
  }
  if (coming > 0) io.note(fmt::format("{} Applications are on their way: slipway app list", coming));
  return failed;
}

Result<int> bootstrap(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  auto url = arguments.get("repository"), path = arguments.get("path");
  auto name = engine::object_name(url.substr(url.rfind('/') + 1) + "-root");
  auto root = kube::make_object(application_type, {"argocd", name});
  root["spec"] =
      doc::Map{{"project", "default"},
               {"source", doc::Map{{"repoURL", url}, {"targetRevision", arguments.get("revision")}, {"path", path}}},
               {"destination", doc::Map{{"server", "https://kubernetes.default.svc"}, {"namespace", "argocd"}}},
               {"syncPolicy", doc::Map{{"automated", doc::Map{{"prune", true}, {"selfHeal", true}}}}}};
  // What is there already is looked at again: an old answer says nothing of this repository and folder.
  root["metadata"]["annotations"] = doc::Map{{"argocd.argoproj.io/refresh", "normal"}};
  TRY_OK(client->apply(ctx, std::move(root), {.field_manager = "slipway-bootstrap", .force = true}));
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  auto patient = ctx.within(wait);
  TRY(auto done, await_application(patient, *client, {"argocd", name}, answers_now));
  for (const auto& condition : done["status"]["conditions"].items())
    if (is_error(condition))
      return fail(Kind::invalid, "{}: {}", condition["type"].text(), condition["message"].text());
  if (done["status"]["operationState"]["phase"].text() != "Succeeded")
    return fail(Kind::invalid, "{}", done["status"]["operationState"]["message"].text());
  if (io.json())
    io.document(done.value());
  else
    io.line(fmt::format("{} at {}: {} objects", url, done["status"]["sync"]["revision"].text().substr(0, 12),
                        done["status"]["resources"].items().size()));
  TRY(auto failed, tell_of_children(patient, *client, arguments.has("wait"), io));
  io.note(
      "not in Git, so not restored: data of volumes, history of runs, keys that were never sealed, images and "
      "repositories that this house held itself");
  return arguments.has("wait") && failed > 0 ? 1 : 0;
}

}  // namespace

std::vector<Command> bootstrap_commands() {
  return {
      {"bootstrap",
       "a cluster from Git alone",
       "slipway bootstrap http://slipway/git/shop-config.git --path apps",
       with_connection({{"--path", "folder that holds the Applications", false, false, "apps"},
                        {"--revision", "branch, tag or commit", false, false, "HEAD"},
                        {"--wait", "until every Application is there; 1 when one fails", true},
                        {"--timeout", "how long to wait", false, false, "2m"}}),
       {{"repository", "URL of the configuration repository"}},
       bootstrap},
  };
}

}  // namespace slipway::cli
