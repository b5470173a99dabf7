#include "gitops/application.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "gitops/front.h"
#include "gitops/jsonnet.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view cascade = "resources-finalizer.argocd.argoproj.io";

// Fields that may be absent or null, but not of another type.
Result<std::string> text_or(doc::View view, std::string_view fallback) {
  return view.present() ? view.str() : Result<std::string>(std::string(fallback));
}
Result<bool> flag_or(doc::View view, bool fallback) { return view.present() ? view.boolean() : Result<bool>(fallback); }
Result<std::int64_t> number_or(doc::View view, std::int64_t fallback) {
  return view.present() ? view.num() : Result<std::int64_t>(fallback);
}

Result<> check_kustomize(doc::View block) {
  constexpr std::array known{std::string_view("namePrefix"), std::string_view("nameSuffix"),
                             std::string_view("namespace"), std::string_view("images"), std::string_view("replicas"),
                             std::string_view("commonLabels"), std::string_view("commonAnnotations"),
                             std::string_view("patches"), std::string_view("components"),
                             std::string_view("labelWithoutSelector"), std::string_view("labelIncludeTemplates"),
                             std::string_view("commonAnnotationsEnvsubst"), std::string_view("ignoreMissingComponents"),
                             // Labels and annotations of the block always win; versions concern charts inside a
                             // kustomization, which are refused.
                             std::string_view("forceCommonLabels"), std::string_view("forceCommonAnnotations"),
                             std::string_view("kubeVersion"), std::string_view("apiVersions")};
  for (const auto& [key, value] : block.members()) {
    if (std::find(known.begin(), known.end(), key) != known.end() || !value.present() ||
        value.value() == doc::Value(false) || value.value() == doc::Value(""))
      continue;
    return value.wrong("this field of the kustomize block is not supported");
  }
  return {};
}

}  // namespace

Result<SourceSpec> source_from(doc::View view) {
  SourceSpec source;
  source.written = view.value();
  TRY(source.repo_url, view["repoURL"].str());
  if (source.repo_url.empty()) return view["repoURL"].wrong("is empty, want the address of a Git repository");
  // By it repositories are told apart that one sign-in alone may read.
  if (source.repo_url.contains('#')) return view["repoURL"].wrong("want an address without a fragment (#)");
  TRY(source.path, text_or(view["path"], "."));
  TRY(source.target_revision, text_or(view["targetRevision"], "HEAD"));
  if (source.target_revision.empty()) source.target_revision = "HEAD";
  for (auto key : {"chart", "helm"})
    if (view[key].present() && !view[key].text().empty())
      return view[key].wrong("Helm charts are not rendered yet, want a plain folder or a kustomization");
  if (view["helm"].present())
    return view["helm"].wrong("Helm charts are not rendered yet, want a plain folder or a kustomization");
  if (view["plugin"].present())
    return view["plugin"].wrong("config management plugins are not run, want a plain folder or a kustomization");
  // One with a path is rendered as well; one without only lends its files to charts.
  if (!view["ref"].text().empty() && view["path"].text().empty())
    return view["ref"].wrong("value files of Helm charts are not read yet, want sources that each are a folder");
  auto directory = view["directory"];
  source.directory = directory.value().is_map() && !view["kustomize"].present();
  TRY(source.recurse, flag_or(directory["recurse"], false));
  TRY(source.include, text_or(directory["include"], ""));
  TRY(source.exclude, text_or(directory["exclude"], ""));
  TRY_OK(jsonnet_from(directory["jsonnet"]));
  source.jsonnet = directory["jsonnet"].value();
  TRY_OK(check_kustomize(view["kustomize"]));
  source.kustomize = view["kustomize"].value();
  return source;
}

namespace {

Result<> read_sources(Application& app, doc::View spec) {
  if (spec["sourceHydrator"].present())
    return spec["sourceHydrator"].wrong("the source hydrator is not supported, want source or sources");
  auto many = spec["sources"].items();
  app.source_doc = many.empty() ? spec["source"].value() : spec["sources"].value();
  if (many.empty() && !spec["source"].present()) return spec["source"].wrong("want a source or sources");
  if (many.empty()) many.push_back(spec["source"]);
  for (const auto& view : many) {
    TRY(auto source, source_from(view));
    app.sources.push_back(std::move(source));
  }
  return {};
}

// Which cluster that is, is for Clusters to say.
Result<> read_destination(Application& app, doc::View destination) {
  TRY(app.server, text_or(destination["server"], ""));
  TRY(app.cluster_name, text_or(destination["name"], ""));
  TRY(app.ns, text_or(destination["namespace"], ""));
  if (!app.server.empty() && !app.cluster_name.empty())
    return destination.wrong("has server and name, want one of them");
  return {};
}

// Everything is compared by a dry run of the server, asked for or not; what is left to say is whether the doings of
// webhooks count.
Result<> read_compare_options(Application& app, std::string_view words) {
  static const std::vector<std::string> known{"ServerSideDiff", "IncludeMutationWebhook", "IgnoreExtraneous"};
  for (auto word : split(words, ',')) {
    word = trim(word);
    auto pair = cut(word, "=");
    auto name = pair ? pair->first : word, value = pair ? pair->second : std::string_view("true");
    if (word.empty()) continue;
    auto wrong = [](std::string what) {
      return fail(Kind::invalid, ".metadata.annotations[argocd.argoproj.io/compare-options]: {}", what);
    };
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      auto near = nearest(name, known);
      return wrong(fmt::format("{}: no such option{}", name, near ? fmt::format(", did you mean {}?", *near) : ""));
    }
    if (value != "true" && value != "false")
      return wrong(fmt::format("{}: got \"{}\", want true or false", name, value));
    if (name == "IncludeMutationWebhook") app.compare_webhooks = value == "true";
  }
  return {};
}

Result<> read_policy(Application& app, doc::View policy) {
  auto automated = policy["automated"];
  if (automated.present() && !automated.value().is_map()) return automated.wrong("want a map");
  TRY(auto enabled, flag_or(automated["enabled"], true));
  // `automated:` without a value is an empty block.
  app.automated = automated.exists() && enabled;
  TRY(app.prune, flag_or(automated["prune"], false));
  TRY(app.self_heal, flag_or(automated["selfHeal"], false));
  TRY(app.allow_empty, flag_or(automated["allowEmpty"], false));
  if (policy["syncOptions"].present()) {
    TRY(auto options, policy["syncOptions"].list());
    for (const auto& item : options) {
      TRY(auto text, item.str());
      if (auto read = read_option(app.options, text); !read) return item.wrong(read.error().what());
    }
  }
  app.namespace_metadata = policy["managedNamespaceMetadata"].value();
  TRY(app.retry, retry_from(policy["retry"]));
  return {};
}

Result<> read_ignored(Application& app, doc::View list) {
  for (const auto& item : list.items()) {
    TRY(auto ignore, ignore_from(item, fmt::format("spec.ignoreDifferences[{}]", app.ignore.size())));
    ignore.group = item["group"].str_or(""), ignore.kind = item["kind"].str_or("");
    ignore.name = item["name"].str_or(""), ignore.ns = item["namespace"].str_or("");
    if (ignore.kind.empty()) return item["kind"].wrong("want a kind, * for all");
    app.ignore.push_back(std::move(ignore));
  }
  return {};
}

}  // namespace

doc::Value without_empty(const doc::Value& value) {
  auto is_empty = [](const doc::Value& v) {
    return v.is_null() || v == doc::Value("") || v == doc::Value(false) || v == doc::Value(0) ||
           (v.if_map() != nullptr && v.if_map()->empty()) || (v.if_list() != nullptr && v.if_list()->empty());
  };
  if (const auto* map = value.if_map()) {
    doc::Map kept;
    for (const auto& [key, member] : *map)
      if (auto rest = without_empty(member); !is_empty(rest)) kept.set(key, std::move(rest));
    return kept;
  }
  if (const auto* list = value.if_list()) {
    doc::List kept;
    for (const auto& item : *list) kept.push_back(without_empty(item));
    return kept;
  }
  return value;
}

constexpr std::string_view argo_deletion_approved = "argocd.argoproj.io/deletion-approved";

bool syncs_by_itself(const kube::Object& application) {
  auto automated = application["spec"]["syncPolicy"]["automated"];
  return automated.exists() && automated["enabled"].bool_or(true);
}

Result<RetrySpec> retry_from(doc::View view) {
  RetrySpec retry;
  TRY(retry.limit, number_or(view["limit"], retry.limit));
  auto backoff = view["backoff"];
  auto duration = [](doc::View v, Millis& into) -> Result<> {
    if (!v.present() || v.text().empty()) return {};
    TRY(into, v.duration());
    if (into < Millis(0)) return v.wrong("want a duration of 0 or more");
    return {};
  };
  TRY_OK(duration(backoff["duration"], retry.first));
  TRY_OK(duration(backoff["maxDuration"], retry.max));
  if (backoff["factor"].present()) {
    TRY(retry.factor, backoff["factor"].real());
    if (!(retry.factor >= 1) || !std::isfinite(retry.factor))
      return backoff["factor"].wrong("want a number of 1 or more");
  }
  return retry;
}

Millis retry_pause(const RetrySpec& retry, std::int64_t tries) {
  auto pause = static_cast<double>(retry.first.count()), most = static_cast<double>(retry.max.count());
  for (std::int64_t i = 0; i < tries && pause < most && retry.factor > 1; ++i) pause *= retry.factor;
  return Millis(static_cast<std::int64_t>(std::min(pause, most)));
}

Result<Application> application_from(const kube::Object& object) {
  Application app;
  app.key = object.key();
  app.uid = object.uid();
  app.front = &argo_front();
  app.owner = tracking_name(app.key);
  auto spec = object["spec"];
  TRY(app.project, text_or(spec["project"], "default"));
  if (app.project.empty()) app.project = "default";
  TRY_OK(read_sources(app, spec));
  TRY_OK(read_destination(app, spec["destination"]));
  TRY_OK(read_policy(app, spec["syncPolicy"]));
  TRY_OK(read_ignored(app, spec["ignoreDifferences"]));
  TRY(app.history_limit, number_or(spec["revisionHistoryLimit"], 10));
  if (app.history_limit < 0) return spec["revisionHistoryLimit"].wrong("want 0 or more");
  auto compare_options = object.annotation("argocd.argoproj.io/compare-options");
  TRY_OK(read_compare_options(app, compare_options));
  app.approval = argo_deletion_approved;
  app.deletion_approved = object.annotation(app.approval);
  TRY(app.delete_budget, DeleteBudget::parse(object.annotation(delete_budget_annotation)));
  return app;
}

bool is_cascade_finalizer(std::string_view finalizer) {
  return finalizer == cascade || finalizer.starts_with(std::string(cascade) + "/");
}

std::optional<kube::RemoveOptions::Propagation> cascade_of(const kube::Object& application) {
  using P = kube::RemoveOptions::Propagation;
  for (const auto& f : application["metadata"]["finalizers"].items())
    if (is_cascade_finalizer(f.text())) return f.text().ends_with("/background") ? P::background : P::foreground;
  return std::nullopt;
}

std::string tracking_name(const kube::Key& application) {
  return application.ns == home_namespace || application.ns.empty()
             ? application.name
             : fmt::format("{}_{}", application.ns, application.name);
}

kube::Key application_key(std::string_view name) {
  auto pair = cut(name, "_");
  if (pair) return {std::string(pair->first), std::string(pair->second)};
  return {std::string(home_namespace), std::string(name)};
}

}  // namespace slipway::gitops
