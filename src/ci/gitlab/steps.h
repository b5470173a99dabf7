#pragma once
// What GitLab's jobs do around their scripts, as native actions: caches, artifacts, reports. Private to ci.
#include <memory>
#include <optional>

#include "ci/detail/job_run.h"

namespace slipway::ci::gitlab {

// "slipway/gitlab-cache" and its like, or null.
NativeAction find_step(std::string_view name);

// coverage: of a job's log. Threads: one at a time.
class CoverageFinder {
 public:
  explicit CoverageFinder(std::string_view pattern);  // as in the file: /.../
  ~CoverageFinder();
  void line(std::string_view text);
  std::optional<double> found() const { return found_; }  // in percent; of the last line that matched

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  std::optional<double> found_;
};

}  // namespace slipway::ci::gitlab
