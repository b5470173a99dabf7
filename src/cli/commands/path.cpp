// status, why, promotions: the path as a whole.
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
      {"promotions",
       "what moves, waits or failed on the chain of environments",
       "slipway promotions",
       with_connection(),
       {},
       promotions},
  };
  for (auto list : {bootstrap_commands, run_commands, dispatch_commands, test_commands})
    for (auto& command : list()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace slipway::cli
