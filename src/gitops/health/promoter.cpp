// GitOps Promoter: where a commit is on its way through the environments.
#include "base/text.h"
#include "gitops/health/functions.h"
#include "gitops/rules/fields.h"

namespace slipway::gitops::health {
namespace {

using namespace rules;

HealthStatus progressing(std::string message) { return {Health::progressing, std::move(message)}; }

std::string short_sha(const doc::Value& environment, std::string_view path) {
  return first_text(environment, path).substr(0, 7);
}

// "1 pending, 0 successful, 1 failed. Pending commit statuses: a. Failed commit statuses: b. "
std::string tally(const doc::Value& environment, std::string_view side) {
  auto keys = [&](std::string_view phase) {
    std::vector<std::string> found;
    for (const auto* one : at(environment, fmt::format(".{}.commitStatuses[phase={}].key", side, phase)))
      found.push_back(text_of(*one));
    return found;
  };
  auto pending = keys("pending"), successful = keys("success"), failed = keys("failure");
  auto out = fmt::format("{} pending, {} successful, {} failed. ", pending.size(), successful.size(), failed.size());
  if (!pending.empty()) out += fmt::format("Pending commit statuses: {}. ", join(pending, ", "));
  if (!failed.empty()) out += fmt::format("Failed commit statuses: {}. ", join(failed, ", "));
  return out;
}

bool unfinished(const doc::Value& environment) {
  return !at(environment, ".active.commitStatuses[phase=pending|failure]").empty();
}

// What the hydrator has processed: its note is newer than the commit it would change.
std::string hydrated(const doc::Value& environment) {
  auto note = short_sha(environment, ".proposed.note.drySha");
  return note.empty() ? short_sha(environment, ".proposed.dry.sha") : note;
}

}  // namespace

std::optional<HealthStatus> change_transfer_policy(const doc::Value& object) {
  const auto* status = object.find("status");
  if (status == nullptr) return std::nullopt;
  auto active = short_sha(*status, ".active.dry.sha"), proposed = short_sha(*status, ".proposed.dry.sha");
  if (active.empty()) return progressing("The active commit DRY SHA is missing or empty.");
  if (proposed.empty()) return progressing("The proposed commit DRY SHA is missing or empty.");
  if (active != proposed)
    return progressing(
        fmt::format("Promotion in progress from '{}' to '{}': {}", active, proposed, tally(*status, "proposed")));
  if (unfinished(*status))
    return HealthStatus{
        Health::healthy,
        "Environment is up-to-date, but there are non-successful active commit statuses: " + tally(*status, "active")};
  return HealthStatus{Health::healthy, fmt::format("Environment is up-to-date on commit {}.", active)};
}

std::optional<HealthStatus> promotion_strategy(const doc::Value& object) {
  auto environments = at(object, ".status.environments[]");
  if (environments.empty()) return HealthStatus{Health::degraded, "Promotion strategy has no environments configured"};
  for (const auto* one : environments)
    for (auto side : {"active", "proposed"})
      if (short_sha(*one, fmt::format(".{}.dry.sha", side)).empty())
        return progressing(fmt::format("The {} commit DRY SHA is missing or empty in environment '{}'.", side,
                                       one->str_at({"branch"})));
  auto processed = hydrated(*environments.front());
  for (const auto* one : environments)
    if (hydrated(*one) != processed)
      return progressing(
          "Not all environments have the same proposed commit SHA. This likely means the hydrator has not run for all "
          "environments yet.");
  auto done = fmt::format("Hydrator has processed dry commit '{}'.", processed);
  for (const auto* one : environments) {
    auto active = short_sha(*one, ".active.dry.sha"), proposed = short_sha(*one, ".proposed.dry.sha");
    if (active != proposed)
      return progressing(fmt::format("Promotion in progress for environment '{}' from '{}' to '{}': {}{} ",
                                     one->str_at({"branch"}), active, proposed, tally(*one, "proposed"), done));
  }
  for (const auto* one : environments)
    if (unfinished(*one))
      return HealthStatus{
          Health::healthy,
          fmt::format("Environment '{}' is up-to-date, but there are non-successful active commit statuses: {}",
                      one->str_at({"branch"}), tally(*one, "active"))};
  return HealthStatus{Health::healthy, fmt::format("All environments are up-to-date on commit '{}'. {}",
                                                   short_sha(*environments.front(), ".active.dry.sha"), done)};
}

}  // namespace slipway::gitops::health
