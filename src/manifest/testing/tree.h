#pragma once
// A folder of kustomizations that goes with the test.
#include "base/testing/golden.h"
#include "base/text.h"
#include "manifest/kustomize.h"

namespace slipway::manifest {

// What is printed, or "error: " and why.
inline std::string built(const fs::path& root, const std::string& folder, const KustomizeOptions& options = {}) {
  DiskSource source(root);
  auto objects = kustomize_build(Ctx{}, source, folder, options);
  if (!objects) return "error: " + objects.error().what();
  return print_objects(*objects);
}

class Tree {
 public:
  Tree() : dir_(must(TempDir::make("kustomize"))) {}
  Tree& file(const std::string& path, std::string_view text) {
    auto full = dir_.path() / path;
    must(make_dirs(full.parent_path()));
    must(write_file(full, text));
    return *this;
  }
  const fs::path& path() const { return dir_.path(); }
  // Errors without the folder's own name.
  std::string build(const std::string& folder, const KustomizeOptions& options = {}) const {
    return replace_all(built(path(), folder, options), path().string() + "/", "");
  }

 private:
  TempDir dir_;
};

}  // namespace slipway::manifest
