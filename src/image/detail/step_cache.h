#pragma once
// What a step with these inputs gave.
#include <memory>

#include "oci/image.h"
#include "store/database.h"

namespace slipway::image::detail {

struct CachedStep {
  Digest diff_id;                             // "": the step changed nothing
  std::optional<oci::Descriptor> descriptor;  // once it was part of an image
};

// Threads: any.
class StepCache {
 public:
  static Result<std::unique_ptr<StepCache>> open(const fs::path& file);
  Result<std::optional<CachedStep>> find(const std::string& key);
  Result<> put(const std::string& key, const CachedStep& step);
  // The content key of files taken from a stage or image that is known by its layers.
  Result<std::optional<std::string>> content(const std::string& key);
  Result<> put_content(const std::string& key, const std::string& content);

 private:
  explicit StepCache(std::unique_ptr<store::Database> db) : db_(std::move(db)) {}
  std::unique_ptr<store::Database> db_;
};

}  // namespace slipway::image::detail
