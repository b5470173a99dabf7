// How fast replicas may change: stabilization windows, policies, bounds. Rule: horizontal.go.
#include <cmath>

#include "cluster/controllers/autoscaler.h"

namespace slipway::cluster {
namespace {

// --horizontal-pod-autoscaler-downscale-stabilization.
constexpr std::int64_t downscale_window = 300;

constexpr std::string_view up_steadied =
    "recent recommendations were lower than current one, applying the lowest recent recommendation";
constexpr std::string_view down_steadied =
    "recent recommendations were higher than current one, applying the highest recent recommendation";
constexpr std::string_view too_fast_up = "the desired replica count is increasing faster than the maximum scale rate",
                           too_fast_down = "the desired replica count is decreasing faster than the maximum scale rate",
                           too_many = "the desired replica count is more than the maximum replica count",
                           too_few = "the desired replica count is less than the minimum replica count",
                           in_range = "the desired count is within the acceptable range";

struct Limit {
  std::int64_t replicas;
  std::string_view reason, message;
};

// What is needed no longer goes: no window and no policy is longer than an hour.
void trim(std::deque<ScaleMemory::Entry>& entries, Clock::time_point now) {
  while (!entries.empty() && entries.front().at < now - std::chrono::hours(1)) entries.pop_front();
}

std::int64_t steadied(const ScaleWish& wish, std::int64_t up_window, std::int64_t down_window, ScaleMemory& memory,
                      Clock::time_point now) {
  auto lowest = wish.desired, highest = wish.desired;
  for (const auto& entry : memory.wanted) {
    if (entry.at > now - std::chrono::seconds(up_window)) lowest = std::min(lowest, entry.number);
    if (entry.at > now - std::chrono::seconds(down_window)) highest = std::max(highest, entry.number);
  }
  memory.wanted.push_back({now, wish.desired});
  trim(memory.wanted, now);
  // As it is, unless all that was wanted lately lies on one side of it.
  return std::min(std::max(wish.current, lowest), highest);
}

std::int64_t changed_within(const std::deque<ScaleMemory::Entry>& changes, std::int64_t seconds,
                            Clock::time_point now) {
  std::int64_t sum = 0;
  for (const auto& change : changes)
    if (change.at > now - std::chrono::seconds(seconds)) sum += change.number;
  return sum;
}

// The farthest that the policies allow to go from `current`; `up` or down.
std::int64_t reach(std::int64_t current, const doc::View& rules, bool up, const ScaleMemory& memory,
                   Clock::time_point now) {
  auto select = rules["selectPolicy"].str_or("Max");
  if (select == "Disabled") return current;
  std::optional<std::int64_t> result;
  for (const auto& policy : rules["policies"].items()) {
    auto period = policy["periodSeconds"].num_or(0), value = policy["value"].num_or(0);
    // Where the period began.
    auto start = current - changed_within(memory.added, period, now) + changed_within(memory.taken, period, now);
    auto share = static_cast<double>(value) / 100;
    std::int64_t proposed = start;
    if (policy["type"].text() == "Pods")
      proposed = up ? start + value : start - value;
    else if (up)  // rounded up: it would never grow otherwise
      proposed = static_cast<std::int64_t>(std::ceil(static_cast<double>(start) * (1 + share)));
    else
      proposed = static_cast<std::int64_t>(static_cast<double>(start) * (1 - share));
    // Max is the largest change, whichever way.
    bool higher = (select == "Min") != up;
    result = !result ? proposed : higher ? std::max(*result, proposed) : std::min(*result, proposed);
  }
  auto farthest = result.value_or(current);
  return up ? std::max(farthest, current) : std::min(farthest, current);
}

Limit within_policies(const ScaleWish& wish, const doc::View& behavior, const ScaleMemory& memory,
                      Clock::time_point now) {
  if (wish.desired > wish.current) {
    auto fastest = reach(wish.current, behavior["scaleUp"], true, memory, now);
    Limit limit = wish.most > fastest ? Limit{fastest, "ScaleUpLimit", too_fast_up}
                                      : Limit{wish.most, "TooManyReplicas", too_many};
    if (wish.desired > limit.replicas) return limit;
  } else if (wish.desired < wish.current) {
    auto fastest = reach(wish.current, behavior["scaleDown"], false, memory, now);
    Limit limit = wish.least < fastest ? Limit{fastest, "ScaleDownLimit", too_fast_down}
                                       : Limit{wish.least, "TooFewReplicas", too_few};
    if (wish.desired < limit.replicas) return limit;
  }
  return {wish.desired, "DesiredWithinRange", in_range};
}

// Without a behavior: at most twice as many at once, or four.
Limit within_rules(const ScaleWish& wish) {
  auto fastest = std::max<std::int64_t>(2 * wish.current, 4);
  if (wish.desired < wish.least) return {wish.least, "TooFewReplicas", too_few};
  Limit limit =
      wish.most > fastest ? Limit{fastest, "ScaleUpLimit", too_fast_up} : Limit{wish.most, "TooManyReplicas", too_many};
  if (wish.desired > limit.replicas) return limit;
  return {wish.desired, "DesiredWithinRange", in_range};
}

}  // namespace

ScaleDecision settle(const ScaleWish& wish, const doc::View& behavior, ScaleMemory& memory, Clock::time_point now) {
  ScaleWish steady = wish;
  bool ruled = behavior.present();
  if (ruled) {
    steady.desired =
        steadied(wish, behavior["scaleUp"]["stabilizationWindowSeconds"].num_or(0),
                 behavior["scaleDown"]["stabilizationWindowSeconds"].num_or(downscale_window), memory, now);
  } else {
    for (const auto& entry : memory.wanted)
      if (entry.at >= now - std::chrono::seconds(downscale_window))
        steady.desired = std::max(steady.desired, entry.number);
    memory.wanted.push_back({now, wish.desired});
    trim(memory.wanted, now);
  }
  ScaleDecision out{.able_reason = "ReadyForNewScale", .able_message = "recommended size matches current size"};
  if (steady.desired != wish.desired) {
    bool up = ruled && wish.desired >= wish.current;
    out.able_reason = up ? "ScaleUpStabilized" : "ScaleDownStabilized";
    out.able_message = up ? up_steadied : down_steadied;
  }
  auto limit = ruled ? within_policies(steady, behavior, memory, now) : within_rules(steady);
  out.replicas = limit.replicas;
  out.limited = limit.replicas != steady.desired;
  out.limited_reason = limit.reason, out.limited_message = limit.message;
  return out;
}

void remember_change(std::int64_t before, std::int64_t after, ScaleMemory& memory, Clock::time_point now) {
  if (after > before) memory.added.push_back({now, after - before});
  if (after < before) memory.taken.push_back({now, before - after});
  trim(memory.added, now), trim(memory.taken, now);
}

}  // namespace slipway::cluster
