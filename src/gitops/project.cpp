#include "gitops/project.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::gitops {
namespace {

const kube::Type project_type{"argoproj.io/v1alpha1", "AppProject"};

bool fits(std::string_view pattern, std::string_view text) { return pattern == "*" || glob_match(pattern, text); }

// Argo CD's lists: "!pattern" forbids whatever else allows.
bool permitted(const std::vector<std::string>& patterns, std::string_view text) {
  bool allowed = false;
  for (std::string_view pattern : patterns) {
    if (pattern.starts_with('!')) {
      if (fits(pattern.substr(1), text)) return false;
    } else if (fits(pattern, text)) {
      allowed = true;
    }
  }
  return allowed;
}

bool lists_kind(doc::View list, const kube::Type& type) {
  for (const auto& entry : list.items())
    if (fits(entry["group"].text(), type.group()) && fits(entry["kind"].text(), type.kind)) return true;
  return false;
}

}  // namespace

Result<Project> Project::read(const Ctx& ctx, kube::Client& client, const Application& app) {
  Project project;
  project.name_ = app.project;
  TRY(auto found, client.get(ctx, project_type, {std::string(home_namespace), app.project}));
  if (!found && app.project != "default")
    return fail(Kind::denied, "application references project {} which does not exist", app.project);
  if (found) project.object_ = *found;
  for (const auto& window : project.object_["spec"]["syncWindows"].items())
    if (auto read = window_from(window); !read)
      return Fail(std::move(read).error().in(fmt::format("project {}", app.project)));
  return project;
}

bool Project::permits_namespace(std::string_view ns) const {
  std::vector<std::string> namespaces;
  for (const auto& destination : object_["spec"]["destinations"].items()) {
    auto server = destination["server"].text(), cluster = destination["name"].text();
    bool here = (server.empty() && cluster.empty()) || server == "*" || cluster == "*" ||
                server == "https://kubernetes.default.svc" || cluster == "in-cluster" ||
                (!server.empty() && glob_match(server, "https://kubernetes.default.svc"));
    if (here) namespaces.push_back(destination["namespace"].text());
  }
  return permitted(namespaces, ns);
}

Result<> Project::check(const Application& app) const {
  if (!object_) return {};
  std::vector<std::string> namespaces;
  for (const auto& item : object_["spec"]["sourceNamespaces"].items()) namespaces.push_back(item.text());
  if (app.key.ns != home_namespace && !permitted(namespaces, app.key.ns))
    return fail(Kind::denied, "applications of namespace {} are not permitted in project '{}'", app.key.ns, name_);
  for (const auto& source : app.sources) TRY_OK(check_source(source.repo_url));
  if (!permits_namespace(app.ns))
    return fail(Kind::denied, "application destination namespace {} is not permitted in project '{}'", app.ns, name_);
  return {};
}

Result<> Project::check_source(const std::string& url) const {
  if (!object_) return {};
  std::vector<std::string> repositories;
  for (const auto& item : object_["spec"]["sourceRepos"].items()) repositories.push_back(item.text());
  if (permitted(repositories, url)) return {};
  return fail(Kind::denied, "application repo {} is not permitted in project '{}'", url, name_);
}

std::string Project::refusal(const kube::Type& type, const std::string& ns) const {
  if (!object_) return "";
  auto spec = object_["spec"];
  auto what = type.group().empty() ? type.kind : type.group() + "/" + type.kind;
  if (ns.empty()) {
    // No list permits no cluster-scoped kind at all.
    bool allowed =
        lists_kind(spec["clusterResourceWhitelist"], type) && !lists_kind(spec["clusterResourceBlacklist"], type);
    return allowed ? "" : fmt::format("cluster-scoped kind {} is not permitted in project '{}'", what, name_);
  }
  auto white = spec["namespaceResourceWhitelist"];
  bool allowed = (!white.present() || lists_kind(white, type)) && !lists_kind(spec["namespaceResourceBlacklist"], type);
  if (!allowed) return fmt::format("kind {} is not permitted in project '{}'", what, name_);
  if (!permits_namespace(ns)) return fmt::format("namespace {} is not permitted in project '{}'", ns, name_);
  return "";
}

std::optional<OrphanRules> Project::orphan_rules() const {
  auto spec = object_["spec"]["orphanedResources"];
  if (!spec.present()) return std::nullopt;
  OrphanRules rules;
  rules.warn = spec["warn"].bool_or(false);
  for (const auto& item : spec["ignore"].items())
    rules.ignore.push_back({item["group"].text(), item["kind"].text(), item["name"].text()});
  return rules;
}

Project::Hold Project::hold_at(const Application& app, WallTime now, bool by_hand) const {
  Hold deny{{}, true}, allow{{}, true};
  bool open_allow = false;
  for (const auto& view : object_["spec"]["syncWindows"].items()) {
    auto window = window_from(view);
    if (!window || !window->concerns(app)) continue;
    bool open = is_open(*window, now);
    open_allow = open_allow || (window->allow && open);
    if (window->allow == open) continue;
    auto& hold = window->allow ? allow : deny;
    hold.overrun = hold.overrun && window->overrun;
    if (!by_hand || !window->manual) hold.why = window->text;
  }
  if (!deny.why.empty()) return {fmt::format("sync window {} of project '{}' is open", deny.why, name_), deny.overrun};
  if (open_allow || allow.why.empty()) return {};
  return {fmt::format("no sync window of project '{}' is open, next: {}", name_, allow.why), allow.overrun};
}

std::string Project::held_back(const Application& app, WallTime now, bool by_hand,
                               std::optional<WallTime> started) const {
  auto hold = hold_at(app, now, by_hand);
  bool goes_on = started && hold.overrun && hold_at(app, *started, by_hand).why.empty();
  return goes_on ? "" : hold.why;
}

}  // namespace slipway::gitops
