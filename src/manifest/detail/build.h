#pragma once
// One kustomization on its way to objects.
#include <set>

#include "base/ctx.h"
#include "manifest/detail/transform.h"
#include "manifest/kustomize.h"

namespace slipway::manifest {

// What all kustomizations of one build share.
struct Shared {
  // kustomize sets its schema once: the first kustomization that names one decides.
  std::shared_ptr<const SchemaTable> schemas;
  bool schemas_set = false;
  bool track = false;  // buildMetadata: remember where objects came from and what changed them
};

// Reads files for a kustomization: relative to its folder, never outside the source.
class Loader {
 public:
  Loader(FileSource& source, std::string folder, const KustomizeOptions& options, Shared& shared)
      : source_(&source), folder_(std::move(folder)), options_(&options), shared_(&shared) {}
  const std::string& folder() const { return folder_; }
  FileSource& source() const { return *source_; }
  const KustomizeOptions& options() const { return *options_; }
  Shared& shared() const { return *shared_; }
  // Errors: not_found, denied.
  Result<std::string> load(const std::string& path) const;
  Result<bool> is_dir(const std::string& path) const;
  // The folder a base or component is in.
  Result<std::string> resolve(const std::string& path) const;
  std::string display(const std::string& path) const;

 private:
  FileSource* source_;
  std::string folder_;
  const KustomizeOptions* options_;
  Shared* shared_;
};

// What the build has gathered so far.
struct Gathered {
  ResMap map;
  std::optional<Rules> own_rules;  // those of `configurations` and crds; none: only kustomize's own
  std::map<std::string, Var> vars;
};

// A patch entry ({path|patch, target, options}) of a kustomization or a PatchTransformer.
Result<Patch> load_patch(const Loader& loader, const Input& in);
// patchesStrategicMerge: a file, or the patch itself.
Result<Patch> load_merge(const Loader& loader, const std::string& text, std::string_view source);
Result<Patch> load_json_patch(const Loader& loader, const Input& in, std::string_view inline_key);
Result<std::vector<Replacement>> load_replacement(const Loader& loader, const Input& in);

struct GeneratorDefaults {
  StringMap labels, annotations;
  bool no_hash = false, immutable = false;
};
Result<GeneratorDefaults> read_generator_options(const std::optional<Input>& in);
enum class Generated { config_map, secret };
Result<std::shared_ptr<Resource>> generate(const Loader& loader, const Input& in, Generated kind,
                                           const GeneratorDefaults& defaults);

// `generators` and `transformers`: configurations of the built-in plugins.
Result<std::vector<std::shared_ptr<Resource>>> run_generator(const Loader& loader, const Resource& config);
Result<> run_transformer(const Loader& loader, const Resource& config, ResMap& map);

// All of it: the objects of a folder with their final names.
Result<ResMap> build(const Ctx& ctx, FileSource& source, const std::string& folder, const KustomizeOptions& options);

}  // namespace slipway::manifest
