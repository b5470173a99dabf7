#include "gitops/project.h"

#include <algorithm>

#include "base/text.h"
#include "gitops/detail/projects.h"

namespace slipway::gitops {
namespace {

bool fits(std::string_view pattern, std::string_view text) { return pattern == "*" || glob_match(pattern, text); }

// Addresses have slashes, and a star means them too.
bool fits_server(std::string_view pattern, std::string_view server) {
  return glob_match(replace_all(std::string(pattern), "*", "**"), server);
}

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

// Entries for cluster-scoped kinds may name objects as well.
bool lists_kind(doc::View list, const kube::Type& type, const std::string& name = "") {
  for (const auto& entry : list.items()) {
    auto named = entry["name"].text();
    if (fits(entry["group"].text(), type.group()) && fits(entry["kind"].text(), type.kind) &&
        (named.empty() || fits(named, name)))
      return true;
  }
  return false;
}

}  // namespace

Result<Project> Project::read(const Ctx& ctx, kube::Client& client, const Application& app, const Destination& place) {
  Project project;
  project.name_ = app.project, project.place_ = place;
  TRY(auto found, client.get(ctx, detail::project_type, {std::string(home_namespace), app.project}));
  if (!found && app.project != "default")
    return fail(Kind::denied, "application references project {} which does not exist", app.project);
  if (found) project.object_ = *found;
  for (const auto& window : project.object_["spec"]["syncWindows"].items())
    if (auto read = window_from(window); !read)
      return Fail(std::move(read).error().in(fmt::format("project {}", app.project)));
  return project;
}

// Argo CD's rule: one entry permits, and no "!" of any is hit.
bool Project::permits_namespace(std::string_view ns) const {
  auto spec = object_["spec"];
  if (spec["permitOnlyProjectScopedClusters"].bool_or(false) && place_.project != name_) return false;
  auto negated = [](const std::string& pattern) { return pattern.starts_with('!'); };
  auto matches = [&](const std::string& pattern, std::string_view text,
                     bool (&rule)(std::string_view, std::string_view)) {
    return negated(pattern) ? !rule(std::string_view(pattern).substr(1), text) : rule(pattern, text);
  };
  bool permitted = false;
  for (const auto& entry : spec["destinations"].items()) {
    auto server = entry["server"].text(), cluster = entry["name"].text(), inside = entry["namespace"].text();
    bool own = !place_.remote;
    bool by_server = !server.empty() && matches(server, place_.server, fits_server);
    bool by_name = !cluster.empty() && (matches(cluster, place_.name, fits) || (own && cluster == own_name));
    bool by_default = own && server.empty() && cluster.empty();
    bool by_namespace = matches(inside, ns, fits);
    if ((by_server || by_name || by_default) && by_namespace) {
      permitted = true;
      continue;
    }
    if ((negated(server) && !by_server) || (negated(cluster) && !by_name) || (negated(inside) && !by_namespace))
      return false;
  }
  return permitted;
}

Result<> Project::check(const Application& app) const {
  if (!object_ && !name_.empty() && app.key.ns != home_namespace)
    return fail(Kind::denied, "applications of namespace {} are not permitted in project '{}', which does not exist",
                app.key.ns, name_);
  if (!object_) return {};
  TRY_OK(signatures());
  std::vector<std::string> namespaces;
  for (const auto& item : object_["spec"]["sourceNamespaces"].items()) namespaces.push_back(item.text());
  if (app.key.ns != home_namespace && !permitted(namespaces, app.key.ns))
    return fail(Kind::denied, "applications of namespace {} are not permitted in project '{}'", app.key.ns, name_);
  for (const auto& source : app.sources) TRY_OK(check_source(source.repo_url));
  if (!permits_namespace(app.ns))
    return fail(Kind::denied, "application destination namespace {}{} is not permitted in project '{}'", app.ns,
                place_.remote ? " of " + place_.describe() : "", name_);
  return {};
}

Result<> Project::check_source(const std::string& url) const {
  if (!object_) return {};
  std::vector<std::string> repositories;
  for (const auto& item : object_["spec"]["sourceRepos"].items()) repositories.push_back(item.text());
  if (permitted(repositories, url)) return {};
  return fail(Kind::denied, "application repo {} is not permitted in project '{}'", url, name_);
}

Result<SignatureRules> Project::signatures() const {
  auto rules = SignatureRules::read(object_["spec"]);
  if (!rules) return Fail(std::move(rules).error().in(fmt::format("project '{}'", name_)));
  return rules;
}

std::string Project::refusal(const kube::Type& type, const kube::Key& key) const {
  const auto& ns = key.ns;
  if (auto outside = place_.refusal(type.kind, ns); !outside.empty()) return outside;
  if (!object_) return "";
  auto spec = object_["spec"];
  auto what = type.group().empty() ? type.kind : type.group() + "/" + type.kind;
  if (ns.empty()) {
    // No list permits no cluster-scoped kind at all.
    bool allowed = lists_kind(spec["clusterResourceWhitelist"], type, key.name) &&
                   !lists_kind(spec["clusterResourceBlacklist"], type, key.name);
    return allowed ? "" : fmt::format("cluster-scoped kind {} is not permitted in project '{}'", what, name_);
  }
  auto white = spec["namespaceResourceWhitelist"];
  bool allowed = (!white.present() || lists_kind(white, type)) && !lists_kind(spec["namespaceResourceBlacklist"], type);
  if (!allowed) return fmt::format("kind {} is not permitted in project '{}'", what, name_);
  if (!permits_namespace(ns)) return fmt::format("namespace {} is not permitted in project '{}'", ns, name_);
  return "";
}

Result<std::string> Project::acting_user(const Ctx& ctx, kube::Client& home, const Application& app) const {
  auto accounts = object_["spec"]["destinationServiceAccounts"].items();
  TRY(auto settings, home.get(ctx, {"v1", "ConfigMap"}, {std::string(home_namespace), "argocd-cm"}));
  auto enabled = settings ? (*settings)["data"]["application.sync.impersonation.enabled"].text() : "";
  // Argo CD wants it switched on; here a project that names accounts has said enough.
  if (enabled == "false" || (accounts.empty() && enabled != "true")) return std::string();
  for (const auto& entry : accounts) {
    if (!fits_server(entry["server"].text(), place_.server) || !fits(entry["namespace"].text(), app.ns)) continue;
    auto account = entry["defaultServiceAccount"].text();
    if (trim(account).empty() || account.find_first_of("!*[]{}\\/ \r\n") != std::string::npos)
      return fail(Kind::invalid, "project '{}': destinationServiceAccounts: \"{}\" is no name of a service account",
                  name_, account);
    auto ns = app.ns.empty() ? app.key.ns : app.ns;
    return account.contains(':') ? "system:serviceaccount:" + account
                                 : fmt::format("system:serviceaccount:{}:{}", ns, account);
  }
  return fail(Kind::denied, "project '{}' names no service account for {} and namespace {}", name_, place_.describe(),
              app.ns);
}

Result<DeleteBudget> Project::delete_budget() const {
  auto budget = DeleteBudget::parse(object_.annotation(delete_budget_annotation));
  if (!budget) return Fail(std::move(budget).error().in(fmt::format("AppProject {}", name_)));
  return budget;
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
