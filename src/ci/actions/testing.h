#pragma once
// A runner with stores, for tests of actions. Private to ci's tests.
#include "ci/testing.h"

namespace slipway::ci {

class ActionsTest : public RunnerTest {
 protected:
  ActionsTest()
      : blobs(must(store::BlobStore::open(dir.path() / "blobs"))),
        cache(must(open_file_job_cache(dir.path() / "cache"))) {
    options.blobs = blobs.get();
    options.cache = cache.get();
    options.cache_jobs = false;
  }
  // A program of the host that says its version, first on the PATH of steps.
  void tool(const std::string& path, const std::string& says) {
    auto file_path = dir.path() / path;
    must(make_dirs(file_path.parent_path()));
    must(write_file(file_path, "#!/bin/sh\necho '" + says + "'\n", 0755));
  }
  void own_path() { options.path = (dir.path() / "bin").string() + ":/usr/bin:/bin"; }

  std::unique_ptr<store::BlobStore> blobs;
  std::unique_ptr<JobCache> cache;
};

}  // namespace slipway::ci
