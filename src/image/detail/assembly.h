#pragma once
// A whole request: one image, or an index of one image a platform and what is said about them.
#include "image/agent.h"
#include "image/detail/build.h"

namespace slipway::image::detail {

// Threads: one.
class Assembly {
 public:
  Assembly(Workshop& shop, const Ctx& ctx, const path::BuildRequest& request, const path::LogSink& log);
  Result<path::BuildResult> run();

 private:
  Result<std::vector<oci::Platform>> platforms() const;
  Result<Built> build_one(const Ctx& ctx, const oci::Platform& platform);
  void import_caches(const std::vector<oci::Platform>& platforms);
  Result<> export_caches(const std::vector<Built>& built);
  Result<path::BuildResult> write_index(std::vector<Built>& built);
  std::vector<std::string> tags() const;
  Result<> start_agents();

  Workshop& shop_;
  FarLayers far_;
  Ctx ctx_;
  path::BuildRequest request_;  // its callbacks called by one thread at a time
  path::LogSink log_;
  std::mutex calling_;
  std::string repository_;
  std::vector<KeyAgent> agents_;
};

}  // namespace slipway::image::detail
