#pragma once
// What was promoted where, when, by which commit and from which run: read from the configuration repository alone,
// whose commits say it in their trailers.
#include <string>
#include <vector>

#include "git/repository.h"
#include "path/types.h"

namespace slipway::promote {

struct Past {
  git::Oid commit;  // that says it
  git::Oid landed;  // that brought it to the branch: the same, or the merge of its pull request
  WallTime at{};    // when it was there
  std::string by;   // who committed or merged
  std::string service, environment, image;
  Digest digest;
  std::string source_repository, source_commit, run, pull_request;  // what it was made of
  std::string approved_by, promotion;
  std::string override_window;  // who put it past which closed window, "" for none
  git::Oid reverts;             // the commit that it takes back, "" for a promotion
  git::Oid reverted_by;         // the commit that takes it back, "" for none
};
doc::Value to_doc(const Past& past);

// What one commit's trailers say: it may promote several services, each begins with its name.
std::vector<Past> promotions_of(const git::Commit& commit);

struct HistoryFilter {
  std::string service, environment;  // "" for all
  std::size_t limit = 100;
};
// From the tip backwards, newest first. A promotion that came by a pull request stands where it was merged. Errors:
// those of the repository.
Result<std::vector<Past>> history(const git::Repository& repository, const git::Oid& tip, const HistoryFilter& filter);

}  // namespace slipway::promote
