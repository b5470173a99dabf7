#pragma once
// How many pods each ReplicaSet of a rollout should have now. Rules: Argo Rollouts (research: progressive delivery).
#include <cstdint>

#include "rollout/spec.h"

namespace slipway::rollout {

struct Pods {
  std::int64_t wanted = 0;  // spec.replicas of the ReplicaSet
  std::int64_t available = 0;
};
struct Counts {
  std::int64_t canary = 0, stable = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
};

// Where a canary without traffic routing is going: the split of R (or R+1 with surge) pods nearest to the weight.
Counts split_of(std::int64_t replicas, std::int64_t weight, std::int64_t surge);

struct Move {
  std::int64_t replicas = 1, weight = 0;
  Share surge, unavailable;
  Pods canary, stable, older;  // older: all others together
};
struct Moved {
  Counts now;
  std::int64_t older = 0;  // pods the others may keep
};
// One move towards the split, inside R + surge pods and not below R - unavailable available ones: stable up first, then
// the canary; down: the others first.
Moved move_towards(const Move& move);

}  // namespace slipway::rollout
