#pragma once
// Earlier successes of one job or step, the newest first: the facts each rests on, and where its result is.
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "ci/jobcache.h"

namespace slipway::ci {

struct KeptAnswer {
  std::optional<Digest> facts;  // a blob (observe/observation.h); nothing: the key says it all
  std::string result;
};
std::vector<KeptAnswer> kept_answers(JobCache& cache, const std::string& key);
// Puts it first; of each key a few are kept: branches come and go.
Result<> keep_answer(JobCache& cache, const std::string& key, const KeptAnswer& answer);

// What SLIPWAY_INPUTS says: patterns of files; `infer`: found out by watching; `network`: what comes from there counts
// as fixed by what was read (lock files).
struct InputWords {
  std::vector<std::string> patterns;
  bool infer = false, network = false;
};
InputWords parse_inputs(std::string_view text);

}  // namespace slipway::ci
