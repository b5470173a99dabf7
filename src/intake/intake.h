#pragma once
// A push, a pull request, a webhook becomes a Change: what the rest of the path works on.
#include <map>
#include <string>
#include <vector>

#include "forge/hook.h"
#include "git/host.h"
#include "path/types.h"

namespace slipway::intake {

// One moved branch or tag. Paths are those touched since `before`; for a new branch since it left the default
// branch; for a new repository all. Errors: invalid (a deletion brings nothing), not_found.
Result<path::Change> change_of_push(const git::Repository& repository, const std::string& name,
                                    const git::RefUpdate& update, const std::string& pusher);

struct PullRequest {
  int number = 0;
  std::string base = "main";  // branch, or refs/heads/...
  git::Oid head;
  std::string author, title;
  bool trusted = true;
};
// As merging it now would be: tree and paths are those of the merge, `after` is the head.
// Errors: conflict, naming the files.
Result<path::Change> change_of_pull_request(const git::Repository& repository, const std::string& name,
                                            const PullRequest& request);

// What a forge's webhook says, as far as it says it: tree is empty, and paths too where the forge does not name all
// (then anything may be touched). With a mirror of the repository at hand, everything is filled in.
// Nothing: a deletion, or an event that changes no code.
Result<std::optional<path::Change>> change_of_hook(const forge::Hook& hook);
Result<std::optional<path::Change>> change_of_hook(const forge::Hook& hook, const git::Repository& mirror);

// The Changes that a kill kept from being made: of every branch and tag that is not where the last known Change
// left it. `known`: the ref to the last Change's `after`; a ref that is not in it counts as new.
Result<std::vector<path::Change>> missing_changes(const git::Repository& repository, const std::string& name,
                                                  const std::map<std::string, std::string>& known);

}  // namespace slipway::intake
