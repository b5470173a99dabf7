#pragma once
// Where `slipway run` works: stores that stay from run to run, and a folder of its own that goes with it.
#include <memory>
#include <optional>

#include "ci/actions_source.h"
#include "ci/jobcache.h"
#include "ci/runner.h"
#include "ci/service.h"
#include "cli/local_store.h"
#include "image/builder.h"
#include "net/server.h"
#include "scan/scanner.h"

namespace slipway::cli {

// Everything lies in DATA/run: `jobs` (results and caches), `blobs` (artifacts), `kept` (jobs that failed), `last`
// (what the last run of each workflow gave), `work-*` (one a running process; what a killed one left is cleaned by the
// next).
class RunPlace {
 public:
  // `source`: the repository. Errors: denied, unavailable.
  static Result<std::unique_ptr<RunPlace>> open(const Arguments& arguments, const fs::path& source);
  ~RunPlace();

  ci::RunnerOptions options();
  // What the last run of this workflow gave, and what this one did. Errors: not_found with a hint.
  Result<std::vector<ci::JobResult>> last(const std::string& file) const;
  Result<> remember(const std::string& file, const std::vector<ci::JobResult>& jobs) const;
  // Removes what is this run's alone. Also when the process ends at once.
  void clean_up();

 private:
  RunPlace() = default;
  Result<> open_stores(const Arguments& arguments);
  Result<> open_services(const Arguments& arguments);
  fs::path last_file(const std::string& file) const;

  fs::path source_, root_;
  std::optional<TempDir> work_;
  std::optional<FileLock> lock_;
  std::unique_ptr<box::Runtime> runtime_;
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::unique_ptr<oci::LayerCache> layers_;
  std::unique_ptr<path::Scanner> scanner_;
  std::unique_ptr<path::ImageBuilder> builder_;
  std::unique_ptr<ci::JobCache> cache_;
  std::unique_ptr<ci::JobService> service_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<path::ClusterMaker> clusters_;
  std::shared_ptr<ci::ActionSource> actions_;
  std::optional<ci::ActionLock> action_lock_;
};

}  // namespace slipway::cli
