#include "gitops/flux/kustomization.h"

#include <algorithm>
#include <array>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"
#include "gitops/flux/expressions.h"
#include "gitops/flux/sources.h"
#include "gitops/flux/substitute.h"
#include "gitops/front.h"
#include "gitops/keys.h"

namespace slipway::gitops::flux {
namespace {

constexpr std::string_view disabled = "disabled";

Result<> check_supported(doc::View spec) {
  constexpr std::array known{std::string_view("sourceRef"),
                             std::string_view("path"),
                             std::string_view("interval"),
                             std::string_view("retryInterval"),
                             std::string_view("timeout"),
                             std::string_view("prune"),
                             std::string_view("deletionPolicy"),
                             std::string_view("force"),
                             std::string_view("wait"),
                             std::string_view("healthChecks"),
                             std::string_view("dependsOn"),
                             std::string_view("suspend"),
                             std::string_view("targetNamespace"),
                             std::string_view("commonMetadata"),
                             std::string_view("namePrefix"),
                             std::string_view("nameSuffix"),
                             std::string_view("patches"),
                             std::string_view("patchesStrategicMerge"),
                             std::string_view("patchesJson6902"),
                             std::string_view("images"),
                             std::string_view("components"),
                             std::string_view("postBuild"),
                             std::string_view("decryption"),
                             std::string_view("serviceAccountName"),
                             std::string_view("kubeConfig"),
                             std::string_view("healthCheckExprs"),
                             std::string_view("ignoreMissingComponents")};
  for (const auto& [key, value] : spec.members())
    if (std::find(known.begin(), known.end(), key) == known.end() && value.present())
      return value.wrong("this field of a Kustomization is not supported");
  return {};
}

// Whole and ready: the newest artifact of the source.
Result<> read_source(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization, Application& app) {
  auto ref = source_ref_of(kustomization);
  auto view = kustomization["spec"]["sourceRef"];
  if (ref.key.name.empty()) return view["name"].wrong("want the name of a source");
  if (ref.type.kind != "GitRepository" && ref.type.kind != "OCIRepository")
    return view["kind"].wrong(
        fmt::format("sources of kind \"{}\" are not supported, want GitRepository or OCIRepository", ref.type.kind));
  TRY(auto source, home.get(ctx, ref.type, ref.key));
  if (!source) return fail(Kind::not_found, "{} '{}' not found", ref.type.kind, ref.key.str());
  auto artifact = (*source)["status"]["artifact"];
  auto revision = artifact["revision"].text();
  if (revision.empty()) return fail(Kind::unavailable, "{} '{}' has no artifact yet", ref.type.kind, ref.key.str());
  auto& to = app.sources.emplace_back();
  auto stored = artifact["metadata"];
  to.repo_url = (*source)["spec"]["url"].text();
  to.submodules = ref.type.kind == "GitRepository" && (*source)["spec"]["recurseSubmodules"].bool_or(false);
  if (to.submodules)
    to.sign_in = [&home, source = *source](const Ctx& later) { return git_access(later, home, source); };
  if (ref.type.kind == "GitRepository") {
    TRY(to.repo_url, git_url(ctx, home, *source));
    to.ignore = (*source)["spec"]["ignore"].text();
  }
  auto at = revision.rfind("sha1:");
  to.target_revision =
      stored["slipway.dev/commit"].str_or(at == std::string::npos ? revision : revision.substr(at + 5));
  app.revision_text = revision, app.source_name = source_name_of(kustomization);
  return {};
}

doc::Value overlay_of(doc::View spec) {
  doc::Map over;
  auto put = [&](std::string_view from, std::string_view to) {
    if (auto view = spec[from]; view.present() && view.value() != doc::Value("")) over.set(to, view.value());
  };
  put("targetNamespace", "namespace"), put("namePrefix", "namePrefix"), put("nameSuffix", "nameSuffix");
  put("images", "images"), put("components", "components");
  if (spec["ignoreMissingComponents"].bool_or(false)) over.set("ignoreMissingComponents", true);
  doc::List patches;
  for (const auto& patch : spec["patches"].items()) patches.push_back(patch.value());
  for (const auto& patch : spec["patchesStrategicMerge"].items())
    patches.emplace_back(doc::Map{{"patch", doc::print_json(patch.value())}});
  for (const auto& patch : spec["patchesJson6902"].items())
    patches.emplace_back(
        doc::Map{{"patch", doc::print_json(patch["patch"].value())}, {"target", patch["target"].value()}});
  if (!patches.empty()) over.set("patches", std::move(patches));
  return over.empty() ? doc::Value() : doc::Value(std::move(over));
}

// The keys of one ConfigMap or Secret; line breaks are taken out of values, as Flux does.
Result<> add_variables(const Ctx& ctx, kube::Client& home, const std::string& ns, doc::View from, Variables& into) {
  auto kind = from["kind"].text(), name = from["name"].text();
  if (kind != "ConfigMap" && kind != "Secret") return from["kind"].wrong("want ConfigMap or Secret");
  TRY(auto object, home.get(ctx, {"v1", kind}, {ns, name}));
  if (!object) {
    if (from["optional"].bool_or(false)) return {};
    return fail(Kind::not_found, "{} '{}/{}' of postBuild.substituteFrom not found", kind, ns, name);
  }
  for (const auto& [key, value] : (*object)["data"].members()) {
    auto text = value.text();
    if (kind == "Secret") {
      TRY_IN(text, object->describe() + " " + key, from_base64(text));
    }
    into[key] = replace_all(text, "\n", "");
  }
  return {};
}

Result<std::optional<Variables>> variables_of(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization) {
  auto build = kustomization["spec"]["postBuild"];
  if (!build.present()) return std::nullopt;
  Variables variables;
  for (const auto& from : build["substituteFrom"].items())
    TRY_OK(add_variables(ctx, home, kustomization.ns(), from, variables));
  for (const auto& [name, value] : build["substitute"].members()) variables[name] = replace_all(value.text(), "\n", "");
  for (const auto& [name, value] : variables)
    if (!is_variable_name(name))
      return build.wrong(fmt::format("\"{}\" cannot be a variable: want letters, digits and _, no digit first", name));
  if (variables.empty()) return std::nullopt;
  return std::optional(std::move(variables));
}

Result<> read_decryption(kube::Client& home, const kube::Object& kustomization, Application& app) {
  auto block = kustomization["spec"]["decryption"];
  if (!block.present()) return {};
  auto provider = block["provider"].text();
  if (provider != "sops") return block["provider"].wrong(fmt::format("got \"{}\", want sops", provider));
  auto name = block["secretRef"]["name"].text();
  if (name.empty()) return block.wrong("want secretRef: keys of clouds and PGP are not used here, only age keys");
  app.keys = [&home, key = kube::Key{app.key.ns, name}](const Ctx& ctx) -> Result<std::vector<secret::AgeIdentity>> {
    TRY(auto secret, home.get(ctx, {"v1", "Secret"}, key));
    if (!secret) return fail(Kind::not_found, "Secret '{}' of decryption.secretRef not found", key.str());
    return identities_of(*secret);
  };
  return {};
}

Result<> read_gate(doc::View spec, const std::string& ns, Millis interval, Application& app) {
  TRY(app.gate.timeout, duration(spec["timeout"], interval));
  app.gate.all = spec["wait"].bool_or(false);
  if (app.gate.all) return {};
  for (const auto& check : spec["healthChecks"].items()) {
    auto kind = check["kind"].text(), name = check["name"].text();
    if (kind.empty() || name.empty()) return check.wrong("want apiVersion, kind and name");
    app.gate.objects.push_back({{check["apiVersion"].str_or("apps/v1"), kind}, {check["namespace"].str_or(ns), name}});
  }
  return {};
}

bool is_definition(std::string_view kind) {
  return kind == "CustomResourceDefinition" || kind == "Namespace" || kind == "ClusterRole";
}

}  // namespace

SourceRef source_ref_of(const kube::Object& kustomization) {
  auto ref = kustomization["spec"]["sourceRef"];
  auto kind = ref["kind"].text();
  return {{std::string(source_api), kind}, {ref["namespace"].str_or(kustomization.ns()), ref["name"].text()}};
}

std::string source_name_of(const kube::Object& kustomization) {
  auto ref = source_ref_of(kustomization);
  return fmt::format("{}/{}", ref.type.kind, ref.key.str());
}

std::vector<kube::Key> dependencies_of(const kube::Object& kustomization) {
  std::vector<kube::Key> all;
  for (const auto& dependency : kustomization["spec"]["dependsOn"].items())
    all.push_back({dependency["namespace"].str_or(kustomization.ns()), dependency["name"].text()});
  return all;
}

Result<Application> read_kustomization(const Ctx& ctx, kube::Client& home, const kube::Object& kustomization) {
  Application app;
  app.key = kustomization.key(), app.uid = kustomization.uid();
  app.front = &flux_front(), app.owner = app.front->owner(app.key);
  auto spec = kustomization["spec"];
  TRY_OK(check_supported(spec));
  auto allowance = new_allowance();
  TRY(app.health, health_rule(spec, allowance));
  TRY(app.depends_on, read_dependencies(kustomization, allowance));
  TRY_OK(read_source(ctx, home, kustomization, app));
  auto& source = app.sources.front();
  source.path = spec["path"].str_or(".");
  // Flux's paths start at the root of the artifact, with or without "/".
  while (source.path.starts_with('/')) source.path.erase(0, 1);
  source.generate = true;
  source.load_anywhere = true;  // within the artifact, as in Flux
  source.overlay = overlay_of(spec), source.metadata = spec["commonMetadata"].value();
  TRY(source.variables, variables_of(ctx, home, kustomization));
  app.ns = spec["targetNamespace"].str_or(app.key.ns);
  app.automated = app.self_heal = true;
  app.prune = spec["prune"].bool_or(false);
  app.allow_empty = kustomization.annotation("slipway.dev/allow-empty") == "true";
  app.deletion_approved = kustomization.annotation(app.approval);
  TRY(app.delete_budget, DeleteBudget::parse(kustomization.annotation(delete_budget_annotation)));
  app.options.force = spec["force"].bool_or(false);
  app.options.propagation = kube::RemoveOptions::Propagation::background;
  TRY(auto interval, duration(spec["interval"], Millis(600000)));
  TRY(auto retry, duration(spec["retryInterval"], interval));
  app.retry = {-1, retry, retry, 1};
  TRY_OK(read_gate(spec, app.ns, interval, app));
  TRY_OK(read_decryption(home, kustomization, app));
  // A change of any of this is a change of what is wanted, not of the cluster.
  app.source_doc = doc::Map{{"path", source.path}, {"overlay", source.overlay}, {"metadata", source.metadata}};
  if (source.variables) {
    std::string text;
    for (const auto& [name, value] : *source.variables) text += fmt::format("{}={}\n", name, value);
    app.source_doc["variables"] = sha256_hex(text);
  }
  return app;
}

std::vector<Task> kustomization_tasks(const std::vector<doc::Value>& objects, const SyncOptions& options) {
  std::vector<Task> tasks;
  for (const auto& value : objects) {
    kube::Object object{doc::Value(value)};
    Task task{value, object.type(), object.key()};
    task.options = options_of(options, object);
    auto ssa = flux_word(value, "ssa");
    task.only_create = ssa == "ifnotpresent";
    task.leave = ssa == "ignore" || flux_word(value, "reconcile") == disabled;
    task.options.undo_kubectl = ssa != "merge";
    if (ssa == "merge") task.options.migrate = false;
    task.wave = is_definition(task.type.kind) ? -1 : 0;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace slipway::gitops::flux
