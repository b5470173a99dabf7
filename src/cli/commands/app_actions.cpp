// app actions list, run: what can be done with the objects of an Application.
#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "cli/app_operation.h"
#include "gitops/actions.h"
#include "gitops/clusters.h"
#include "gitops/customizations.h"
#include "gitops/project.h"

namespace slipway::cli {
namespace {

// An Application with what it brought.
struct App {
  kube::Object object;
  gitops::Application read;
  gitops::Project project;
  std::shared_ptr<const gitops::Customizations> customizations;  // actions of the installation's own
  std::shared_ptr<const gitops::Destination> place;
  // Where its objects are, and where an object of it is: the Application itself is at home.
  kube::Client& there(kube::Client& home) const { return place->remote ? *place->remote->client() : home; }
  kube::Client& of(kube::Client& home, const kube::Object& one) const {
    return one.uid() == object.uid() ? home : there(home);
  }
};

Result<App> read_app(const Ctx& ctx, kube::Client& client, const std::string& name) {
  TRY(auto object, application_named(ctx, client, name));
  TRY(auto read, gitops::application_from(object));
  TRY(auto place, gitops::destination_of(ctx, client, gitops::Target::of(object["spec"]["destination"])));
  TRY(auto project, gitops::Project::read(ctx, client, read, *place));
  TRY(auto customizations, gitops::read_customizations(ctx, client));
  return App{std::move(object), std::move(read), std::move(project), std::move(customizations), std::move(place)};
}

// Which of its objects are meant: nothing given is any.
struct Wanted {
  std::string group, kind, ns, name;
  bool fits(std::string_view of_group, std::string_view of_kind, std::string_view of_ns,
            std::string_view of_name) const {
    return (group.empty() || group == of_group) && (kind.empty() || iequals(kind, of_kind)) &&
           (ns.empty() || ns == of_ns) && (name.empty() || name == of_name);
  }
};

Wanted wanted_of(const Arguments& arguments) {
  return {arguments.get("group"), arguments.get("kind"), arguments.get("namespace"), arguments.get("resource-name")};
}

bool is_managed(const App& app, const kube::Type& type, const kube::Key& key) {
  auto resources = app.object["status"]["resources"].items();
  return std::any_of(resources.begin(), resources.end(), [&](const auto& one) {
    return one["group"].text() == type.group() && one["kind"].text() == type.kind && one["name"].text() == key.name &&
           one["namespace"].text() == key.ns;
  });
}

// Whether an object, or who made it, is in the Application: a Rollout's AnalysisRun, a CronJob's Job.
Result<bool> belongs_to(const Ctx& ctx, kube::Client& client, const App& app, kube::Object object) {
  for (int depth = 0; depth < 5; ++depth) {
    if (is_managed(app, object.type(), object.key())) return true;
    auto owner = object.controller();
    if (!owner) return false;
    TRY(auto next, client.get(ctx, {owner->api_version, owner->kind}, {object.ns(), owner->name}));
    if (!next || next->uid() != owner->uid) return false;
    object = *next;
  }
  return false;
}

// Those that Git names, and, of a kind that is asked for, those that they made.
Result<std::vector<kube::Object>> objects_of(const Ctx& ctx, kube::Client& client, const App& app,
                                             const Wanted& wanted) {
  std::vector<kube::Object> found;
  bool itself = iequals(wanted.kind, application_type.kind);
  if (itself && wanted.fits(application_type.group(), wanted.kind, app.object.ns(), app.object.name()))
    found.push_back(app.object);
  for (const auto& one : app.object["status"]["resources"].items()) {
    auto group = one["group"].text(), version = one["version"].text();
    kube::Type type{group.empty() ? version : group + "/" + version, one["kind"].text()};
    kube::Key key{one["namespace"].text(), one["name"].text()};
    if (!wanted.fits(group, type.kind, key.ns, key.name)) continue;
    TRY(auto object, client.get(ctx, type, key));
    if (object) found.push_back(*object);
  }
  if (wanted.kind.empty() || !found.empty()) return found;
  TRY(auto resources, client.resources(ctx));
  for (const auto& resource : resources) {
    if (!iequals(resource.type.kind, wanted.kind)) continue;
    if (!wanted.group.empty() && resource.type.group() != wanted.group) continue;
    TRY(auto list, client.list(ctx, resource.type, {.ns = wanted.ns}));
    for (const auto& object : list.items) {
      if (!wanted.fits(resource.type.group(), resource.type.kind, object.ns(), object.name())) continue;
      TRY(auto ours, belongs_to(ctx, client, app, object));
      if (ours) found.push_back(object);
    }
  }
  return found;
}

Result<int> list(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto app, read_app(ctx, *client, arguments.get("name")));
  TRY(auto objects, objects_of(ctx, app.there(*client), app, wanted_of(arguments)));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& object : objects) {
    TRY(auto actions, gitops::actions_of(ctx, *app.customizations, object));
    for (const auto& action : actions) {
      auto type = object.type();
      doc::List parameters(action.parameters.begin(), action.parameters.end());
      documents.push_back(doc::Map{{"group", type.group()},
                                   {"kind", type.kind},
                                   {"namespace", object.ns()},
                                   {"name", object.name()},
                                   {"action", action.name},
                                   {"disabled", action.disabled},
                                   {"parameters", parameters}});
      rows.push_back({type.group(), type.kind, object.ns(), object.name(), action.name,
                      action.disabled ? io.paint(Io::Paint::dim, "not now") : "", join(action.parameters, ", ")});
    }
  }
  if (io.json())
    io.document(documents);
  else if (rows.empty())
    io.note(fmt::format("{}: no object with actions", app.object.name()));
  else
    io.table({"GROUP", "KIND", "NAMESPACE", "NAME", "ACTION", "DISABLED", "PARAMETERS"}, rows);
  return 0;
}

Result<std::map<std::string, std::string>> parameters_of(const Arguments& arguments) {
  std::map<std::string, std::string> parameters;
  for (const auto& text : arguments.all("param")) {
    auto parts = cut(text, "=");
    if (!parts || parts->first.empty()) return fail(Kind::invalid, "--param: want NAME=VALUE, got {}", text);
    parameters.emplace(parts->first, parts->second);
  }
  return parameters;
}

// Who may sync an Application may act on its objects, within what its project permits.
Result<> check_rights(const Ctx& ctx, kube::Client& client, const App& app, const doc::Value& object) {
  doc::Map operation{{"sync", doc::Map{}}, {"initiatedBy", doc::Map{{"username", current_user()}}}};
  TRY_OK(client.patch(ctx, application_type, app.object.key(), kube::PatchType::merge,
                      doc::Map{{"operation", operation}}, {.dry_run = true}));
  kube::Object there(object);
  if (auto refusal = app.project.refusal(there.type(), there.key()); !refusal.empty())
    return fail(Kind::denied, "{}", refusal);
  if (auto refusal = app.place->refusal(there.kind(), there.ns()); !refusal.empty())
    return fail(Kind::denied, "{}", refusal);
  return {};
}

Result<> run_once(const Ctx& ctx, kube::Client& client, const App& app, const kube::Object& object,
                  const gitops::ActionCall& call, bool& written) {
  TRY(auto writes, gitops::act(ctx, *app.customizations, object, call));
  TRY(auto actions, gitops::actions_of(ctx, *app.customizations, object));
  for (const auto& action : actions)
    if (action.name == call.name && action.disabled)
      return fail(Kind::conflict, "{} is not possible as it is now", call.name);
  for (const auto& write : writes) TRY_OK(check_rights(ctx, client, app, write.object));
  written = true;
  for (const auto& write : writes) TRY_OK(gitops::write_action(ctx, app.of(client, object), object, write));
  return {};
}

// Again when its controller wrote to the object in between.
Result<> run_on(const Ctx& ctx, kube::Client& client, const App& app, kube::Object object,
                const gitops::ActionCall& call) {
  for (int attempt = 1;; ++attempt) {
    bool written = false;
    auto done = run_once(ctx, client, app, object, call, written);
    if (done || !written || !done.error().is(Kind::conflict) || attempt == 5) return done;
    TRY(auto now, app.of(client, object).get(ctx, object.type(), object.key()));
    if (!now) return fail(Kind::not_found, "it has gone");
    object = *now;
  }
}

// Where no kind is given.
Result<> keep_those_with(const Ctx& ctx, const App& app, const std::string& action,
                         std::vector<kube::Object>& objects) {
  std::vector<kube::Object> kept;
  for (const auto& object : objects) {
    TRY(auto actions, gitops::actions_of(ctx, *app.customizations, object));
    if (std::any_of(actions.begin(), actions.end(), [&](const auto& one) { return one.name == action; }))
      kept.push_back(object);
  }
  objects = std::move(kept);
  return {};
}

Result<int> run(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  auto wanted = wanted_of(arguments);
  TRY(auto parameters, parameters_of(arguments));
  TRY(auto app, read_app(ctx, *client, arguments.get("name")));
  TRY(auto objects, objects_of(ctx, app.there(*client), app, wanted));
  gitops::ActionCall call{arguments.get("action"), parameters, rfc3339(ctx.clock->wall()), "Slipway"};
  if (wanted.kind.empty()) {
    TRY_OK(keep_those_with(ctx, app, call.name, objects));
  }
  if (objects.empty())
    return Fail(
        Error(Kind::not_found, fmt::format("{} has no such object with an action {}", app.object.name(), call.name))
            .with_hint("slipway app actions list " + app.object.name()));
  if (objects.size() > 1 && !arguments.has("all")) {
    std::vector<std::string> names;
    for (const auto& object : objects) names.push_back(object.describe());
    return Fail(Error(Kind::invalid, fmt::format("{} objects are meant: {}", objects.size(), join(names, ", ")))
                    .with_hint("--kind, --namespace and --resource-name choose one; --all takes all of them"));
  }
  doc::List documents;
  for (const auto& object : objects) {
    if (auto done = run_on(ctx, *client, app, object, call); !done)
      return Fail(std::move(done).error().in(object.describe()));
    if (!io.json()) io.line(fmt::format("{}: {}", object.describe(), call.name));
    documents.push_back(
        doc::Map{{"kind", object.kind()}, {"namespace", object.ns()}, {"name", object.name()}, {"action", call.name}});
  }
  if (io.json()) io.document(documents);
  return 0;
}

}  // namespace

std::vector<Command> app_action_commands() {
  Positional name{"name", "Application"};
  std::vector<Option> chosen{{"--group", "API group of the objects that are meant"},
                             {"--kind", "their kind; also of what the Application's objects made"},
                             {"--namespace,-n", "their namespace"},
                             {"--resource-name", "the name of one"}};
  auto acting = chosen;
  acting.push_back({"--param", "NAME=VALUE of the action", false, true});
  acting.push_back({"--all", "on all that are meant", true});
  return {
      {"app actions list",
       "what can be done with an Application's objects",
       "slipway app actions list shop-dev --kind Deployment",
       with_connection(chosen),
       {name},
       list},
      {"app actions run",
       "restarts, scales, suspends, promotes ... an object",
       "slipway app actions run shop-dev restart --kind Deployment --resource-name web",
       with_connection(acting),
       {name, {"action", "the action's name"}},
       run},
  };
}

}  // namespace slipway::cli
