#include "engine/concurrency.h"

#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/running_runs.h"

namespace slipway::engine {
namespace {

Claim claim_of(const kube::Object& run) {
  auto c = run["spec"]["concurrency"];
  return {run.name(), c["since"].text(), c["cancelInProgress"].bool_or(false), c["keepAll"].bool_or(false),
          run["status"]["phase"].text() == "Running"};
}

bool older(const Claim& a, const Claim& b) { return std::pair(a.since, a.run) < std::pair(b.since, b.run); }

}  // namespace

doc::Value concurrency_doc(const ci::Concurrency& concurrency, std::chrono::system_clock::time_point now) {
  return doc::Map{{"group", concurrency.group},
                  {"cancelInProgress", concurrency.cancel_in_progress},
                  {"keepAll", concurrency.keep_all},
                  {"since", rfc3339_micro(now)}};
}

std::string concurrency_group(const std::string& repository, const std::string& group) {
  auto whole = lower(repository + "\n" + group);  // "a/b" and "a-b" are two groups, but one object name
  return object_name(fmt::format("{}-{}", repository, group)).substr(0, 50) + "-" + sha256_hex(whole).substr(0, 12);
}

Turn turn_of(const Claim& own, const std::vector<Claim>& others, const std::string& group) {
  const Claim* ahead = nullptr;
  for (const auto& other : others) {
    if (older(other, own))
      ahead = ahead == nullptr || older(*ahead, other) ? &other : ahead;
    else if (other.cancels)
      return {Turn::What::cancelled, fmt::format("cancelled by {}: concurrency group {}", other.run, group)};
  }
  if (ahead == nullptr) return {};
  // One waits: the newest.
  for (const auto& other : others)
    if (older(own, other) && !other.started && !other.keeps_all)
      return {Turn::What::cancelled,
              fmt::format("{} took its place in the queue of concurrency group {}", other.run, group)};
  return {Turn::What::wait, fmt::format("waits for {}: concurrency group {}", ahead->run, group)};
}

Result<Turn> take_turn(const Ctx& ctx, House& house, const kube::Object& run) {
  auto label = run.label(std::string(concurrency_label));
  if (label.empty()) return Turn{};
  TRY(auto members, all(ctx, *house.client, "WorkflowRun", fmt::format("{}={}", concurrency_label, label)));
  auto own = claim_of(run);
  auto group = run["spec"]["concurrency"]["group"].text();
  std::vector<Claim> others;
  for (const auto& member : members)
    if (member.name() != own.run && !is_final(phase_of(member))) others.push_back(claim_of(member));
  if (own.cancels)
    for (const auto& other : others)
      if (older(other, own))
        house.running->cancel(other.run, fmt::format("cancelled by {}: concurrency group {}", own.run, group));
  return turn_of(own, others, group);
}

}  // namespace slipway::engine
