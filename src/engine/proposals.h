#pragma once
// Promotions as pull requests of the configuration repository: opened, followed, and closed when something newer took
// their place.
#include <set>

#include "engine/promotions.h"
#include "promote/chain.h"
#include "promote/promote.h"

namespace slipway::engine {

// What is carried out in one go.
struct Batch {
  std::vector<promote::Request> requests;
  path::Environment environment;  // its rules; none: a promotion by hand
  path::Pipeline pipeline;        // that it is of
  promote::ConfigRepo config;
  std::string repository;
};

// The promotion that took the place of this one before it was carried out, "" for none.
Result<std::string> overtaken_by(const Ctx& ctx, House& house, const kube::Object& promotion,
                                 const std::vector<promote::Passed>& artifacts);
// What waits in a pull request for the same environment comes along: where all goes together there is one at a time.
Result<> take_along(const Ctx& ctx, House& house, Batch& batch);
// The commit becomes a pull request. One that was opened before a kill is found again: it has the same author, parent
// and subject.
Result<> propose(const Ctx& ctx, House& house, git::Repository& repository, const Batch& batch);
// What became of what waits, by the chain's rules of now (`due`: names of what it wants): overtaken by something newer
// and skipped, in conflict with the branch and proposed anew, given up with its request. A request that holds nothing
// any more is closed.
Result<> follow_proposals(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                          const std::vector<promote::Passed>& artifacts, const std::set<std::string>& due);

// What holds back now what a pull request promotes.
struct Hold {
  std::string why;                              // which window, "" for none
  WallTime until;                               // when to look again
  std::vector<path::Environment> environments;  // that it promotes to, held back or not
};
Result<Hold> hold_on(const Ctx& ctx, House& house, const std::string& repository, int number);

}  // namespace slipway::engine
