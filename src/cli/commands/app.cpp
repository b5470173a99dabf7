// app list, get, sync, history: Applications.
#include "base/time.h"
#include "cli/command.h"
#include "gitops/clusters.h"

namespace slipway::cli {
namespace {

const kube::Type application{"argoproj.io/v1alpha1", "Application"};
const std::string argocd = "argocd";

std::string paint(const Io& io, std::string_view word) {
  if (word == "Synced" || word == "Healthy" || word == "Succeeded") return io.paint(Io::Paint::good, word);
  if (word == "OutOfSync" || word == "Degraded" || word == "Failed" || word == "Missing")
    return io.paint(Io::Paint::bad, word);
  return io.paint(Io::Paint::warn, word);
}

Result<kube::Object> get_app(const Ctx& ctx, kube::Client& client, const std::string& name) {
  TRY(auto object, client.get(ctx, application, {argocd, name}));
  if (!object)
    return Fail(Error(Kind::not_found, fmt::format("there is no application {}", name)).with_hint("slipway app list"));
  return *object;
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
  TRY(auto apps, client->list(ctx, application, {}));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& app : apps.items) {
    documents.push_back(app.copy());
    auto status = app["status"];
    rows.push_back({app.name(), paint(io, status["sync"]["status"].str_or("Unknown")),
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
  TRY(auto app, get_app(ctx, *client, arguments.get("name")));
  if (io.json()) {
    io.document(app.value());
    return 0;
  }
  auto status = app["status"];
  io.line(fmt::format("{}  {}  {}  {}", io.paint(Io::Paint::bold, app.name()),
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
  auto name = arguments.get("name");
  TRY(auto app, get_app(ctx, *client, name));
  doc::Map wanted{{"sync", doc::Map{{"prune", arguments.has("prune")}}},
                  {"initiatedBy", doc::Map{{"username", current_user()}}}};
  TRY_OK(client->patch(ctx, application, app.key(), kube::PatchType::merge, doc::Map{{"operation", wanted}}, {}));
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  TRY(auto done, kube::await(ctx.within(wait), *client, application, app.key(), [](const kube::Object& now) {
        auto phase = now["status"]["operationState"]["phase"].text();
        return !now["operation"].present() && phase != "Running" && !phase.empty();
      }));
  auto op = done["status"]["operationState"];
  io.said(fmt::format("{}: {}", paint(io, op["phase"].text()), op["message"].text()), op.value());
  return op["phase"].text() == "Succeeded" ? 0 : 1;
}

Result<int> history(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto app, get_app(ctx, *client, arguments.get("name")));
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
