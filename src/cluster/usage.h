#pragma once
// What pods use of the node, as the metrics API of Kubernetes tells it.
#include <string>
#include <vector>

#include "base/time.h"
#include "kube/object.h"

namespace slipway::cluster {

struct ContainerUsage {
  std::string name;
  std::int64_t cpu_nanos = 0;  // of core time a second, over the window
  std::int64_t memory_bytes = 0;
};
// A pod all of whose containers run and were seen over a window.
struct PodUsage {
  kube::Key pod;
  WallTime time;     // the end of the window
  Millis window{0};  // over which the CPU was counted
  std::vector<ContainerUsage> containers;
};
struct NodeUsage {
  std::string name;
  WallTime time;
  Millis window{0};
  std::int64_t cpu_nanos = 0, memory_bytes = 0;  // of the whole machine
};

}  // namespace slipway::cluster
