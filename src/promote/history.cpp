#include "promote/history.h"

#include <map>

#include "base/text.h"
#include "promote/promote.h"

namespace slipway::promote {
namespace {

constexpr std::size_t longest_branch = 1000;  // commits of one merge that are looked at

// "shop@1a2b..." or the commit alone.
void read_source(std::string_view text, Past& past) {
  auto at = text.rfind('@');
  if (at != std::string_view::npos) past.source_repository = text.substr(0, at);
  past.source_commit = at == std::string_view::npos ? text : text.substr(at + 1);
}

void read_artifact(std::string_view text, Past& past) {
  auto at = text.rfind('@');
  past.image = text.substr(0, at);
  if (at == std::string_view::npos) return;
  if (auto digest = Digest::parse(text.substr(at + 1))) past.digest = *digest;
}

}  // namespace

std::vector<Past> promotions_of(const git::Commit& commit) {
  std::vector<Past> all;
  for (const auto& [key, value] : trailers(commit.message)) {
    if (key == "Slipway-Service") all.emplace_back().service = value;
    if (all.empty()) continue;
    auto& past = all.back();
    if (key == "Slipway-Environment") past.environment = value;
    if (key == "Slipway-Artifact") read_artifact(value, past);
    if (key == "Slipway-Commit") read_source(value, past);
    if (key == "Slipway-Run") past.run = value;
    if (key == "Slipway-Pull-Request") past.pull_request = value;
    if (key == "Slipway-Approved-By") past.approved_by = value;
    if (key == "Slipway-Override-Window") past.override_window = value;
    if (key == "Slipway-Promotion") past.promotion = value;
    if (key == "Slipway-Reverts") past.reverts = value;
  }
  for (auto& past : all) past.commit = commit.id;
  return all;
}

namespace {

class Walk {
 public:
  Walk(const git::Repository& repository, const HistoryFilter& filter) : repository_(repository), filter_(filter) {}

  Result<std::vector<Past>> from(git::Oid at) {
    while (!at.empty() && found_.size() < filter_.limit) {
      TRY(auto commit, repository_.commit(at));
      take(commit, commit);
      if (commit.parents.size() > 1) {
        TRY(auto merged, repository_.log(commit.parents[1], longest_branch, commit.parents[0]));
        for (const auto& one : merged) take(one, commit);
      }
      at = commit.parents.empty() ? git::Oid() : commit.parents[0];
    }
    if (found_.size() > filter_.limit) found_.resize(filter_.limit);
    return std::move(found_);
  }

 private:
  void take(const git::Commit& commit, const git::Commit& landed) {
    for (auto& past : promotions_of(commit)) {
      auto place = std::pair(past.service, past.environment);
      if (!past.reverts.empty()) taken_back_[place].emplace(past.reverts, landed.id);
      if (!filter_.service.empty() && past.service != filter_.service) continue;
      if (!filter_.environment.empty() && past.environment != filter_.environment) continue;
      past.landed = landed.id, past.at = landed.committer.when, past.by = landed.committer.name;
      const auto& back = taken_back_[place];
      // A merge is taken back by its own name or by that of what it merged.
      for (const auto& id : {past.commit, past.landed})
        if (auto by = back.find(id); past.reverts.empty() && by != back.end()) past.reverted_by = by->second;
      found_.push_back(std::move(past));
    }
  }

  const git::Repository& repository_;
  const HistoryFilter& filter_;
  std::vector<Past> found_;
  // By service and environment: what was taken back, and by what. Seen before what it takes back.
  std::map<std::pair<std::string, std::string>, std::map<git::Oid, git::Oid>> taken_back_;
};

}  // namespace

doc::Value to_doc(const Past& past) {
  doc::Map map{{"at", rfc3339(past.at)},
               {"service", past.service},
               {"environment", past.environment},
               {"image", past.image},
               {"digest", past.digest.empty() ? std::string() : past.digest.str()},
               {"commit", past.commit},
               {"landed", past.landed},
               {"by", past.by}};
  auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) map.set(key, value);
  };
  add("repository", past.source_repository), add("sourceCommit", past.source_commit), add("run", past.run);
  add("pullRequest", past.pull_request), add("approvedBy", past.approved_by), add("promotion", past.promotion);
  add("overrideWindow", past.override_window);
  add("reverts", past.reverts), add("revertedBy", past.reverted_by);
  return map;
}

Result<std::vector<Past>> history(const git::Repository& repository, const git::Oid& tip, const HistoryFilter& filter) {
  return Walk(repository, filter).from(tip);
}

}  // namespace slipway::promote
