#pragma once
// `concurrency:` of workflows: runs of one group follow each other, oldest first. At most one waits, unless the group
// keeps all (`queue: max`); `cancel-in-progress` ends what is under way.
// Rule: "Control the concurrency of workflows and jobs".
#include <string>
#include <vector>

#include "ci/plan.h"
#include "kube/client.h"
#include "path/types.h"

namespace slipway::engine {

struct House;

constexpr std::string_view concurrency_label = "slipway.dev/concurrency";

// What the spec of a run keeps of its group; names of groups know no case and belong to one repository.
doc::Value concurrency_doc(const ci::Concurrency& concurrency, std::chrono::system_clock::time_point now);
std::string concurrency_group(const std::string& repository, const std::string& group);

// A run that is not final and holds, or wants, the group.
struct Claim {
  std::string run, since;  // since: when it was made, to the microsecond
  bool cancels = false, keeps_all = false, started = false;
};
struct Turn {
  enum class What { go, wait, cancelled } what = What::go;
  std::string why;
};
// Whose turn it is, from the view of `own`. `others`: the claims of its group that are not final, without its own.
Turn turn_of(const Claim& own, const std::vector<Claim>& others, const std::string& group);

// The same by the API; also asks running ones to stop when `own` cancels them.
Result<Turn> take_turn(const Ctx& ctx, House& house, const kube::Object& run);

}  // namespace slipway::engine
