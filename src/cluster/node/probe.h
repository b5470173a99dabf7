#pragma once
// Probes: what is asked (one attempt), and when (the schedule with its thresholds).
#include "box/box.h"
#include "cluster/node/pod.h"

namespace slipway::cluster {

struct ProbeTarget {
  std::string ip;                     // of the pod
  doc::View container;                // for named ports
  box::Container* running = nullptr;  // for exec
};
// One attempt of httpGet, tcpSocket, exec or grpc. Errors: what a "Unhealthy" event says.
Result<> probe_once(const Ctx& ctx, doc::View probe, const ProbeTarget& target);
// The number behind a port or a port's name. Errors: invalid.
Result<int> port_number(doc::View port, doc::View container);

enum class ProbeKind { startup, readiness, liveness };
std::string_view to_string(ProbeKind kind);

// When to try next and what the results mean. A probe is tried as soon as its initial delay allows, then at short
// growing intervals until it first succeeds, so that being up is noticed within milliseconds; failures count only at
// the pace of periodSeconds. Threads: one.
class ProbeSchedule {
 public:
  using Time = Clock::time_point;
  ProbeSchedule(doc::View probe, Time started);
  std::optional<Time> due() const { return in_flight_ ? std::nullopt : std::optional(next_); }
  void begin() { in_flight_ = true; }
  enum class Verdict { unchanged, passed, failed };
  // failed: the failure threshold has been reached.
  Verdict finish(bool success, Time now);
  // What an outcome of now may cost: waiting time of one attempt.
  Millis timeout() const { return timeout_; }
  int failures() const { return failures_; }  // in a row, of those that count

 private:
  Millis period_, timeout_, early_;
  int success_threshold_, failure_threshold_, successes_ = 0, failures_ = 0;
  bool in_flight_ = false, ever_ = false;
  Time next_, count_at_;
};

// gRPC health checking version 1 over cleartext HTTP/2. Errors: unavailable, timeout.
Result<> check_grpc_health(const Ctx& ctx, const std::string& ip, int port, std::string_view service);

}  // namespace slipway::cluster
