#include "gitops/flux/generate.h"

#include "base/text.h"
#include "doc/json.h"
#include "manifest/kustomize.h"

namespace slipway::gitops::flux {
namespace {

constexpr int deepest = 64;

Result<> gather(const Ctx& ctx, manifest::FileSource& files, const std::string& root, const std::string& below,
                int depth, doc::List& resources) {
  TRY_OK(ctx.alive());
  auto folder = root.empty() ? below : below.empty() ? root : root + "/" + below;
  if (depth > deepest)
    return fail(Kind::invalid, "{}: folders are nested deeper than {} levels", files.display(folder), deepest);
  TRY(auto own, manifest::find_kustomization(files, folder));
  if (own && depth > 0) {
    resources.emplace_back(below);
    return {};
  }
  TRY(auto entries, files.list(folder));
  for (const auto& entry : entries) {
    auto path = below.empty() ? entry.name : below + "/" + entry.name;
    if (entry.folder) {
      TRY_OK(gather(ctx, files, root, path, depth + 1, resources));
    } else if (entry.name.ends_with(".yaml") || entry.name.ends_with(".yml")) {
      resources.emplace_back(path);
    }
  }
  return {};
}

}  // namespace

Result<std::string> generate_kustomization(const Ctx& ctx, manifest::FileSource& files, const std::string& folder) {
  doc::List resources;
  TRY_OK(gather(ctx, files, folder, "", 0, resources));
  return doc::print_json(doc::Map{{"apiVersion", "kustomize.config.k8s.io/v1beta1"},
                                  {"kind", "Kustomization"},
                                  {"resources", std::move(resources)}});
}

}  // namespace slipway::gitops::flux
