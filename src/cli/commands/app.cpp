// app list, get, sync, history: Applications.
#include "base/time.h"
#include "cli/app_operation.h"
#include "gitops/application.h"
#include "gitops/clusters.h"

namespace slipway::cli {
namespace {

std::string paint(const Io& io, std::string_view word) {
  if (word == "Synced" || word == "Healthy" || word == "Succeeded") return io.paint(Io::Paint::good, word);
  if (word == "OutOfSync" || word == "Degraded" || word == "Failed" || word == "Missing")
    return io.paint(Io::Paint::bad, word);
  return io.paint(Io::Paint::warn, word);
}

// As the Application names it.
std::string cluster_of(const kube::Object& app) {
  auto destination = app["spec"]["destination"];
  if (gitops::Target::of(destination).own()) return std::string(gitops::own_name);
  auto name = destination["name"].text();
  return name.empty() ? destination["server"].text() : name;
}

Result<int> list(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto apps, client->list(ctx, application_type, {}));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& app : apps.items) {
    documents.push_back(app.copy());
    auto status = app["status"];
    rows.push_back({name_of_application(app), paint(io, status["sync"]["status"].str_or("Unknown")),
                    paint(io, status["health"]["status"].str_or("Unknown")),
                    status["sync"]["revision"].text().substr(0, 7), cluster_of(app),
                    app["spec"]["destination"]["namespace"].text(), app["spec"]["source"]["path"].text()});
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"NAME", "SYNC", "HEALTH", "REVISION", "CLUSTER", "NAMESPACE", "PATH"}, rows);
  return 0;
}

Result<int> get(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto app, application_named(ctx, *client, arguments.get("name")));
  if (io.json()) {
    io.document(app.value());
    return 0;
  }
  auto status = app["status"];
  io.line(fmt::format("{}  {}  {}  {}", io.paint(Io::Paint::bold, name_of_application(app)),
                      paint(io, status["sync"]["status"].text()), paint(io, status["health"]["status"].text()),
                      status["sync"]["revision"].text().substr(0, 12)));
  io.line(
      fmt::format("  to: {} namespace {}", cluster_of(app), app["spec"]["destination"]["namespace"].str_or("default")));
  if (auto message = status["health"]["message"].text(); !message.empty()) io.line("  " + message);
  for (const auto& condition : status["conditions"].items())
    io.line(fmt::format("  {}: {}", io.paint(Io::Paint::bad, condition["type"].text()), condition["message"].text()));
  auto op = status["operationState"];
  if (op.present())
    io.line(fmt::format("  last sync: {} {} {}", paint(io, op["phase"].text()), op["finishedAt"].text(),
                        op["message"].text()));
  std::vector<std::vector<std::string>> rows;
  for (const auto& r : status["resources"].items())
    rows.push_back({r["kind"].text(), r["namespace"].text(), r["name"].text(), paint(io, r["status"].text()),
                    r["health"]["status"].text(), r["health"]["message"].text()});
  io.table({"KIND", "NAMESPACE", "NAME", "SYNC", "HEALTH", "MESSAGE"}, rows);
  return 0;
}

Result<int> sync(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto app, application_named(ctx, *client, arguments.get("name")));
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  doc::Map wanted{{"prune", arguments.has("prune")}, {"dryRun", arguments.has("dry-run")}};
  if (auto revision = arguments.get("revision"); !revision.empty()) {
    if (gitops::syncs_by_itself(app)) return Fail(held_by_git(app, "synced to " + revision));
    wanted.set("revision", revision);
  }
  return sync_application(ctx.within(wait), *client, app, std::move(wanted), io);
}

Result<int> history(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto app, application_named(ctx, *client, arguments.get("name")));
  std::vector<std::vector<std::string>> rows;
  for (const auto& entry : app["status"]["history"].items())
    rows.push_back({entry["id"].text(), entry["revision"].text().substr(0, 12), entry["deployedAt"].text()});
  if (io.json())
    io.document(app["status"]["history"].value());
  else
    io.table({"ID", "REVISION", "DEPLOYED"}, rows);
  return 0;
}

}  // namespace

std::vector<Command> app_commands() {
  Positional name{"name", "Application"};
  return {
      {"app list", "Applications with their sync and health", "slipway app list", with_connection(), {}, list},
      {"app get", "one Application and its objects", "slipway app get shop-dev", with_connection(), {name}, get},
      {"app sync",
       "makes the cluster equal to Git now",
       "slipway app sync shop-dev",
       with_connection({{"--prune", "delete what Git no longer holds", true},
                        {"--revision", "a commit, tag or branch instead of its targetRevision"},
                        {"--dry-run", "tell what would be written, write nothing", true},
                        {"--timeout", "how long to wait", false, false, "5m"}}),
       {name},
       sync},
      {"app history",
       "revisions that were deployed",
       "slipway app history shop-dev",
       with_connection(),
       {name},
       history},
  };
}

}  // namespace slipway::cli
