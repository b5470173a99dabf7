#include "manifest/kustomize.h"

#include "doc/yaml.h"
#include "manifest/detail/build.h"

namespace slipway::manifest {

Result<std::vector<doc::Value>> kustomize_build(const Ctx& ctx, FileSource& source, const std::string& folder,
                                                const KustomizeOptions& options) {
  auto normal = join_path("", folder);
  if (!normal) return fail(Kind::denied, "'{}' is outside the repository", folder);
  TRY(auto map, build(ctx, source, *normal, options));
  std::vector<doc::Value> objects;
  objects.reserve(map.size());
  for (const auto& resource : map.all()) objects.push_back(std::move(resource->node));
  return objects;
}

Result<std::vector<doc::Value>> kustomize_build(const Ctx& ctx, const fs::path& folder,
                                                const KustomizeOptions& options) {
  std::error_code error;
  auto absolute = fs::canonical(folder, error);
  if (error) return fail(Kind::not_found, "{}: {}", folder.string(), error.message());
  auto root = root_around(absolute);
  DiskSource source(root);
  return kustomize_build(ctx, source, absolute.lexically_relative(root).string(), options);
}

constexpr doc::PrintOptions as_kustomize{.sort_keys = true, .width = 80};

std::string print_object(const doc::Value& object) { return doc::print_yaml(object, as_kustomize); }

std::string print_objects(const std::vector<doc::Value>& objects) { return doc::print_yaml_all(objects, as_kustomize); }

}  // namespace slipway::manifest
