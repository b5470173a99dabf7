#include "engine/approvals.h"

#include <algorithm>

#include "base/text.h"
#include "ci/plan.h"

namespace slipway::engine {
namespace {

bool has(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// "" when the ref may deploy.
std::string ref_rule(const path::JobEnvironment& rules, const std::string& ref) {
  if (rules.branches.empty() && rules.tags.empty()) return "";
  bool tag = ref.starts_with("refs/tags/"), branch = ref.starts_with("refs/heads/");
  auto name = tag ? ref.substr(10) : branch ? ref.substr(11) : ref;
  if (tag && ci::matches_patterns(rules.tags, name)) return "";
  if (branch && ci::matches_patterns(rules.branches, name)) return "";
  std::vector<std::string> allowed;
  for (const auto& pattern : rules.branches) allowed.push_back("branch " + pattern);
  for (const auto& pattern : rules.tags) allowed.push_back("tag " + pattern);
  return fmt::format("{} may not deploy to {}: its rules allow {}", name, rules.name, join(allowed, ", "));
}

bool is_reviewer(const path::JobEnvironment& rules, const std::string& person, const std::vector<std::string>& groups) {
  return has(rules.users, person) ||
         std::any_of(groups.begin(), groups.end(), [&](const auto& group) { return has(rules.groups, group); });
}

bool is_for(const path::Approval& a, const path::JobEnvironment& rules, const Entry& entry) {
  auto at = parse_rfc3339(a.at);
  return a.run == entry.run && a.commit == entry.commit && a.attempt == entry.attempt && at && *at >= entry.since &&
         iequals(a.environment, rules.name) && (a.job.empty() || a.job == entry.job);
}

}  // namespace

std::string reviewers_of(const path::JobEnvironment& rules) {
  auto text = join(rules.users, ", ");
  for (const auto& group : rules.groups)
    text += fmt::format("{}somebody of the group {}", text.empty() ? "" : ", or ", group);
  return text;
}

Result<> may_review(const path::JobEnvironment& rules, const std::vector<std::string>& started_by,
                    const std::string& person, const std::vector<std::string>& groups) {
  if (rules.users.empty() && rules.groups.empty())
    return fail(Kind::denied, "{} of {} asks nobody for an approval", rules.name, rules.repository);
  if (!is_reviewer(rules, person, groups))
    return fail(Kind::denied, "{} may not review {} of {}: {} may", person, rules.name, rules.repository,
                reviewers_of(rules));
  if (rules.prevent_self_review && has(started_by, person))
    return fail(Kind::denied, "{} started this run, and {} of {} wants somebody else's word: {}", person, rules.name,
                rules.repository, reviewers_of(rules));
  return {};
}

Decision decide(const path::JobEnvironment& rules, const Entry& entry, const std::vector<path::Approval>& approvals,
                WallTime now) {
  Decision out;
  if (out.why = ref_rule(rules, entry.ref); !out.why.empty()) {
    out.what = Decision::What::refused;
    return out;
  }
  for (const auto& a : approvals) {
    if (!is_for(a, rules, entry) || !may_review(rules, entry.started_by, a.by, a.groups)) continue;
    if (!a.approved) {
      out.what = Decision::What::refused;
      out.why = fmt::format("{} rejected it for {}{}", a.by, rules.name, a.comment.empty() ? "" : ": " + a.comment);
      return out;
    }
    if (!has(out.by, a.by)) out.by.push_back(a.by);
  }
  bool asks = !rules.users.empty() || !rules.groups.empty();
  auto missing = asks ? rules.approvals - static_cast<int>(out.by.size()) : 0;
  auto& w = out.waiting;
  w.environment = rules.name, w.since = entry.since;
  if (missing > 0) {
    w.who = rules.users;
    for (const auto& group : rules.groups) w.who.push_back("group " + group);
    w.why = fmt::format("waits for {} for {}: {}",
                        missing == 1 ? std::string("an approval") : fmt::format("{} approvals", missing), rules.name,
                        reviewers_of(rules));
  }
  if (auto until = entry.since + rules.wait; rules.wait > Millis(0) && now < until) {
    w.until = until;
    w.why += fmt::format("{} until {}", w.why.empty() ? "waits for " + rules.name : ", and", rfc3339(until));
  }
  if (!w.why.empty()) out.what = Decision::What::wait;
  return out;
}

}  // namespace slipway::engine
