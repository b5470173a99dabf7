#pragma once
// Flux's kustomization for a folder that has none: everything below it.
#include "base/ctx.h"
#include "manifest/source.h"

namespace slipway::gitops::flux {

// YAML files in folders and below; a folder with a kustomization of its own is one resource. Hidden files and folders
// are left out. Rule: fluxcd/pkg/kustomize, generator. Gives the text of a kustomization.
Result<std::string> generate_kustomization(const Ctx& ctx, manifest::FileSource& files, const std::string& folder);

// Files with that kustomization among them. Threads: one.
class WithKustomization final : public manifest::FileSource {
 public:
  WithKustomization(manifest::FileSource& below, const std::string& folder, std::string text)
      : below_(&below),
        path_(folder.empty() ? "kustomization.yaml" : folder + "/kustomization.yaml"),
        text_(std::move(text)) {}
  Result<std::optional<std::string>> read(const std::string& path) override {
    return path == path_ ? std::optional(text_) : below_->read(path);
  }
  Result<std::vector<Entry>> list(const std::string& folder) override { return below_->list(folder); }
  Result<bool> is_dir(const std::string& path) override { return below_->is_dir(path); }
  std::string display(const std::string& path) const override { return below_->display(path); }

 private:
  manifest::FileSource* below_;
  std::string path_, text_;
};

}  // namespace slipway::gitops::flux
