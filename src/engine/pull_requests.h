#pragma once
// Pull requests of the embedded host: opened by a push to refs/for/BRANCH, tested as the merge they would be, merged
// by moving the branch to exactly the commit that was tested.
#include "git/host.h"
#include "kube/client.h"
#include "path/types.h"

namespace slipway::engine {

struct House;

// HostPolicy::review_ref: the ref that keeps the pushed commit. Updates the pusher's open request that the commit
// continues (or the one named by `-o pr=N`), else opens a new one.
Result<std::string> review_ref(const Ctx& ctx, House& house, const git::Push& push, const git::RefUpdate& update,
                               const git::Repository& repository);
// After the ref is there: the PullRequest object follows it. Gives the line to show to the person.
Result<std::string> review_pushed(const Ctx& ctx, House& house, const git::Push& push, const git::RefUpdate& update);
// One look at a request: prepares the merge commit, records its Change, follows its runs, merges when asked and green.
Result<std::optional<Millis>> look_at_pull_request(const Ctx& ctx, House& house, const std::string& name);

// Nobody merges it any more: says why in its comment and takes its refs away. Of one that is not open nothing.
Result<> close_pull_request(const Ctx& ctx, House& house, const std::string& name, const std::string& why);

std::string pull_request_name(const std::string& repository, int number);

}  // namespace slipway::engine
