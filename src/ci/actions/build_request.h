#pragma once
// What docker/build-push-action asks of the builder.
#include "ci/detail/job_run.h"
#include "path/services.h"

namespace slipway::ci {

// Lines and words at commas.
std::vector<std::string> words_of(const ActionUse& use, std::string_view input);

struct WantedBuild {
  path::BuildRequest request;
  // The job owns what is in its folder, and may put a link anywhere at any time: the request names folders and sockets
  // of it by descriptors.
  std::vector<Fd> held;
  std::vector<TempDir> folders;
  // Caches that go to folders of the job: written aside, then moved in.
  struct Cache {
    TempDir folder;
    std::string to;  // relative to home
  };
  std::vector<Cache> caches;
};
// Errors: invalid, not_found; unavailable for what the builder cannot do, which is refused, not left out in silence.
Result<WantedBuild> wanted_build(const Ctx& ctx, ActionUse& use);

}  // namespace slipway::ci
