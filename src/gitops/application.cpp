#include "gitops/application.h"

#include "base/text.h"

namespace slipway::gitops {
namespace {

Result<SourceSpec> source_from(doc::View view) {
  SourceSpec source;
  TRY(source.repo_url, view["repoURL"].str());
  source.path = view["path"].str_or(".");
  source.target_revision = view["targetRevision"].str_or("HEAD");
  if (source.target_revision.empty()) source.target_revision = "HEAD";
  if (view["chart"].present() || view["helm"].present())
    return view[view["chart"].present() ? "chart" : "helm"].wrong("Helm charts are not rendered yet, want a plain folder or a kustomization");
  if (view["plugin"].present()) return view["plugin"].wrong("config management plugins are not run, want a plain folder or a kustomization");
  auto directory = view["directory"];
  source.recurse = directory["recurse"].bool_or(false);
  source.include = directory["include"].str_or("");
  source.exclude = directory["exclude"].str_or("");
  if (directory["jsonnet"].present()) return directory["jsonnet"].wrong("Jsonnet is not rendered");
  source.kustomize = view["kustomize"].value();
  return source;
}

Result<> read_options(Application& app, doc::View options) {
  for (const auto& item : options.items()) {
    auto text = item.text();
    auto pair = cut(text, "=");
    if (!pair) return item.wrong("want Name=value");
    auto [name, value] = *pair;
    bool yes = value == "true";
    if (name == "CreateNamespace") app.options.create_namespace = yes;
    else if (name == "PruneLast") app.options.prune_last = yes;
    else if (name == "ApplyOutOfSyncOnly") app.options.apply_out_of_sync_only = yes;
    else if (name == "Replace") app.options.replace = yes;
    else if (name == "FailOnSharedResource") app.options.fail_on_shared = yes;
    else if (name == "RespectIgnoreDifferences") app.options.respect_ignore_differences = yes;
    else if (name == "PrunePropagationPolicy") app.options.prune_propagation = value;
    // Prune, Validate, ServerSideApply, SkipDryRunOnMissingResource: what they ask is how we work anyway.
  }
  return {};
}

}  // namespace

Result<Application> application_from(const kube::Object& object) {
  Application app;
  app.key = object.key();
  app.uid = object.uid();
  app.deleting = object.deleting();
  auto spec = object["spec"];
  app.project = spec["project"].str_or("default");
  if (app.project.empty()) app.project = "default";
  auto many = spec["sources"].items();
  if (many.empty() && !spec["source"].present()) return spec["source"].wrong("want a source or sources");
  if (many.empty()) many.push_back(spec["source"]);
  for (const auto& view : many) {
    TRY(auto source, source_from(view));
    app.sources.push_back(std::move(source));
  }
  auto destination = spec["destination"];
  app.server = destination["server"].str_or("");
  app.cluster_name = destination["name"].str_or("");
  app.ns = destination["namespace"].str_or("");
  if (!app.server.empty() && !app.cluster_name.empty()) return destination.wrong("has server and name, want one of them");
  auto policy = spec["syncPolicy"];
  auto automated = policy["automated"];
  app.automated = automated.exists() && automated["enabled"].bool_or(true);
  app.prune = automated["prune"].bool_or(false);
  app.self_heal = automated["selfHeal"].bool_or(false);
  app.allow_empty = automated["allowEmpty"].bool_or(false);
  TRY_OK(read_options(app, policy["syncOptions"]));
  auto retry = policy["retry"];
  app.retry.limit = retry["limit"].num_or(5);
  if (retry["backoff"]["duration"].present()) {
    TRY(app.retry.first, retry["backoff"]["duration"].duration());
  }
  if (retry["backoff"]["maxDuration"].present()) {
    TRY(app.retry.max, retry["backoff"]["maxDuration"].duration());
  }
  app.retry.factor = retry["backoff"]["factor"].real_or(2);
  for (const auto& item : spec["ignoreDifferences"].items()) {
    IgnoreDifference ignore{item["group"].str_or(""), item["kind"].str_or(""), item["name"].str_or(""), item["namespace"].str_or(""), {}, {}};
    for (const auto& pointer : item["jsonPointers"].items()) ignore.pointers.push_back(pointer.text());
    for (const auto& manager : item["managedFieldsManagers"].items()) ignore.managers.push_back(manager.text());
    if (item["jqPathExpressions"].present()) return item["jqPathExpressions"].wrong("jq paths are not evaluated yet, want jsonPointers");
    app.ignore.push_back(std::move(ignore));
  }
  app.history_limit = spec["revisionHistoryLimit"].num_or(10);
  for (const auto& f : object["metadata"]["finalizers"].items())
    if (f.text().starts_with("resources-finalizer.argocd.argoproj.io")) app.finalizer = true;
  return app;
}

}  // namespace slipway::gitops
