#pragma once
// Events about objects: the same thing said again bumps a count instead of adding an event.
#include "kube/client.h"

namespace slipway::kube {

struct Happening {
  std::string type;    // Normal or Warning
  std::string reason;  // one word: ScalingReplicaSet
  std::string message;
  std::string component;  // who says so: deployment-controller
};
// Never fails: an event that cannot be written is logged. Threads: any.
void record_event(const Ctx& ctx, Client& client, const Object& about, const Happening& what);

}  // namespace slipway::kube
