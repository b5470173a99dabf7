#pragma once
// Kustomize in process: what `kustomize build` 5.5 prints, byte for byte, from a folder or from a Git tree.
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"
#include "doc/value.h"
#include "manifest/remote.h"
#include "manifest/source.h"

namespace slipway::manifest {

struct KustomizeOptions {
  // May files be read from outside the kustomization's own folder (never from outside the source)?
  enum class LoadRestrictor { root_only, none } load_restrictor = LoadRestrictor::root_only;
  enum class Order { legacy, none } order = Order::legacy;  // when the kustomization has no sortOptions
  // Laid over the root kustomization, as Argo CD and Flux do: a map of kustomization fields; lists are appended.
  doc::Value overrides;
  // Who brings what is elsewhere; null: naming it is an error.
  Remotes* remotes = nullptr;
};

// The objects of the kustomization in `folder` of the source. Errors: not_found (no kustomization, a file it
// names), invalid (file:line:col), conflict (two objects of one id), denied (a path that leaves the source).
Result<std::vector<doc::Value>> kustomize_build(const Ctx& ctx, FileSource& source, const std::string& folder,
                                                const KustomizeOptions& options = {});
// The same on disk. The source is the enclosing Git work tree, or the whole file system where there is none.
Result<std::vector<doc::Value>> kustomize_build(const Ctx& ctx, const fs::path& folder,
                                                const KustomizeOptions& options = {});

// kustomization.yaml, kustomization.yml or Kustomization in the folder; nothing when there is none.
Result<std::optional<std::string>> find_kustomization(FileSource& source, const std::string& folder);

// As kustomize and kubectl print them: keys sorted, documents parted by "---".
std::string print_objects(const std::vector<doc::Value>& objects);
std::string print_object(const doc::Value& object);

}  // namespace slipway::manifest
