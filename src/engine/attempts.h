#pragma once
// What people ask of a run that is there: another attempt, an end, the start of a manual job. They write it into the
// run's spec with the number of the attempt they saw, so that two who press at once make one.
//   spec.rerun: {attempt, failed, resume, by}   spec.cancel: {attempt, by}   spec.start: {JOB: {attempt, by}}
#include <optional>
#include <string>
#include <vector>

#include "kube/object.h"

namespace slipway::engine {

// "call (a) / test (12, x)" is of call / test: in such paths jobs tell what they need.
std::string id_path(std::string_view key);

std::int64_t attempt_of(const kube::Object& run);  // 1 the first
// "cancelled by ada"; "" when nobody asked, or of an earlier attempt.
std::string asked_to_end(const kube::Object& run);
// Ids or keys of jobs that somebody started in this attempt.
std::vector<std::string> started_by_hand(const kube::Object& run);
// Who pushed, dispatched or ran it again.
std::vector<std::string> started_by(const kube::Object& run);

// Whether this attempt goes on at the steps that failed in the last one.
bool goes_on(const kube::Object& run);

// How a run that is over goes on: the status it begins with, and the jobs whose logs are of the past now.
struct Renewal {
  doc::Map status;
  std::vector<std::string> dropped;
};
// Another attempt; with `failed` the jobs that succeeded are kept, but for those after one that did not.
std::optional<Renewal> next_attempt(const kube::Object& run);
// The same attempt, with a manual job that was left out: that and what was skipped after it run.
std::optional<Renewal> reopened(const kube::Object& run);

}  // namespace slipway::engine
