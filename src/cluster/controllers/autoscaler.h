#pragma once
// The decisions of the HorizontalPodAutoscaler controller, from values alone. Private to the room.
// Rules: pkg/controller/podautoscaler of Kubernetes 1.32 with the defaults of kube-controller-manager's flags.
#include <deque>

#include "cluster/controllers/common.h"

namespace slipway::cluster {

inline const kube::Type autoscaler_type{"autoscaling/v2", "HorizontalPodAutoscaler"};
inline constexpr Millis autoscaler_period{15'000};

// What a pod, or one container of it, uses: thousandths of a core or of a byte.
struct PodReading {
  std::int64_t milli = 0;
  WallTime time;  // the end of the window
  Millis window{0};
};
using PodReadings = std::map<std::string, PodReading>;  // by the pod's name

struct MetricQuestion {
  std::int64_t current = 0;  // replicas the target asks for
  std::string resource;      // "cpu", "memory"
  std::string container;     // "": the whole pod
  const std::vector<kube::Object>& pods;
  PodReadings readings;
  WallTime now;
};
struct MetricAnswer {
  std::int64_t replicas = 0;
  std::optional<std::int64_t> utilization;  // percent of what was requested
  std::int64_t average_milli = 0;
};
// Errors: unavailable (nothing was measured of these pods yet), invalid (a container requests nothing).
Result<MetricAnswer> replicas_by_utilization(MetricQuestion question, std::int64_t percent);
Result<MetricAnswer> replicas_by_average(MetricQuestion question, std::int64_t milli);

// What was thought and done about one target before; not kept over a restart, after which it scales down late.
struct ScaleMemory {
  struct Entry {
    Clock::time_point at;
    std::int64_t number = 0;  // replicas wanted; pods added or taken away
  };
  std::deque<Entry> wanted, added, taken;  // oldest first
};
struct ScaleWish {
  std::int64_t current = 0, desired = 0, least = 1, most = 1;
};
struct ScaleDecision {
  std::int64_t replicas = 0;
  std::string able_reason, able_message;
  bool limited = false;
  std::string limited_reason, limited_message;
};
// Steadies a wish by what was wanted lately, then keeps it within bounds and speed. `behavior`: .spec.behavior.
ScaleDecision settle(const ScaleWish& wish, const doc::View& behavior, ScaleMemory& memory, Clock::time_point now);
// A change was made.
void remember_change(std::int64_t before, std::int64_t after, ScaleMemory& memory, Clock::time_point now);

// One metric of a spec: what it asks for, as status.currentMetrics tells it, and how it is called in events.
struct MetricProposal {
  std::int64_t replicas = 0;
  std::string name;
  doc::Value status;
};
struct MetricFailure {
  std::string reason;    // of the condition: FailedGetResourceMetric
  std::string message;   // of the condition's event
  std::string whole;     // with the metric it was about
  bool not_yet = false;  // nothing was measured so far
};
struct MetricSources {
  std::string ns;
  std::int64_t current = 0;
  const std::vector<kube::Object>& pods;
  const Result<std::vector<PodUsage>>& usage;
  WallTime now;
};
std::expected<MetricProposal, MetricFailure> propose(const doc::View& metric, const MetricSources& sources);

class Autoscaler {
 public:
  explicit Autoscaler(const Env& env) : env_(env) {}
  Result<kube::Reconciled> reconcile(const Ctx& ctx, const kube::Key& key);

 private:
  struct Known {
    std::string uid;
    doc::Value spec;
    Clock::time_point since, due;
    ScaleMemory memory;
  };
  class Turn;
  const Env& env_;
  std::map<kube::Key, Known> known_;
};

}  // namespace slipway::cluster
