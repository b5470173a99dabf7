#pragma once
// Files of a configuration repository with those that are sealed (SOPS) opened, in memory.
#include <functional>

#include "manifest/source.h"
#include "secret/sops.h"

namespace slipway::gitops {

using FindKeys = std::function<Result<std::vector<secret::AgeIdentity>>()>;

// The keys are asked for when the first sealed file is read. `learned` is told what was sealed, for a redaction set.
// Threads: one.
class SealedSource final : public manifest::FileSource {
 public:
  SealedSource(manifest::FileSource& below, FindKeys find_keys, std::function<void(std::string_view)> learned)
      : below_(&below), find_keys_(std::move(find_keys)), learned_(std::move(learned)) {}
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& folder) override { return below_->list(folder); }
  Result<bool> is_dir(const std::string& path) override { return below_->is_dir(path); }
  std::string display(const std::string& path) const override { return below_->display(path); }

 private:
  manifest::FileSource* below_;
  FindKeys find_keys_;
  std::function<void(std::string_view)> learned_;
  std::optional<std::vector<secret::AgeIdentity>> keys_;
};

}  // namespace slipway::gitops
