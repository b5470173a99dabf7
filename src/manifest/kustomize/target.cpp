#include "manifest/detail/target.h"

#include <algorithm>

#include "base/text.h"
#include "doc/yaml.h"

namespace slipway::manifest {
namespace {

constexpr std::string_view known_fields[] = {"apiVersion",
                                             "kind",
                                             "metadata",
                                             "openapi",
                                             "namePrefix",
                                             "nameSuffix",
                                             "namespace",
                                             "commonLabels",
                                             "labels",
                                             "commonAnnotations",
                                             "patchesStrategicMerge",
                                             "patchesJson6902",
                                             "patches",
                                             "images",
                                             "imageTags",
                                             "replacements",
                                             "replicas",
                                             "vars",
                                             "sortOptions",
                                             "resources",
                                             "components",
                                             "crds",
                                             "bases",
                                             "configMapGenerator",
                                             "secretGenerator",
                                             "helmGlobals",
                                             "helmCharts",
                                             "helmChartInflationGenerator",
                                             "generatorOptions",
                                             "configurations",
                                             "generators",
                                             "transformers",
                                             "validators",
                                             "buildMetadata"};
constexpr std::string_view config_map_fields[] = {"namespace", "name", "behavior", "literals",
                                                  "files",     "envs", "env",      "options"};
constexpr std::string_view secret_fields[] = {"namespace", "name", "behavior", "literals", "files",
                                              "envs",      "env",  "options",  "type"};
constexpr std::string_view patch_fields[] = {"path", "patch", "target", "options"};

// What cannot be done yet must not be left out silently.
Result<> refuse_unsupported(const Input& in) {
  for (auto key : {"helmCharts", "helmChartInflationGenerator"}) {
    const auto* found = in.find(key);
    if (found != nullptr && found->is_list() && !found->if_list()->empty()) {
      return in.wrong(
          key, "charts within a kustomization are not rendered: render the chart by itself, or commit its output");
    }
  }
  const auto* validators = in.find("validators");
  if (validators != nullptr && validators->is_list() && !validators->if_list()->empty()) {
    return in.wrong("validators", "validator plugins are not run");
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> find_kustomization(FileSource& source, const std::string& folder) {
  std::optional<std::string> found;
  for (std::string name : {"kustomization.yaml", "kustomization.yml", "Kustomization"}) {
    TRY(auto text, source.read(folder.empty() ? name : fmt::format("{}/{}", folder, name)));
    if (!text) continue;
    if (found)
      return fail(Kind::invalid, "{}: more than one kustomization: {} and {}", source.display(folder), *found, name);
    found = name;
  }
  return found;
}

Result<Input> Target::root() const { return Input::of(*value_, file_, "", known_fields); }

std::string Target::place(std::string_view key) const {
  auto in = root();
  auto mark = in ? in->mark_of(key) : doc::Mark{};
  return mark.line != 0 ? fmt::format("{}:{}:{}", file_, mark.line, mark.column) : file_;
}

Result<> Target::check() {
  TRY(auto in, root());
  TRY(auto kind, in.str("kind"));
  TRY(auto version, in.str("apiVersion"));
  if (!kind.empty() && kind != "Kustomization" && kind != "Component")
    return in.wrong("kind", "kind should be Kustomization or Component");
  component_ = kind == "Component";
  // Read for its types only: the order of a base does not count.
  TRY(auto order, in.child("sortOptions", {"order", "legacySortOptions"}));
  if (order) {
    TRY_OK(order->str("order"));
    TRY_OK(order->child("legacySortOptions", {"orderFirst", "orderLast"}));
  }
  auto wanted = component_ ? "kustomize.config.k8s.io/v1alpha1" : "kustomize.config.k8s.io/v1beta1";
  if (!version.empty() && version != wanted)
    return in.wrong("apiVersion",
                    fmt::format("apiVersion for {} should be {}", kind.empty() ? "Kustomization" : kind, wanted));
  bool empty = std::none_of(std::begin(known_fields) + 2, std::end(known_fields), [&](std::string_view key) {
    const auto* found = in.find(key);
    return found != nullptr && !(found->is_list() && found->if_list()->empty() && key == "bases");
  });
  if (empty) return fail(Kind::invalid, "{}: the kustomization is empty", file_);
  return refuse_unsupported(in);
}

Result<> Target::set_schema() const {
  TRY(auto in, root());
  TRY(auto openapi, in.child("openapi", {"path", "version"}));
  auto& shared = loader_.shared();
  if (!openapi || shared.schemas_set) return {};
  TRY(auto path, openapi->str("path"));
  TRY(auto version, openapi->str("version"));
  if (!path.empty() && !version.empty())
    return openapi->wrong("", "a built-in version and a schema of its own: want one of them");
  if (!version.empty() && version != "v1.21.2") {
    return openapi->wrong("version",
                          fmt::format("'{}' is not built in: want v1.21.2, which kustomize 5.5 has", version));
  }
  shared.schemas_set = !path.empty() || !version.empty();
  if (path.empty()) return {};
  auto text = loader_.load(path);
  if (!text) return Fail(std::move(text).error().in(place("openapi")));
  TRY(auto table, SchemaTable::read(*text, loader_.display(path)));
  shared.schemas = std::make_shared<const SchemaTable>(std::move(table));
  return {};
}

Result<std::vector<std::string>> Target::strings(std::string_view key) const {
  TRY(auto in, root());
  return in.strings(key);
}

Result<std::vector<std::string>> Target::resources() const {
  TRY(auto all, strings("resources"));
  TRY(auto bases, strings("bases"));
  all.insert(all.end(), bases.begin(), bases.end());
  return all;
}

Result<std::optional<Rules>> Target::rules() const {
  std::optional<Rules> rules;
  TRY(auto paths, strings("configurations"));
  for (const auto& path : paths) {
    auto text = loader_.load(path);
    if (!text) return Fail(std::move(text).error().in(place("configurations")));
    TRY(auto more, read_rules(*text, loader_.display(path)));
    if (!rules) rules.emplace();
    TRY_OK_IN(place("configurations"), merge_rules(*rules, more));
  }
  TRY(auto crds, strings("crds"));
  for (const auto& path : crds) {
    auto text = loader_.load(path);
    if (!text) return Fail(std::move(text).error().in(place("crds")));
    TRY(auto more, read_crd_rules(*text, loader_.display(path)));
    if (!rules) rules.emplace();
    TRY_OK_IN(place("crds"), merge_rules(*rules, more));
  }
  return rules;
}

Result<std::vector<std::shared_ptr<Resource>>> Target::generate() const {
  TRY(auto in, root());
  TRY(auto child, in.child("generatorOptions", {"labels", "annotations", "disableNameSuffixHash", "immutable"}));
  TRY(auto defaults, read_generator_options(child));
  std::vector<std::shared_ptr<Resource>> all;
  TRY(auto maps, in.items("configMapGenerator", config_map_fields));
  for (const auto& item : maps) {
    TRY(auto resource, manifest::generate(loader_, item, Generated::config_map, defaults));
    if (loader_.shared().track) resource->origin = origin_of("ConfigMapGenerator");
    all.push_back(std::move(resource));
  }
  TRY(auto secrets, in.items("secretGenerator", secret_fields));
  for (const auto& item : secrets) {
    TRY(auto resource, manifest::generate(loader_, item, Generated::secret, defaults));
    if (loader_.shared().track) resource->origin = origin_of("SecretGenerator");
    all.push_back(std::move(resource));
  }
  return all;
}

Result<> Target::patch(ResMap& map, const Input& in) const {
  TRY(auto merges, in.strings("patchesStrategicMerge"));
  std::vector<Patch> patches;
  for (const auto& text : merges) {
    TRY(auto loaded, load_merge(loader_, text, place("patchesStrategicMerge")));
    patches.push_back(std::move(loaded));
  }
  auto merge_count = patches.size();
  TRY(auto entries, in.items("patches", patch_fields));
  for (const auto& entry : entries) {
    TRY(auto loaded, load_patch(loader_, entry));
    patches.push_back(std::move(loaded));
  }
  for (std::size_t i = 0; i < patches.size(); ++i) {
    TRY_OK(apply_patch(map, patches[i]));
    // All strategic merges are one step, each entry of `patches` one of its own.
    if (i + 1 == merge_count) changed(map, "PatchStrategicMergeTransformer");
    if (i >= merge_count) changed(map, "PatchTransformer");
    map.drop_empty();
  }
  return {};
}

Result<> Target::name(ResMap& map, const Input& in, const Rules& rules) const {
  TRY(auto space, in.str("namespace"));
  if (!space.empty()) {
    TRY_OK(set_space(map, {.space = space, .specs = rules.space}));
    changed(map, "NamespaceTransformer");
  }
  TRY(auto prefix, in.str("namePrefix"));
  if (!prefix.empty()) {
    TRY_OK(add_prefix(map, prefix, rules.name_prefix));
    changed(map, "PrefixTransformer");
  }
  TRY(auto suffix, in.str("nameSuffix"));
  if (!suffix.empty()) {
    TRY_OK(add_suffix(map, suffix, rules.name_suffix));
    changed(map, "SuffixTransformer");
  }
  return {};
}

Result<> Target::label(ResMap& map, const Input& in, const Rules& rules) const {
  TRY(auto labels,
      in.items("labels", {"pairs", "includeSelectors", "includeTemplates", "includeVolumeClaimTemplates", "fields"}));
  for (const auto& item : labels) {
    TRY(auto pairs, item.string_map("pairs"));
    TRY(auto specs, item.field_specs("fields"));
    TRY_OK_IN(place("labels"), merge_specs(specs, rules.labels));
    TRY(bool selectors, item.flag("includeSelectors"));
    TRY(bool templates, item.flag("includeTemplates"));
    if (selectors) {
      TRY_OK_IN(place("labels"), merge_specs(specs, rules.common_labels));
    } else {
      if (templates) {
        TRY_OK_IN(place("labels"), merge_specs(specs, rules.template_labels));
      }
      TRY_OK_IN(place("labels"), merge_specs(specs, {{{}, "metadata/labels", true}}));
    }
    TRY(bool claims, item.flag("includeVolumeClaimTemplates"));
    if (claims) {
      FieldSpec claim_labels{{}, "spec/volumeClaimTemplates[]/metadata/labels", true};
      claim_labels.gvk.kind = "StatefulSet", claim_labels.gvk.group = "apps";
      TRY_OK_IN(place("labels"), merge_specs(specs, {claim_labels}));
    }
    TRY_OK(set_strings(map, pairs, specs));
    changed(map, "LabelTransformer");
  }
  TRY(auto common, in.string_map("commonLabels"));
  TRY_OK(set_strings(map, common, rules.common_labels));
  if (!labels.empty() || !common.empty()) changed(map, "LabelTransformer");
  TRY(auto annotations, in.string_map("commonAnnotations"));
  TRY_OK(set_strings(map, annotations, rules.common_annotations));
  if (!annotations.empty()) changed(map, "AnnotationsTransformer");
  return {};
}

Result<> Target::adjust(ResMap& map, const Input& in, const Rules& rules) const {
  TRY(auto patches, in.items("patchesJson6902", patch_fields));
  for (const auto& entry : patches) {
    TRY(auto loaded, load_json_patch(loader_, entry, "patch"));
    TRY_OK(apply_patch(map, loaded));
    changed(map, "PatchJson6902Transformer");
  }
  TRY(auto replicas, in.items("replicas", {"name", "count"}));
  for (const auto& item : replicas) {
    ReplicaChange change;
    TRY(change.name, item.str("name"));
    TRY(change.count, item.number("count"));
    TRY_OK_IN(place("replicas"), set_replicas(map, change, rules.replicas));
    changed(map, "ReplicaCountTransformer");
  }
  for (auto key : {"images", "imageTags"}) {
    TRY(auto images, in.items(key, ImageChange::fields));
    for (const auto& item : images) {
      TRY(auto change, ImageChange::read(item));
      TRY_OK(set_image(map, change, rules.images));
      changed(map, "ImageTagTransformer");
    }
  }
  TRY(auto replacements, in.items("replacements", {"path", "source", "sourceValue", "targets"}));
  for (const auto& item : replacements) {
    TRY(auto loaded, load_replacement(loader_, item));
    for (const auto& replacement : loaded) TRY_OK_IN(place("replacements"), apply_replacement(map, replacement));
  }
  if (!replacements.empty()) changed(map, "ReplacementTransformer");
  return {};
}

Result<> Target::transform(ResMap& map, const Rules& rules) const {
  TRY(auto in, root());
  TRY_OK(patch(map, in));
  TRY_OK(name(map, in, rules));
  TRY_OK(label(map, in, rules));
  TRY_OK(adjust(map, in, rules));
  map.drop_empty();
  return {};
}

Result<std::vector<Var>> Target::vars() const {
  std::vector<Var> all;
  TRY(auto in, root());
  TRY(auto items, in.items("vars", {"name", "objref", "fieldref"}));
  for (const auto& item : items) {
    TRY(auto var, Var::read(item));
    all.push_back(std::move(var));
  }
  return all;
}

Result<SortOptions> Target::sort_options() const {
  TRY(auto in, root());
  SortOptions options;
  TRY(auto child, in.child("sortOptions", {"order", "legacySortOptions"}));
  options.legacy = loader_.options().order == KustomizeOptions::Order::legacy;
  if (!child) return options;
  TRY(auto order, child->str("order"));
  if (order != "fifo" && order != "legacy")
    return child->wrong("order", "the field 'sortOptions.order' must be one of [fifo, legacy]");
  options.legacy = order == "legacy";
  TRY(auto legacy, child->child("legacySortOptions", {"orderFirst", "orderLast"}));
  if (!legacy) return options;
  if (!options.legacy)
    return child->wrong("legacySortOptions", "set, but the selected sort order is 'fifo', not 'legacy'");
  TRY(options.first, legacy->strings("orderFirst"));
  TRY(options.last, legacy->strings("orderLast"));
  return options;
}

void add_step(ResMap& map, const doc::Value& origin) {
  for (const auto& resource : map.all()) {
    if (resource->origin.is_null()) {
      resource->origin = origin;
    } else {
      resource->transformations.push_back(origin);
    }
  }
}

void Target::changed(ResMap& map, std::string_view kind) const {
  if (loader_.shared().track) add_step(map, origin_of(kind));
}

void Target::set_relative(const std::string& above, const std::string& path) {
  relative_ = (fs::path(above) / path).lexically_normal().string();
  if (relative_.ends_with('/')) relative_.pop_back();
}

doc::Value Target::origin_of(std::string_view kind) const {
  doc::Value origin;
  origin["configuredIn"] = doc::Value((fs::path(relative_) / name_).lexically_normal().string());
  auto& by = origin["configuredBy"];
  by["apiVersion"] = doc::Value("builtin"), by["kind"] = doc::Value(kind);
  return origin;
}

Result<> Target::add_metadata(ResMap& map) const {
  TRY(auto metadata, strings("buildMetadata"));
  for (const auto& option : metadata) {
    if (option == "managedByLabel") {
      TRY_OK(set_strings(map, {{"app.kubernetes.io/managed-by", "kustomize-v5.5.0"}}, {{{}, "metadata/labels", true}}));
      continue;
    }
    bool origins = option == "originAnnotations";
    if (!origins && option != "transformerAnnotations") {
      return fail(Kind::invalid,
                  "{}: buildMetadata: '{}', want originAnnotations, transformerAnnotations or managedByLabel",
                  place("buildMetadata"), option);
    }
    for (const auto& resource : map.all()) {
      auto told = origins ? resource->origin : doc::Value(resource->transformations);
      if (told.is_null() || (told.is_list() && told.if_list()->empty())) continue;
      auto key = origins ? "config.kubernetes.io/origin" : "alpha.config.kubernetes.io/transformations";
      resource->node["metadata"]["annotations"][key] = doc::Value(doc::print_yaml(told));
    }
  }
  return {};
}

}  // namespace slipway::manifest
