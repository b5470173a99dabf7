#pragma once
// The rules of environments, kept for the jobs of one run: who waits, who may, what they get, and what ran there last.
#include "ci/runner.h"
#include "engine/approvals.h"
#include "kube/client.h"
#include "path/objects.h"

namespace slipway::engine {

struct House;

// Threads: any.
class RunEnvironments final : public ci::Environments {
 public:
  RunEnvironments(House& house, const kube::Object& run, const path::Change& change);
  Result<Grant> enter(const Ctx& ctx, const Wish& wish,
                      const std::function<void(const ci::Waiting&)>& waiting) override;
  // A job that got in has ended: the environment remembers it.
  void ended(const Ctx& ctx, const ci::JobResult& result);

  // Whether a run that waits for people may go on now; else when it should be looked at again.
  struct Rest {
    bool goes_on = false;
    std::optional<WallTime> until;
  };
  Result<Rest> rest(const Ctx& ctx, const kube::Object& run);

 private:
  struct Look {
    Decision decision;
    std::string object;  // the environment's
    std::map<std::string, std::string> vars;
  };
  Result<Look> look(const Ctx& ctx, const Wish& wish, WallTime since);
  Result<std::optional<path::JobEnvironment>> rules_of(const Ctx& ctx, const std::string& name);
  WallTime since(const std::string& job);
  Result<> begun(const Ctx& ctx, const Wish& wish, const Look& look);
  Result<std::map<std::string, std::string>> secrets_of(const Ctx& ctx, const std::string& object);

  House& house_;
  std::string run_;
  path::Change change_;
  std::int64_t attempt_;
  std::vector<std::string> started_by_;
  Guarded<std::map<std::string, WallTime>> since_;  // of jobs that wait
};

// Values of a Secret of the home namespace, known to the log as secret from now on; empty when there is none.
Result<std::map<std::string, std::string>> secret_values(const Ctx& ctx, House& house, const std::string& name);
// Data of the ConfigMap ci-REPOSITORY: what workflows see as `vars`.
Result<std::map<std::string, std::string>> repository_vars(const Ctx& ctx, House& house, const std::string& repository);

// An Approval was made: whoever waits looks again, and others are told of it.
Result<> take_approval(const Ctx& ctx, House& house, const std::string& name);

}  // namespace slipway::engine
