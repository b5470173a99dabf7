#pragma once
// What stands between a job and its start, beside the graph: the rules of the environment it names, and the hand that
// starts a job `when: manual`. Whoever keeps the rules (the engine) implements it; a run by hand has none.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/time.h"

namespace slipway::ci {

// Why a job has not started yet, for people.
struct Waiting {
  std::string why;                // "waits for an approval for production: ada, or somebody of the group ops"
  std::string environment;        // "" for a manual job without one
  std::vector<std::string> who;   // who may approve; empty: nobody is asked
  WallTime since{};               // from when it could have started
  std::optional<WallTime> until;  // the timer ends
  bool by_hand = false;           // somebody must start it
  friend bool operator==(const Waiting&, const Waiting&) = default;
};

class Environments {
 public:
  struct Wish {
    std::string key, name;    // of the job
    std::string environment;  // "" none
    bool by_hand = false;     // `when: manual`
    bool deployment = true;   // false: no record of it (`deployment: false`)
  };
  // What only jobs of the environment get; over those of the repository.
  struct Grant {
    std::map<std::string, std::string> secrets, vars;
  };
  virtual ~Environments() = default;
  // Waits until the job may start; tells `waiting` whenever what it waits for changes. Errors: denied (the rules, or a
  // person, refuse it: the job fails and says so); cancelled (the context stopped). Threads: any, several at once.
  virtual Result<Grant> enter(const Ctx& ctx, const Wish& wish, const std::function<void(const Waiting&)>& waiting) = 0;
};

}  // namespace slipway::ci
