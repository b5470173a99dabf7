#include "engine/rendered_changes.h"

#include <algorithm>

#include "base/text.h"
#include "doc/patch.h"
#include "engine/config_repository.h"
#include "engine/house.h"
#include "engine/promotions.h"
#include "engine/render.h"
#include "gitops/customizations.h"
#include "gitops/flux/sources.h"
#include "gitops/front.h"
#include "gitops/masked.h"
#include "gitops/project.h"
#include "lint/lint.h"
#include "manifest/kustomize.h"

namespace slipway::engine {
namespace {

const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

// What is found now and was not, each as often as it is more.
std::vector<path::Finding> new_findings(const std::string& before, const std::string& after) {
  auto find = [](const std::string& text) {
    const lint::Source source{"rendered", text};
    return lint::lint_manifests(std::span(&source, 1));
  };
  std::map<std::pair<std::string, std::string>, int> known;
  for (const auto& finding : find(before)) ++known[{finding.rule, finding.message}];
  auto found = find(after);
  std::erase_if(found, [&](const path::Finding& finding) { return known[{finding.rule, finding.message}]-- > 0; });
  return found;
}

bool reads(const House& house, const gitops::SourceSpec& source, const std::string& repository) {
  return embedded_repository(house, gitops::url_of_apart(source.repo_url)) == repository;
}

// The Applications that deploy this branch of the repository.
Result<std::vector<gitops::Application>> applications_of(const Ctx& ctx, House& house, const path::Change& change,
                                                         const git::Repository& repository) {
  auto branch = change.base_ref.starts_with("refs/heads/") ? change.base_ref.substr(11) : change.base_ref;
  auto trunk = default_branch(repository);
  TRY(auto customizations, gitops::read_customizations(ctx, *house.client));
  std::vector<gitops::Application> found;
  auto look_at = [&](const kube::Object& object) -> Result<> {
    auto app = gitops::argo_front().read(ctx, *house.client, object);
    if (!app) return {};
    gitops::customize(*app, customizations);
    bool follows = std::any_of(app->sources.begin(), app->sources.end(), [&](const gitops::SourceSpec& source) {
      const auto& revision = source.target_revision;
      return reads(house, source, change.repository) &&
             (revision == branch || revision == change.base_ref || (revision == "HEAD" && branch == trunk));
    });
    if (follows) found.push_back(*std::move(app));
    return {};
  };
  TRY_OK(house.client->for_each(ctx, application_type, {}, look_at));
  return found;
}

// The Kustomizations of Flux that do.
Result<std::vector<gitops::Application>> kustomizations_of(const Ctx& ctx, House& house, const path::Change& change) {
  TRY(auto objects, house.client->list(ctx, gitops::flux::kustomization_type, {}));
  std::vector<gitops::Application> found;
  for (const auto& object : objects.items) {
    auto ref = object["spec"]["sourceRef"];
    if (ref["kind"].text() != gitops::flux::git_repository_type.kind) continue;
    TRY(auto source, house.client->get(ctx, gitops::flux::git_repository_type,
                                       {ref["namespace"].str_or(object.ns()), ref["name"].text()}));
    if (!source || embedded_repository(house, (*source)["spec"]["url"].text()) != change.repository) continue;
    auto branch = gitops::flux::git_ref((*source)["spec"]);
    if (!branch || branch->look_up != change.base_ref) continue;
    auto app = gitops::flux_front().read(ctx, *house.client, object);
    if (app) found.push_back(*std::move(app));
  }
  return found;
}

// Those that read what the change touches, by whatever address they know the repository.
Result<std::set<kube::Key>> concerned(const House& house, const gitops::Renderer& renderer,
                                      const std::vector<gitops::Application>& applications,
                                      const git::Repository& repository, const path::Change& change) {
  std::set<std::string> urls;
  for (const auto& app : applications)
    for (const auto& source : app.sources)
      if (reads(house, source, change.repository)) urls.insert(gitops::plain_url(source.repo_url));
  std::set<kube::Key> found;
  for (const auto& url : urls) {
    TRY(auto keys, renderer.concerned(repository, url, change.base, change.after));
    found.insert(keys.begin(), keys.end());
  }
  return found;
}

// As it would be with the repository at a commit.
Result<std::vector<doc::Value>> render_with(const Ctx& ctx, House& house, gitops::Application app,
                                            const std::string& repository, const git::Oid& commit) {
  for (auto& source : app.sources)
    if (reads(house, source, repository)) source.target_revision = commit;
  gitops::Renderer renderer(*house.repositories);
  // Who writes a change is not who may read everything that the house can.
  TRY(auto project, gitops::Project::read(ctx, *house.client, app, {}));
  TRY(auto rendered, renderer.render(ctx, app, [&](const std::string& url) { return project.check_source(url); }));
  return rendered->objects->list();
}

// FILE#FIELD is a field of a file: what it is in is what is deployed.
std::string folder_of(const std::string& path) {
  auto hash = path.find('#');
  if (hash == std::string::npos) return path;
  auto slash = path.rfind('/', hash);
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

RenderedChange change_of(const std::string& name, const path::Change& change, Result<std::vector<doc::Value>> before,
                         Result<std::vector<doc::Value>> after) {
  // What stood in its way before is not this change's doing.
  auto without = [](const Error& error, const git::Oid& commit) {
    return replace_all(error.what(), commit.substr(0, 12), "");
  };
  if (!after && !before && without(after.error(), change.after) == without(before.error(), change.base))
    return {name, {}, {}, {}};
  if (!after) return {name, {}, {}, after.error().print()};
  // What could not be rendered before is new as a whole.
  return rendered_change(name, before ? *std::move(before) : std::vector<doc::Value>(), *std::move(after));
}

}  // namespace

RenderedChange rendered_change(const std::string& name, std::vector<doc::Value> before, std::vector<doc::Value> after) {
  gitops::hide_secret_values(before, after);
  auto now = manifest::print_objects(before), then = manifest::print_objects(after);
  if (now == then) return {name, {}, {}, {}};
  return {name, doc::unified_diff(now, then, name + " now", name + " after the merge"), new_findings(now, then), {}};
}

Result<std::vector<RenderedChange>> rendered_changes(const Ctx& ctx, House& house, const path::Change& change) {
  std::vector<RenderedChange> changes;
  if (change.base.empty()) return changes;
  TRY(auto repository, house.git->repository(change.repository));
  TRY(auto applications, applications_of(ctx, house, change, repository));
  TRY(auto kustomizations, kustomizations_of(ctx, house, change));
  TRY(auto readers, concerned(house, house.gitops->renderer(), applications, repository, change));
  TRY(auto readers_of_flux, concerned(house, house.flux->renderer(), kustomizations, repository, change));
  std::set<std::string> covered;  // paths
  auto add = [&](const std::string& name, const gitops::Application& app, const std::set<kube::Key>& those) {
    for (const auto& source : app.sources) covered.insert(source.path);
    if (!those.contains(app.key)) return;
    changes.push_back(change_of(name, change, render_with(ctx, house, app, change.repository, change.base),
                                render_with(ctx, house, app, change.repository, change.after)));
  };
  for (const auto& app : applications) add(app.key.name, app, readers);
  for (const auto& app : kustomizations) add("Kustomization " + app.key.str(), app, readers_of_flux);
  TRY(auto known, pipelines(ctx, house));
  for (const auto& pipeline : known) {
    if (pipeline.config_repository != change.repository) continue;
    if ("refs/heads/" + config_branch(pipeline, repository) != change.base_ref) continue;
    for (const auto& environment : pipeline.environments) {
      auto folder = folder_of(environment.path);
      if (covered.insert(folder).second)
        changes.push_back(change_of(environment.name, change, render_at(ctx, repository, change.base, folder),
                                    render_at(ctx, repository, change.after, folder)));
    }
  }
  std::erase_if(changes, [](const RenderedChange& c) { return c.error.empty() && c.difference.empty(); });
  return changes;
}

}  // namespace slipway::engine
