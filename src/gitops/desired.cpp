#include "gitops/detail/desired.h"

#include "base/text.h"
#include "gitops/detail/request.h"
#include "gitops/front.h"

namespace slipway::gitops::detail {
namespace {

void add_condition(AppStatus& status, std::string type, std::string message) {
  status.conditions.push_back({std::move(type), std::move(message)});
}

kube::Type type_of(const doc::Value& object) { return {object.str_at({"apiVersion"}), object.str_at({"kind"})}; }

// Objects without a namespace land in the destination's; cluster-scoped ones have none.
Result<> place_objects(const Ctx& ctx, kube::Client& client, const Application& app, std::vector<doc::Value>& objects,
                       AppStatus& status) {
  std::map<std::pair<std::string, std::string>, bool> brought;  // group, kind of CRDs that come along -> namespaced
  for (const auto& object : objects)
    if (object.str_at({"kind"}) == "CustomResourceDefinition")
      brought[{object.str_at({"spec", "group"}), object.str_at({"spec", "names", "kind"})}] =
          object.str_at({"spec", "scope"}) != "Cluster";
  for (auto& value : objects) {
    auto type = type_of(value);
    auto name = value.str_at({"metadata", "name"});
    bool placed = !value.str_at({"metadata", "namespace"}).empty();
    auto resource = client.resource(ctx, type);
    if (!resource && !resource.error().is(Kind::not_found)) return Fail(std::move(resource).error());
    auto definition = brought.find({std::string(type.group()), type.kind});
    if (!resource && definition == brought.end())
      add_condition(status, "ComparisonError",
                    fmt::format("{}: the cluster knows no {} of {}", name, type.kind, type.api_version));
    bool namespaced = resource ? resource->namespaced : definition == brought.end() || definition->second;
    if (namespaced && !placed && app.ns.empty() && app.front == &argo_front())
      return fail(Kind::invalid, "Namespace for {} {} is missing: want one there, or in spec.destination", name,
                  type.kind);
    auto& meta = value["metadata"].map();
    if (namespaced && !placed) meta.set("namespace", app.ns.empty() ? "default" : app.ns);
    if (!namespaced) meta.erase("namespace");
  }
  return {};
}

// A name that is only made on creation cannot be found again, but for hooks, whose operation names them.
void drop_nameless(std::vector<Task>& tasks, AppStatus& status) {
  std::erase_if(tasks, [&](const Task& task) {
    if (task.hook || !task.key.name.empty()) return false;
    add_condition(status, "ComparisonError",
                  fmt::format("{} {}: has no metadata.name, want one (generateName is for hooks)", task.type.kind,
                              task.object.str_at({"metadata", "generateName"})));
    return true;
  });
}

void drop_excluded(std::vector<doc::Value>& objects, const Application& app, AppStatus& status) {
  if (!app.customizations) return;
  std::erase_if(objects, [&](const doc::Value& value) {
    auto type = type_of(value);
    if (!app.customizations->excludes(type, app.server)) return false;
    add_condition(status, "ExcludedResourceWarning",
                  fmt::format("Resource {}/{} {} is excluded in the settings", type.group(), type.kind,
                              value.str_at({"metadata", "name"})));
    return true;
  });
}

void drop_repeated(std::vector<doc::Value>& objects, AppStatus& status) {
  std::map<std::string, std::size_t> last;
  std::vector<doc::Value> kept;
  for (auto& value : objects) {
    auto type = type_of(value);
    kube::Key key{value.str_at({"metadata", "namespace"}), value.str_at({"metadata", "name"})};
    if (key.name.empty()) {  // generateName: each is its own
      kept.push_back(std::move(value));
      continue;
    }
    auto id = fmt::format("{}/{}/{}", type.group(), type.kind, key.str());
    auto [it, fresh] = last.try_emplace(id, kept.size());
    if (!fresh) {
      add_condition(status, "RepeatedResourceWarning",
                    fmt::format("{} {} appears more than once; the last one counts", type.kind, key.str()));
      kept[it->second] = std::move(value);
    } else {
      kept.push_back(std::move(value));
    }
  }
  objects = std::move(kept);
}

// Subscriptions and orders to Argo CD's companions: nobody reads them here.
void note_unread(const kube::Object& application, AppStatus& status) {
  struct Companion {
    std::string_view prefix, instead;
  };
  constexpr Companion companions[] = {
      {"notifications.argoproj.io/subscribe.",
       "a Notifier says who is told of app.sync-failed, app.degraded and app.unknown"},
      {"argocd-image-updater.argoproj.io/", "a Pipeline promotes new images by commits"}};
  const auto* annotations = application["metadata"]["annotations"].value().if_map();
  if (annotations == nullptr) return;
  for (const auto& [key, value] : *annotations)
    for (const auto& companion : companions)
      if (key.starts_with(companion.prefix))
        add_condition(status, "AnnotationWarning", fmt::format("{} is not read: {}", key, companion.instead));
}

Unreadable unreadable(std::string type, const Error& error, std::string message) {
  return {std::move(type), std::move(message), error.retryable() ? Millis(5000) : Millis(180000)};
}

}  // namespace

Result<std::variant<Desired, Unreadable>> read_desired(const Ctx& ctx, const SyncContext& context,
                                                       const kube::Object& application, AppStatus& status) {
  using Read = std::variant<Desired, Unreadable>;
  const auto& front = front_of(application.type());
  bool argo = &front == &argo_front();
  auto app = front.read(ctx, context.home(), argo ? as_asked(application, status) : application);
  if (!app) {
    if (app.error().is(Kind::cancelled)) return Fail(std::move(app).error());
    return Read(unreadable(front.condition_of(app.error()), app.error(), app.error().what()));
  }
  if (argo)
    if (auto taken = take_request(application, status, *app); !taken)
      return Read(Unreadable{"InvalidSpecError", taken.error().what()});
  if (context.customizations && argo) {
    customize(*app, context.customizations);
    for (const auto& problem : app->customizations->problems()) add_condition(status, "CustomizationWarning", problem);
  }
  if (argo) note_unread(application, status);
  static const Destination own;
  const auto& place = context.place ? *context.place : own;
  if (argo) app->server = place.server, app->cluster_name = place.name;
  auto project = argo ? Project::read(ctx, context.home(), *app, place) : Result<Project>();
  if (!project && !project.error().is(Kind::denied) && !project.error().is(Kind::invalid))
    return Fail(std::move(project).error());
  auto allowed = project ? project->check(*app) : Result<>(Fail(project.error()));
  if (allowed && !app->delete_budget.present()) {
    if (auto budget = project->delete_budget())
      app->delete_budget = *budget;
    else
      allowed = Fail(std::move(budget).error());
  }
  if (!allowed) return Read(Unreadable{"InvalidSpecError", allowed.error().what()});
  if (application.annotation("argocd.argoproj.io/refresh") == "hard") {
    context.renderer.forget(app->key);
    context.comparer.forget(app->key.str());
  }
  // What a kustomization names elsewhere is a source as well.
  auto rendered =
      context.renderer.render(ctx, *app, [&](const std::string& url) { return project->check_source(url); });
  if (!rendered) {
    if (rendered.error().is(Kind::cancelled)) return Fail(std::move(rendered).error());
    return Read(unreadable("ComparisonError", rendered.error(), rendered.error().print()));
  }
  TRY(auto signatures, project->signatures());
  if (!signatures.none()) {
    auto problems =
        signatures.problems(ctx, context.home(), context.renderer.repositories(), *app, (*rendered)->revisions);
    if (!problems && problems.error().is(Kind::cancelled)) return Fail(std::move(problems).error());
    if (!problems) return Read(unreadable("ComparisonError", problems.error(), problems.error().print()));
    if (!problems->empty()) return Read(Unreadable{"ComparisonError", *std::move(problems), Millis(30000)});
  }
  if (context.unreachable)
    for (const auto& source : app->sources)
      if (auto why = context.unreachable(source.repo_url); !why.empty())
        add_condition(status, "RepositoryWarning", "kept as it was known last: " + why);
  TRY(auto objects, (*rendered)->objects->list());
  drop_excluded(objects, *app, status);
  drop_repeated(objects, status);
  auto placed = place_objects(ctx, context.client, *app, objects, status);
  if (!placed && placed.error().is(Kind::invalid)) return Read(Unreadable{"InvalidSpecError", placed.error().what()});
  TRY_OK(placed);
  std::vector<std::string> warnings;
  auto tasks = front.tasks(objects, *app, warnings);
  for (auto& warning : warnings) add_condition(status, "HookWarning", std::move(warning));
  drop_nameless(tasks, status);
  auto revisions = app->revision_text.empty() ? (*rendered)->revisions : Revisions{app->revision_text};
  return Read(Desired{*std::move(app), *std::move(project), std::move(objects), std::move(tasks), std::move(revisions),
                      (*rendered)->types});
}

}  // namespace slipway::gitops::detail
