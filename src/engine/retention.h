#pragma once
// What the path remembers of the past: enough to answer `why` and to choose what is next, and no more. Git and the
// registry keep the rest.
#include <string>
#include <vector>

#include "kube/client.h"

namespace slipway::engine {

struct House;

struct Retention {
  std::size_t changes = 200;       // newest of each repository, with their runs and logs
  std::size_t artifacts = 50;      // newest of each service, with their promotions and releases
  std::size_t notices = 500;       // newest of all
  Millis young{24 * 3600 * 1000};  // nothing younger goes
};

// All path objects, and the commits that branches and pull requests are at.
struct Past {
  std::vector<kube::Object> changes, runs, artifacts, promotions, releases, notices, requests;
  std::vector<std::string> tips;
};
struct Overdue {
  std::string kind, name;
  friend bool operator==(const Overdue&, const Overdue&) = default;
};
// What may go, in the order in which it must: an artifact before the releases that say what became of it, or it would
// be promoted again. Kept whatever its age: what runs, what is under way, what an open pull request shows, and the
// Change of every tip (a tip without one is a push to be run).
std::vector<Overdue> overdue(const Past& past, const Retention& rules, WallTime now);

// Lists, decides, deletes; logs of runs go with them.
Result<> forget_the_past(const Ctx& ctx, House& house, const Retention& rules = {});

}  // namespace slipway::engine
