#pragma once
// An image is scanned as soon as it is built: what the policy stops never becomes an artifact.
#include <atomic>

#include "path/services.h"

namespace slipway::engine {

class ScanningBuilder final : public path::ImageBuilder {
 public:
  ScanningBuilder(path::ImageBuilder& builder, path::Scanner& scanner) : builder_(builder), scanner_(scanner) {}
  // Errors: those of the build; denied, naming each finding that the policy stops on.
  Result<path::BuildResult> build(const Ctx& ctx, const path::BuildRequest& request, const path::LogSink& log) override;

  // Time spent in RUN commands so far.
  Millis user_time() const { return Millis(user_millis_.load()); }

 private:
  std::atomic<std::int64_t> user_millis_ = 0;
  path::ImageBuilder& builder_;
  path::Scanner& scanner_;
};

}  // namespace slipway::engine
