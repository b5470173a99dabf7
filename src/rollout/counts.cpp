#include "rollout/counts.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace slipway::rollout {

Counts split_of(std::int64_t replicas, std::int64_t weight, std::int64_t surge) {
  if (replicas == 0) return {0, 0};
  bool whole = weight == 0 || weight == 100 || (replicas == 1 && surge == 0);
  std::int64_t up = (replicas * weight + 99) / 100, down = replicas * weight / 100;
  struct Candidate {
    std::int64_t canary, total;
  };
  std::optional<Candidate> best;
  double best_error = 0;
  auto consider = [&](std::int64_t canary, std::int64_t total) {
    double error =
        std::abs(static_cast<double>(canary) * 100 / static_cast<double>(total) - static_cast<double>(weight));
    if (!best || error < best_error) best = Candidate{canary, total}, best_error = error;
  };
  auto half = [&](std::int64_t total) { return (total * weight) % 100 == 50; };
  if (up < replicas || whole) consider(up, replicas);
  if (!half(replicas) && (down > 0 || whole)) consider(down, replicas);
  if (surge > 0) {
    consider(up, replicas + 1);
    if (!half(replicas + 1) && (down > 0 || whole)) consider(down, replicas + 1);
  }
  if (!best) return {0, replicas};
  return {best->canary, best->total - best->canary};
}

Moved move_towards(const Move& m) {
  auto surge = m.surge.up(m.replicas), unavailable = m.unavailable.down(m.replicas);
  if (surge == 0 && unavailable == 0) unavailable = 1;
  auto goal = split_of(m.replicas, m.weight, surge);
  Moved out{{m.canary.wanted, m.stable.wanted}, m.older.wanted};
  auto room = m.replicas + surge - (m.canary.wanted + m.stable.wanted + m.older.wanted);
  auto grow = [&](std::int64_t& now, std::int64_t to) {
    auto by = std::clamp<std::int64_t>(to - now, 0, std::max<std::int64_t>(room, 0));
    now += by, room -= by;
  };
  grow(out.now.stable, goal.stable);
  grow(out.now.canary, goal.canary);
  // Pods that are not available cost nothing to remove.
  auto spare =
      m.canary.available + m.stable.available + m.older.available - std::max<std::int64_t>(0, m.replicas - unavailable);
  auto shrink = [&](std::int64_t& now, std::int64_t to, const Pods& pods) {
    auto excess = now - to;
    if (excess <= 0) return;
    auto idle = std::min(excess, std::max<std::int64_t>(0, pods.wanted - pods.available));
    auto live = std::clamp<std::int64_t>(excess - idle, 0, std::max<std::int64_t>(spare, 0));
    now -= idle + live, spare -= live;
  };
  shrink(out.older, 0, m.older);
  shrink(out.now.canary, goal.canary, m.canary);
  shrink(out.now.stable, goal.stable, m.stable);
  return out;
}

}  // namespace slipway::rollout
