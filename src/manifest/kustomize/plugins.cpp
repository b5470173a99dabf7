// `generators` and `transformers`: objects of apiVersion "builtin" that configure kustomize's own plugins.
#include "base/text.h"
#include "doc/yaml.h"
#include "manifest/detail/build.h"

namespace slipway::manifest {
namespace {

Fail no_plugin(const Resource& config) {
  auto gvk = config.gvk();
  if (!gvk.group.empty() || gvk.version != "builtin") {
    return fail(Kind::invalid, "{}: {}: only built-in plugins are run (apiVersion: builtin)", config.source,
                config.id().print());
  }
  return fail(Kind::invalid, "{}: there is no built-in plugin '{}'", config.source, gvk.kind);
}

Result<> rename_by(ResMap& map, const Input& in, std::string_view key, bool prefix) {
  TRY(auto affix, in.str(key));
  TRY(auto specs, in.field_specs("fieldSpecs"));
  return prefix ? add_prefix(map, affix, specs) : add_suffix(map, affix, specs);
}

Result<> space_by(ResMap& map, const Input& in) {
  SpaceChange change;
  TRY(auto meta, in.child("metadata", {}));
  if (meta) {
    TRY(change.space, meta->str("namespace"));
  }
  TRY(change.specs, in.field_specs("fieldSpecs"));
  TRY(change.unset_only, in.flag("unsetOnly"));
  TRY(auto subjects, in.str("setRoleBindingSubjects"));
  if (!subjects.empty()) change.subjects = subjects;
  return set_space(map, change);
}

Result<> values_by(const Loader& loader, ResMap& map, const Input& in) {
  TRY(auto value, in.str("value"));
  value = trim(value);
  if (value.empty()) value = loader.folder().substr(loader.folder().rfind('/') + 1);
  std::vector<Input> targets;
  TRY(targets, in.items("targets", {}));
  TRY(auto path, in.str("targetFilePath"));
  doc::Value file;
  if (!path.empty()) {
    TRY(auto text, loader.load(path));
    TRY(file, doc::parse_yaml(text, {.source = path}));
    TRY(auto root, Input::lenient(file, loader.display(path), ""));
    TRY(auto more, root.items("targets", {}));
    targets.insert(targets.end(), more.begin(), more.end());
  }
  if (targets.empty()) return in.wrong("", "must specify at least one target");
  for (const auto& target : targets) {
    AddedValue added;
    TRY(auto selector, target.child("selector", {}));
    if (selector) {
      TRY(added.selector, Selector::read(*selector));
    }
    TRY(added.path, target.str("fieldPath"));
    if (added.path.empty()) return target.wrong("", "fieldPath cannot be empty");
    TRY(added.position, target.number("filePathPosition"));
    if (added.position < 0) return target.wrong("filePathPosition", "cannot be negative");
    TRY_OK(add_value(map, value, added));
  }
  return {};
}

Result<> merges_by(const Loader& loader, ResMap& map, const Input& in) {
  std::vector<Patch> patches;
  TRY(auto paths, in.strings("paths"));
  for (const auto& path : paths) {
    TRY(auto patch, load_merge(loader, path, in.source()));
    patches.push_back(std::move(patch));
  }
  TRY(auto text, in.str("patches"));
  if (!text.empty()) {
    Patch patch;
    patch.origin = in.source(), patch.keeps_id = true, patch.schemas = loader.shared().schemas;
    TRY(patch.merges, read_resources(text, in.source()));
    patches.push_back(std::move(patch));
  }
  if (patches.empty()) return in.wrong("", "empty file path and empty patch content");
  for (const auto& patch : patches) TRY_OK(apply_patch(map, patch));
  return {};
}

Result<> image_by(ResMap& map, const Input& in) {
  TRY(auto child, in.child("imageTag", {}));
  if (!child) return {};
  TRY(auto change, ImageChange::read(*child));
  TRY(auto specs, in.field_specs("fieldSpecs"));
  return set_image(map, change, specs);
}

Result<> replicas_by(ResMap& map, const Input& in) {
  ReplicaChange change;
  TRY(auto child, in.child("replica", {}));
  if (child) {
    TRY(change.name, child->str("name"));
    TRY(change.count, child->number("count"));
  }
  TRY(auto specs, in.field_specs("fieldSpecs"));
  return set_replicas(map, change, specs);
}

Result<> strings_by(ResMap& map, const Input& in, std::string_view key) {
  TRY(auto strings, in.string_map(key));
  TRY(auto specs, in.field_specs("fieldSpecs"));
  return set_strings(map, strings, specs);
}

Result<> replacements_by(const Loader& loader, ResMap& map, const Input& in) {
  TRY(auto items, in.items("replacements", {}));
  for (const auto& item : items) {
    TRY(auto replacements, load_replacement(loader, item));
    for (const auto& replacement : replacements) TRY_OK(apply_replacement(map, replacement));
  }
  return {};
}

Result<> both_affixes(ResMap& map, const Input& in) {
  TRY_OK(rename_by(map, in, "prefix", true));
  return rename_by(map, in, "suffix", false);
}

Result<std::shared_ptr<Resource>> cloud_account(const Input& in) {
  TRY(auto cloud, in.str("cloud"));
  if (cloud != "gke") return in.wrong("cloud", fmt::format("cloud provider '{}' is not supported, want gke", cloud));
  TRY(auto service, in.child("kubernetesService", {}));
  TRY(auto account, in.child("serviceAccount", {}));
  if (!service || !account) return in.wrong("", "want kubernetesService and serviceAccount");
  TRY(auto name, service->str("name"));
  TRY(auto space, service->str("namespace"));
  TRY(auto account_name, account->str("name"));
  TRY(auto project, account->str("projectId"));
  doc::Value node = doc::Value(doc::Map{{"apiVersion", "v1"}, {"kind", "ServiceAccount"}});
  node["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] =
      doc::Value(fmt::format("{}@{}.iam.gserviceaccount.com", account_name, project));
  node["metadata"]["name"] = doc::Value(name);
  if (!space.empty()) node["metadata"]["namespace"] = doc::Value(space);
  return std::make_shared<Resource>(std::move(node));
}

}  // namespace

Result<> run_transformer(const Loader& loader, const Resource& config, ResMap& map) {
  auto gvk = config.gvk();
  if (!gvk.group.empty() || gvk.version != "builtin") return no_plugin(config);
  TRY(auto in, Input::lenient(config.node, config.source, gvk.kind));
  const auto& kind = gvk.kind;
  if (kind == "PrefixTransformer") return rename_by(map, in, "prefix", true);
  if (kind == "SuffixTransformer") return rename_by(map, in, "suffix", false);
  if (kind == "PrefixSuffixTransformer") return both_affixes(map, in);
  if (kind == "NamespaceTransformer") return space_by(map, in);
  if (kind == "LabelTransformer") return strings_by(map, in, "labels");
  if (kind == "AnnotationsTransformer") return strings_by(map, in, "annotations");
  if (kind == "ImageTagTransformer") return image_by(map, in);
  if (kind == "ReplicaCountTransformer") return replicas_by(map, in);
  if (kind == "ReplacementTransformer") return replacements_by(loader, map, in);
  if (kind == "PatchStrategicMergeTransformer") return merges_by(loader, map, in);
  if (kind == "ValueAddTransformer") return values_by(loader, map, in);
  if (kind == "HashTransformer") return add_hashes(map);
  if (kind == "PatchTransformer") {
    TRY(auto patch, load_patch(loader, in));
    if (!patch.operations && patch.merges.empty()) return fail(Kind::invalid, "{}: the patch is empty", patch.origin);
    return apply_patch(map, patch);
  }
  if (kind == "PatchJson6902Transformer") {
    TRY(auto patch, load_json_patch(loader, in, "jsonOp"));
    return apply_patch(map, patch);
  }
  return no_plugin(config);
}

Result<std::vector<std::shared_ptr<Resource>>> run_generator(const Loader& loader, const Resource& config) {
  auto gvk = config.gvk();
  if (!gvk.group.empty() || gvk.version != "builtin") return no_plugin(config);
  std::vector<std::shared_ptr<Resource>> generated;
  auto node = config.node;
  if (gvk.kind == "IAMPolicyGenerator") {
    TRY(auto in, Input::lenient(node, config.source, gvk.kind));
    TRY(auto resource, cloud_account(in));
    generated.push_back(std::move(resource));
    return generated;
  }
  if (gvk.kind != "ConfigMapGenerator" && gvk.kind != "SecretGenerator") return no_plugin(config);
  // The object's own name and namespace serve where the arguments have none.
  for (auto key : {"name", "namespace"}) {
    const auto* own = node.find_path({"metadata", key});
    if (own != nullptr && node.find(key) == nullptr) node[key] = doc::Value(*own);
  }
  TRY(auto in, Input::lenient(node, config.source, gvk.kind));
  TRY(auto resource,
      generate(loader, in, gvk.kind == "SecretGenerator" ? Generated::secret : Generated::config_map, {}));
  generated.push_back(std::move(resource));
  return generated;
}

}  // namespace slipway::manifest
