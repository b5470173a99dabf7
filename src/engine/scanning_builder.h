#pragma once
// An image is scanned as soon as it is built: what the policy stops never becomes an artifact. What passes is signed.
#include "base/guarded.h"
#include "path/services.h"

namespace slipway::engine {

class ScanningBuilder final : public path::ImageBuilder {
 public:
  using Endorse = std::function<Result<>(const Ctx&, const path::BuildRequest&, const Digest&)>;
  ScanningBuilder(path::ImageBuilder& builder, path::Scanner& scanner, Endorse endorse)
      : builder_(builder), scanner_(scanner), endorse_(std::move(endorse)) {}
  // Errors: those of the build; denied, naming each finding that the policy stops on.
  Result<path::BuildResult> build(const Ctx& ctx, const path::BuildRequest& request, const path::LogSink& log) override;

  // When RUN commands ran, so far.
  path::Spans commands() const { return *commands_.lock(); }

 private:
  mutable Guarded<path::Spans> commands_;
  path::ImageBuilder& builder_;
  path::Scanner& scanner_;
  Endorse endorse_;
};

}  // namespace slipway::engine
