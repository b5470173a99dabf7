// status, why, bootstrap, promotions: the path as a whole.
#include <algorithm>

#include "base/text.h"
#include "cli/command.h"
#include "engine/recorder.h"

namespace slipway::cli {
namespace {

using engine::home;
using engine::kind;

std::string paint(const Io& io, std::string_view phase) {
  if (phase == "Succeeded") return io.paint(Io::Paint::good, phase);
  if (phase == "Failed" || phase == "Cancelled") return io.paint(Io::Paint::bad, phase);
  if (phase.empty() || phase == "-") return "-";
  return io.paint(Io::Paint::warn, phase);
}

// Where a commit is: its runs, then its releases by environment.
Result<doc::List> commits(const Ctx& ctx, kube::Client& client) {
  TRY(auto changes, engine::all(ctx, client, "Change"));
  TRY(auto runs, engine::all(ctx, client, "WorkflowRun"));
  TRY(auto releases, engine::all(ctx, client, "Release"));
  std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
    return a["metadata"]["creationTimestamp"].text() > b["metadata"]["creationTimestamp"].text();
  });
  doc::List list;
  for (const auto& change : changes) {
    auto spec = change["spec"];
    doc::List mine, where;
    for (const auto& run : runs)
      if (run.label("slipway.dev/change") == change.name())
        mine.emplace_back(
            doc::Map{{"name", run["spec"]["name"].text()}, {"phase", run["status"]["phase"].str_or("Pending")}});
    for (const auto& release : releases)
      if (release["spec"]["sourceCommit"].text() == spec["after"].text())
        where.emplace_back(doc::Map{{"service", release["spec"]["service"].text()},
                                    {"environment", release["spec"]["environment"].text()},
                                    {"phase", release["status"]["phase"].text()},
                                    {"current", release["status"]["current"].bool_or(false)}});
    list.emplace_back(doc::Map{{"repository", spec["repository"].text()},
                               {"commit", spec["after"].text()},
                               {"event", spec["event"].text()},
                               {"pullRequest", spec["pullRequest"].num_or(0)},
                               {"author", spec["author"].text()},
                               {"subject", spec["subject"].text()},
                               {"runs", std::move(mine)},
                               {"releases", std::move(where)}});
  }
  return list;
}

std::vector<std::string> row_of(const Io& io, doc::View commit) {
  std::string runs, releases;
  for (const auto& run : commit["runs"].items())
    runs += fmt::format("{}{} {}", runs.empty() ? "" : ", ", run["name"].text(), paint(io, run["phase"].text()));
  for (const auto& release : commit["releases"].items())
    releases += fmt::format(
        "{}{}:{} {}", releases.empty() ? "" : ", ", release["environment"].text(), release["service"].text(),
        release["current"].bool_or(false) ? paint(io, release["phase"].text()) : io.paint(Io::Paint::dim, "replaced"));
  auto number = commit["pullRequest"].num_or(0);
  auto what = number > 0 ? fmt::format("{}#{}", commit["repository"].text(), number) : commit["repository"].text();
  return {commit["commit"].text().substr(0, 10),
          what,
          commit["author"].text(),
          commit["subject"].text().substr(0, 40),
          runs.empty() ? "-" : runs,
          releases.empty() ? "-" : releases};
}

Result<int> status(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  for (std::optional<std::string> last;;) {
    TRY(auto list, commits(ctx, *client));
    if (io.json()) {
      io.document(list);
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    std::string text;
    for (const auto& commit : list) rows.push_back(row_of(io, doc::View(commit)));
    for (const auto& row : rows) text += join(row, " ") + "\n";
    if (text != last) {
      if (arguments.has("watch") && io.terminal()) io.print("\033[H\033[2J");
      io.table({"COMMIT", "CHANGE", "AUTHOR", "SUBJECT", "RUNS", "RELEASES"}, rows);
      if (rows.empty()) io.note("nothing is on the path yet: push to URL/git/NAME.git, as slipway up says");
      last = text;
    }
    if (!arguments.has("watch")) return 0;
    TRY_OK(sleep(ctx, Millis(500)));
  }
}

std::string digest_in(const kube::Object& object) {
  for (const auto& container : object["status"]["containerStatuses"].items())
    if (auto id = container["imageID"].text(); id.contains("sha256:")) return id.substr(id.find("sha256:"));
  for (auto spec : {object["spec"], object["spec"]["template"]["spec"]})
    for (const auto& container : spec["containers"].items())
      if (auto image = container["image"].text(); image.contains("sha256:")) return image.substr(image.find("sha256:"));
  return "";
}

// pod/NAME, deployment/NAME, rollout/NAME, in --namespace.
Result<kube::Object> named(const Ctx& ctx, kube::Client& client, const Arguments& arguments) {
  auto text = arguments.get("object");
  auto parts = cut(text, "/");
  if (!parts) return fail(Kind::invalid, "\"{}\": want KIND/NAME, like pod/web-6d8f or deployment/web", text);
  TRY(auto resources, client.resources(ctx));
  auto word = lower(parts->first);
  for (const auto& resource : resources) {
    bool match =
        lower(resource.type.kind) == word || resource.plural == word ||
        std::find(resource.short_names.begin(), resource.short_names.end(), word) != resource.short_names.end();
    if (!match) continue;
    kube::Key key{resource.namespaced ? arguments.get("namespace") : "", std::string(parts->second)};
    TRY(auto object, client.get(ctx, resource.type, key));
    if (object) return *object;
    return fail(Kind::not_found, "there is no {} {}", resource.type.kind, key.str());
  }
  return fail(Kind::not_found, "the cluster knows no kind \"{}\"", parts->first);
}

Result<int> why(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto object, named(ctx, *client, arguments));
  auto digest = digest_in(object);
  if (digest.empty()) return fail(Kind::not_found, "{}: runs no image that is named by its digest", object.describe());
  std::vector<std::pair<std::string, std::string>> chain{{"object", object.describe()}, {"image", digest}};
  doc::Map document{{"object", object.describe()}, {"digest", digest}};
  TRY(auto artifacts, engine::all(ctx, *client, "Artifact"));
  for (const auto& artifact : artifacts) {
    if (artifact["spec"]["digest"].text() != digest) continue;
    auto spec = artifact["spec"];
    chain.emplace_back("artifact", fmt::format("{} ({})", artifact.name(), spec["image"].text()));
    chain.emplace_back("run", spec["run"].text());
    document.set("artifact", artifact.copy());
    TRY(auto run, engine::find(ctx, *client, "WorkflowRun", spec["run"].text()));
    if (run) {
      auto change = (*run)["spec"]["change"];
      document.set("run", run->name());
      if (change["pullRequest"].num_or(0) > 0)
        chain.emplace_back("pull request",
                           fmt::format("{}#{}", change["repository"].text(), change["pullRequest"].num_or(0)));
      chain.emplace_back("commit", fmt::format("{} {}", change["after"].text(), change["subject"].text()));
      chain.emplace_back("author", change["author"].text());
      document.set("change", change.value());
    } else {
      chain.emplace_back("commit", spec["commit"].text());
    }
    break;
  }
  if (chain.size() == 2)
    chain.emplace_back(
        "artifact",
        "unknown: not built here, or before the API's state was lost (docker inspect's labels and Git still tell)");
  TRY(auto releases, engine::all(ctx, *client, "Release"));
  for (const auto& release : releases)
    if (release["spec"]["digest"].text() == digest)
      chain.emplace_back(
          "release",
          fmt::format("{} in {} by {} ({})", release["spec"]["service"].text(), release["spec"]["environment"].text(),
                      release["spec"]["commit"].text().substr(0, 12), release["status"]["phase"].text()));
  if (io.json()) {
    io.document(document);
    return 0;
  }
  for (const auto& [what, text] : chain) io.line(fmt::format("{:<13} {}", what, text));
  return 0;
}

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
  const kube::Type application{"argoproj.io/v1alpha1", "Application"};
  auto asking = ctx;
  asking.deadline = Clock::time_point::max();
  auto patient = wait ? ctx : ctx.within(Millis(5000));
  TRY(auto all, client.list(asking, application, {}));
  std::size_t coming = 0, failed = 0;
  for (const auto& one : all.items) {
    auto there = kube::await(patient, client, application, one.key(), [&](const kube::Object& app) {
      return is_well(app) || has_failed(app) || (!wait && was_looked_at(app));
    });
    if (!there && !there.error().is(Kind::timeout) && !there.error().is(Kind::not_found))
      return Fail(std::move(there).error());
    TRY(auto now, client.get(asking, application, one.key()));
    if (!now || is_well(*now)) continue;
    if (has_failed(*now)) io.note("not restored: " + why_not(*now)), ++failed;
    if (!has_failed(*now)) ++coming;
  }
  if (coming > 0) io.note(fmt::format("{} Applications are on their way: slipway app list", coming));
  return failed;
}

Result<int> bootstrap(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  auto url = arguments.get("repository"), path = arguments.get("path");
  kube::Type application{"argoproj.io/v1alpha1", "Application"};
  auto name = engine::object_name(url.substr(url.rfind('/') + 1) + "-root");
  auto root = kube::make_object(application, {"argocd", name});
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
  TRY(auto done, kube::await(patient, *client, application, {"argocd", name}, answers_now));
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

Result<int> promotions(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto objects, engine::all(ctx, *client, "Promotion"));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& o : objects) {
    documents.push_back(o.copy());
    auto spec = o["spec"];
    rows.push_back({o.name(), spec["service"].text(), spec["environment"].text(),
                    paint(io, o["status"]["phase"].text()), spec["approvedBy"].text(), o["status"]["message"].text()});
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"PROMOTION", "SERVICE", "ENVIRONMENT", "PHASE", "APPROVED BY", "MESSAGE"}, rows);
  return 0;
}

}  // namespace

std::vector<Command> path_commands() {
  std::vector<Command> commands{
      {"status",
       "where every commit is on the path",
       "slipway status --watch",
       with_connection({{"--watch,-w", "again on every change", true}}),
       {},
       status},
      {"why",
       "from what runs back to image, run, pull request and commit",
       "slipway why deployment/api -n shop-dev",
       with_connection({{"--namespace,-n", "namespace", false, false, "default"}}),
       {{"object", "KIND/NAME"}},
       why},
      {"bootstrap",
       "a cluster from Git alone",
       "slipway bootstrap http://slipway/git/shop-config.git --path apps",
       with_connection({{"--path", "folder that holds the Applications", false, false, "apps"},
                        {"--revision", "branch, tag or commit", false, false, "HEAD"},
                        {"--wait", "until every Application is there; 1 when one fails", true},
                        {"--timeout", "how long to wait", false, false, "2m"}}),
       {{"repository", "URL of the configuration repository"}},
       bootstrap},
      {"promotions",
       "what moves, waits or failed on the chain of environments",
       "slipway promotions",
       with_connection(),
       {},
       promotions},
  };
  for (auto list : {run_commands, dispatch_commands, test_commands})
    for (auto& command : list()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace slipway::cli
