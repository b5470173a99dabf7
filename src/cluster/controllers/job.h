#pragma once
// The decisions of the Job controller, from values alone. Private to the room.
#include "cluster/controllers/common.h"

namespace slipway::cluster {

inline constexpr std::string_view tracking_finalizer = "batch.kubernetes.io/job-tracking";
inline constexpr std::string_view index_annotation = "batch.kubernetes.io/job-completion-index";

struct JobPlan {
  doc::Value status;                        // to be written before anything else is done
  std::vector<kube::Object> untrack;        // finished and counted in `status`: their finalizer may go
  std::vector<kube::Object> remove;         // running, but not wanted any more
  std::vector<std::int64_t> create;         // completion indexes; -1 for jobs without
  std::string event_reason, event_message;  // "" for none
  bool finished = false;
  std::optional<Millis> again;
};
// A finished pod is first named in status.uncountedTerminatedPods, then loses its finalizer, then moves into the
// counters: killed anywhere in between, it is counted once.
JobPlan plan_job(const kube::Object& job, const std::vector<kube::Object>& pods, WallTime now);
// "0-2,5" and back.
std::set<std::int64_t> parse_indexes(std::string_view text);
std::string print_indexes(const std::set<std::int64_t>& indexes);
bool is_job_finished(const kube::Object& job);

}  // namespace slipway::cluster
