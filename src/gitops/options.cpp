#include "gitops/options.h"

#include <array>

#include "base/text.h"

namespace slipway::gitops {
namespace {

using Propagation = kube::RemoveOptions::Propagation;

// What these ask for is how everything is synced here: server-side, only what differs, pruning after all else, and
// leaving ignored fields alone. Turning one off has no effect on what ends up in the cluster.
constexpr std::array always{std::string_view("PruneLast"), std::string_view("ApplyOutOfSyncOnly"),
                            std::string_view("RespectIgnoreDifferences"), std::string_view("ServerSideApply")};
const std::vector<std::string> known{"CreateNamespace",
                                     "FailOnSharedResource",
                                     "Validate",
                                     "Replace",
                                     "Force",
                                     "SkipDryRunOnMissingResource",
                                     "Prune",
                                     "Delete",
                                     "PrunePropagationPolicy",
                                     "PruneLast",
                                     "ApplyOutOfSyncOnly",
                                     "RespectIgnoreDifferences",
                                     "ServerSideApply",
                                     "ClientSideApplyMigration"};

Result<> read_bool(bool& into, std::string_view name, std::string_view value) {
  if (value != "true" && value != "false")
    return fail(Kind::invalid, "{}: got \"{}\", want true or false", name, value);
  into = value == "true";
  return {};
}

Result<> read_permission(Permission& into, std::string_view name, std::string_view value) {
  if (value == "true")
    into = Permission::yes;
  else if (value == "false")
    into = Permission::no;
  else if (value == "confirm")
    into = Permission::confirm;
  else
    return fail(Kind::invalid, "{}: got \"{}\", want true, false or confirm", name, value);
  return {};
}

Result<> read_propagation(Propagation& into, std::string_view value) {
  if (value == "foreground")
    into = Propagation::foreground;
  else if (value == "background")
    into = Propagation::background;
  else if (value == "orphan")
    into = Propagation::orphan;
  else
    return fail(Kind::invalid, "PrunePropagationPolicy: got \"{}\", want foreground, background or orphan", value);
  return {};
}

}  // namespace

Result<> read_option(SyncOptions& options, std::string_view text) {
  auto pair = cut(text, "=");
  if (!pair) return fail(Kind::invalid, "got \"{}\", want Name=value", text);
  auto [name, value] = *pair;
  if (name == "CreateNamespace") return read_bool(options.create_namespace, name, value);
  if (name == "FailOnSharedResource") return read_bool(options.fail_on_shared, name, value);
  if (name == "Validate") return read_bool(options.validate, name, value);
  if (name == "Replace") return read_bool(options.replace, name, value);
  if (name == "Force") return read_bool(options.force, name, value);
  if (name == "SkipDryRunOnMissingResource") return read_bool(options.skip_missing_kind, name, value);
  if (name == "ClientSideApplyMigration") return read_bool(options.migrate, name, value);
  if (name == "Prune") return read_permission(options.prune, name, value);
  if (name == "Delete") return read_permission(options.remove, name, value);
  if (name == "PrunePropagationPolicy") return read_propagation(options.propagation, value);
  bool ignored = false;
  if (std::find(always.begin(), always.end(), name) != always.end()) return read_bool(ignored, name, value);
  auto near = nearest(name, known);
  return fail(Kind::invalid, "{}: no such sync option{}", name, near ? fmt::format(", did you mean {}?", *near) : "");
}

std::string flux_word(const doc::Value& object, std::string_view what) {
  auto key = fmt::format("kustomize.toolkit.fluxcd.io/{}", what);
  auto word = object.str_at({"metadata", "annotations", key});
  if (word.empty()) word = object.str_at({"metadata", "labels", key});
  return lower(word);
}

SyncOptions options_of(const SyncOptions& application, const kube::Object& object) {
  auto options = application;
  auto words = object.annotation(sync_options_annotation);
  for (auto word : split(words, ',')) (void)read_option(options, trim(word));
  // What concerns the whole Application is not an object's to say.
  options.create_namespace = application.create_namespace, options.fail_on_shared = application.fail_on_shared;
  options.propagation = application.propagation;
  if (object.annotation("helm.sh/resource-policy") == "keep") options.remove = Permission::no;
  if (flux_word(object.value(), "prune") == "disabled") options.prune = options.remove = Permission::no;
  if (flux_word(object.value(), "force") == "enabled") options.force = true;
  return options;
}

}  // namespace slipway::gitops
