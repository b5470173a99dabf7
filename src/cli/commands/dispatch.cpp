// dispatch, workflows: what a person starts, and what there is to start.
#include <algorithm>

#include "base/text.h"
#include "cli/command.h"
#include "engine/attempts.h"
#include "engine/recorder.h"

namespace slipway::cli {
namespace {

using engine::home;
using engine::kind;

Result<std::map<std::string, std::string>> fields_of(const Arguments& arguments) {
  std::map<std::string, std::string> out;
  for (const auto& field : arguments.all("field")) {
    auto pair = cut(field, "=");
    if (!pair || pair->first.empty()) return fail(Kind::invalid, "--field \"{}\": want NAME=VALUE", field);
    std::string value(pair->second);
    if (value.starts_with('@')) {  // as curl and gh have it
      TRY(value, read_file(value.substr(1)));
    }
    if (!out.emplace(std::string(pair->first), std::move(value)).second)
      return fail(Kind::invalid, "--field {}: is there twice", pair->first);
  }
  return out;
}

// The repository that is meant where none is named: the only one there is.
Result<std::string> repository_of(const Ctx& ctx, const Arguments& arguments, kube::Client& client) {
  if (arguments.has("repository")) return arguments.get("repository");
  TRY(auto workflows, engine::all(ctx, client, "Workflow"));
  std::vector<std::string> names;
  for (const auto& workflow : workflows) {
    auto name = workflow["spec"]["repository"].text();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (names.size() == 1) return names.front();
  if (names.empty())
    return Fail(Error(Kind::not_found, "no repository has a workflow on its default branch")
                    .with_hint("--repository NAME says which, for one that has it elsewhere"));
  return Fail(Error(Kind::invalid, fmt::format("{} repositories have workflows: {}", names.size(), join(names, ", ")))
                  .with_hint("say which: --repository NAME"));
}

Result<int> follow(const Ctx& ctx, kube::Client& client, const std::string& run, Io& io) {
  TRY(auto now, kube::await(ctx, client, kind("WorkflowRun"), {home, run}, [](const kube::Object& o) {
        return o && (is_final(engine::phase_of(o)) || o["status"]["waitsForPeople"].bool_or(false));
      }));
  auto phase = now["status"]["phase"].text(), message = now["status"]["message"].text();
  io.said(fmt::format("{} {}{}", run, phase, message.empty() ? "" : ": " + message),
          doc::Map{{"run", run}, {"phase", phase}, {"message", message}});
  return phase == "Failed" || phase == "Cancelled" ? 1 : 0;
}

Result<int> dispatch(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  path::Change change;
  change.event = path::Change::Event::manual;
  TRY(change.repository, repository_of(ctx, arguments, *client));
  change.workflow = arguments.get("workflow");
  change.ref = arguments.get("ref");
  change.author = arguments.get("as", current_user());
  TRY(change.inputs, fields_of(arguments));
  auto object = kube::make_object(kind("Change"), {home, ""});
  object["metadata"]["generateName"] = engine::object_name(change.repository).substr(0, 40) + "-dispatch-";
  object["spec"] = to_doc(change);
  TRY(auto made, client->create(ctx, std::move(object), {}));
  kube::Key key{home, made.name()};
  TRY(auto now, kube::await(ctx.within(Millis(30000)), *client, kind("Change"), key,
                            [](const kube::Object& o) { return !o || !o["status"]["phase"].text().empty(); }));
  auto status = now["status"];
  if (status["phase"].text() == "Refused") {
    (void)client->remove(ctx, kind("Change"), key, {});
    auto message = status["message"].text();
    auto parts = cut(message, "\nhint: ");
    auto error = Error(Kind::invalid, std::string(parts ? parts->first : message));
    return Fail(parts ? std::move(error).with_hint(std::string(parts->second)) : std::move(error));
  }
  auto runs = status["runNames"].items();
  if (runs.empty()) return fail(Kind::invalid, "{} starts no run at {}", change.workflow, now["spec"]["ref"].text());
  auto run = runs[0].text();
  if (arguments.has("wait")) return follow(ctx, *client, run, io);
  io.said(run, doc::Map{{"run", run}, {"change", key.name}, {"commit", now["spec"]["after"].text()}});
  return 0;
}

std::string input_text(const doc::View& input) {
  auto text = fmt::format("{}:{}", input["name"].text(), input["type"].text());
  if (input["required"].bool_or(false)) text += "!";
  if (input["default"].present()) text += "=" + input["default"].text();
  return text;
}

Result<int> workflows(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto objects, engine::all(ctx, *client, "Workflow"));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& object : objects) {
    auto spec = object["spec"];
    if (arguments.has("repository") && spec["repository"].text() != arguments.get("repository")) continue;
    documents.push_back(object.copy());
    std::vector<std::string> events, inputs;
    for (const auto& event : spec["events"].items()) events.push_back(event.text());
    for (const auto& input : spec["inputs"].items()) inputs.push_back(input_text(input));
    auto problem = spec["problem"].str_or(object["status"]["message"].text());
    rows.push_back({spec["repository"].text(), spec["name"].text(), spec["file"].text(), join(events, " "),
                    join(inputs, " "), object["status"]["nextRun"].text(), problem.substr(0, 80)});
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"REPOSITORY", "WORKFLOW", "FILE", "STARTED BY", "INPUTS", "NEXT", "PROBLEM"}, rows);
  return 0;
}

}  // namespace

std::vector<Command> dispatch_commands() {
  return {
      {"dispatch",
       "starts a workflow by hand (on: workflow_dispatch), or a GitLab pipeline",
       "slipway dispatch release --ref main -f level=minor",
       with_connection({{"--repository,-r", "whose workflow, where several repositories have some"},
                        {"--ref", "branch or tag to run at; the default branch"},
                        {"--field,-f", "NAME=VALUE of an input; @FILE reads the value", false, true},
                        {"--wait,-w", "until the run is over; exit status 1 when it failed", true},
                        {"--as", "who asks, where several people share the administrator's token"}}),
       {{"workflow", "name, or file, of the workflow"}},
       dispatch},
      {"workflows",
       "workflow files of default branches: what starts them, their inputs, when timers are due",
       "slipway workflows",
       with_connection({{"--repository,-r", "only of this repository"}}),
       {},
       workflows},
  };
}

}  // namespace slipway::cli
