#include "promote/chain.h"

#include "base/cron_window.h"
#include "base/text.h"

namespace slipway::promote {
namespace {

using Outcome = path::Verdict::Outcome;

class Chain {
 public:
  Chain(const path::Pipeline& pipeline, const std::vector<Passed>& artifacts, const std::vector<Holding>& holdings,
        const std::vector<Approval>& approvals, WallTime now)
      : pipeline_(pipeline), artifacts_(artifacts), holdings_(holdings), approvals_(approvals), now_(now) {}

  Next run() {
    for (const auto& service : pipeline_.services)
      for (const auto& environment : pipeline_.environments) consider(service, environment);
    return std::move(next_);
  }

 private:
  using Service = path::ServiceSource;

  // Places in artifacts_, newest last; nothing when the digest is not among them.
  std::optional<std::size_t> place_of(const Service& service, const Digest& digest) const {
    for (std::size_t i = artifacts_.size(); i-- > 0;)
      if (artifacts_[i].artifact.digest == digest && is_of(artifacts_[i].artifact, service)) return i;
    return std::nullopt;
  }

  const Holding* held(const Service& service, const std::string& environment) const {
    for (const auto& holding : holdings_)
      if (holding.current && holding.service == service.name && holding.environment == environment) return &holding;
    return nullptr;
  }

  // It holds, or held, this artifact or one that passed later. What it held before the artifact passed once more is of
  // the past.
  bool held_newer(const Service& service, const std::string& environment, std::size_t than) const {
    return std::any_of(holdings_.begin(), holdings_.end(), [&](const Holding& h) {
      if (h.service != service.name || h.environment != environment) return false;
      auto place = place_of(service, h.digest);
      return place && *place >= than && (h.current || h.since >= artifacts_[*place].at);
    });
  }

  bool failed(const Service& service, const std::string& environment, const Digest& digest) const {
    return std::any_of(holdings_.begin(), holdings_.end(), [&](const Holding& h) {
      return h.service == service.name && h.environment == environment && h.digest == digest &&
             h.verdict == Outcome::fail;
    });
  }

  // Something older is there now: people went back by a commit of their own.
  bool taken_back(const Service& service, const std::string& environment, const Digest& digest) const {
    const auto* now_held = held(service, environment);
    if (now_held == nullptr) return false;
    auto place = place_of(service, now_held->digest), asked = place_of(service, digest);
    return place && asked && *place < *asked;
  }

  // The newest artifact that may go into the environment now.
  std::optional<std::size_t> candidate(const Service& service, const path::Environment& environment) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < artifacts_.size(); ++i) {
      const auto& artifact = artifacts_[i].artifact;
      if (!is_of(artifact, service) || failed(service, environment.name, artifact.digest)) continue;
      if (environment.after.empty() || passed(service, environment, artifact.digest)) best = i;
    }
    return best;
  }

  // Verified in the environment before it, and for as long as it has to soak. It counts also when something newer
  // arrived there meanwhile: a busy first environment must not starve the next.
  bool passed(const Service& service, const path::Environment& environment, const Digest& digest) {
    if (failed(service, environment.after, digest) || taken_back(service, environment.after, digest)) return false;
    for (const auto& holding : holdings_) {
      if (holding.service != service.name || holding.environment != environment.after) continue;
      if (holding.digest != digest) continue;
      if (holding.verdict != Outcome::pass) continue;
      auto ready = holding.since + environment.soak;
      if (ready <= now_) return true;
      look_again_at(ready);
    }
    return false;
  }

  void consider(const Service& service, const path::Environment& environment) {
    auto best = candidate(service, environment);
    if (!best) return;
    const auto& artifact = artifacts_[*best].artifact;
    const auto* now_held = held(service, environment.name);
    if ((now_held != nullptr && now_held->digest == artifact.digest) || held_newer(service, environment.name, *best))
      return;
    path::Promotion promotion;
    promotion.service = service.name;
    promotion.environment = environment.name;
    promotion.artifact = artifact;
    promotion.config_repository = pipeline_.config_repository;
    promotion.config_path = environment.path;
    promotion.reason = environment.after.empty() ? (artifact.run.empty() ? "new artifact" : "run " + artifact.run)
                                                 : "passed in " + environment.after;
    if (environment.pull_request) promotion.message = "by pull request";
    if (!environment.automatic) ask(environment, promotion);
    auto held = promotion.phase == path::Phase::waiting ? std::string() : held_back(environment, now_);
    if (held.empty()) {
      next_.promotions.push_back(std::move(promotion));
      return;
    }
    promotion.phase = path::Phase::waiting, promotion.message = std::string(held_mark) + held;
    next_.held.push_back(std::move(promotion));
    look_again_at(windows_change(environment, now_));
  }

  void look_again_at(std::optional<WallTime> when) {
    if (when && (!next_.look_again || *when < *next_.look_again)) next_.look_again = when;
  }

  void ask(const path::Environment& environment, path::Promotion& promotion) const {
    for (const auto& approval : approvals_) {
      if (approval.service != promotion.service || approval.environment != environment.name ||
          approval.digest != promotion.artifact.digest || !may_approve(environment, approval.by))
        continue;
      promotion.approved_by = approval.by;
      return;
    }
    promotion.phase = path::Phase::waiting;
    promotion.message = asks_for(environment);
  }

  const path::Pipeline& pipeline_;
  const std::vector<Passed>& artifacts_;
  const std::vector<Holding>& holdings_;
  const std::vector<Approval>& approvals_;
  WallTime now_;
  Next next_;
};

}  // namespace

bool is_of(const path::Artifact& artifact, const path::ServiceSource& service) {
  auto differ = [](const std::string& a, const std::string& b) { return !a.empty() && !b.empty() && a != b; };
  return artifact.service == service.name && !differ(artifact.image, service.image) &&
         !differ(artifact.repository, service.repository);
}

std::map<std::string, std::string> superseded(const std::vector<Passed>& artifacts,
                                              const std::vector<Recorded>& promotions) {
  using path::Phase;
  // The same bytes may have passed more than once: the last time counts.
  auto place_of = [&](const Recorded& r) -> std::size_t {
    for (std::size_t i = artifacts.size(); i > 0; --i) {
      const auto& artifact = artifacts[i - 1].artifact;
      if (artifact.digest == r.digest && is_of(artifact, {.name = r.service, .image = r.image})) return i;
    }
    return 0;
  };
  auto has_come_as_far = [](const Recorded& newer, const Recorded& older) {
    bool done = newer.phase == Phase::running || newer.phase == Phase::succeeded;
    bool both_wait_for_a_word = (older.phase == Phase::waiting || older.undecided) && !older.proposed;
    return done || (newer.phase == Phase::waiting && (newer.proposed || both_wait_for_a_word)) ||
           (newer.phase == Phase::pending && !older.proposed);
  };
  // What was recorded by older houses names no Pipeline.
  auto compete = [](const Recorded& a, const Recorded& b) {
    return a.service == b.service && a.environment == b.environment &&
           (a.pipeline.empty() || b.pipeline.empty() ? a.image == b.image : a.pipeline == b.pipeline);
  };
  std::map<std::string, std::string> found;
  for (const auto& older : promotions) {
    auto place = place_of(older), best = place;
    if ((older.phase != Phase::waiting && older.phase != Phase::pending) || place == 0) continue;
    for (const auto& newer : promotions) {
      if (newer.undecided || newer.at < older.at || !compete(newer, older)) continue;
      if (auto other = place_of(newer); other > best && has_come_as_far(newer, older))
        best = other, found[older.name] = newer.name;
    }
  }
  return found;
}

std::string held_back(const path::Environment& environment, WallTime now) {
  const path::PromotionWindow* closed = nullptr;
  bool allowed = false;
  auto print = [](const path::PromotionWindow& w) {
    return fmt::format("\"{}\" ({}) for {}", w.schedule, w.zone.name(), print_duration(w.duration));
  };
  for (const auto& window : environment.windows) {
    bool open = is_cron_open(window.schedule, window.duration, now, window.zone);
    if (!window.allow && open) return "no promotions during " + print(window);
    if (!window.allow) continue;
    allowed = allowed || open;
    if (closed == nullptr) closed = &window;
  }
  return closed != nullptr && !allowed ? "promotions only during " + print(*closed) : "";
}

WallTime windows_change(const path::Environment& environment, WallTime now) {
  constexpr auto day = std::chrono::hours(24);
  auto first = now + day;
  for (const auto& window : environment.windows)
    if (auto next = cron_changes(window.schedule, window.duration, now, day, window.zone))
      first = std::min(first, *next);
  return first;
}

std::string asks_for(const path::Environment& environment) {
  return environment.approvers.empty() ? "waiting for approval"
                                       : "waiting for approval by " + join(environment.approvers, " or ");
}

bool may_approve(const path::Environment& environment, std::string_view person) {
  if (person.empty()) return false;
  const auto& names = environment.approvers;
  return names.empty() || std::find(names.begin(), names.end(), person) != names.end();
}

Next next_promotions(const path::Pipeline& pipeline, const std::vector<Passed>& artifacts,
                     const std::vector<Holding>& holdings, const std::vector<Approval>& approvals, WallTime now) {
  return Chain(pipeline, artifacts, holdings, approvals, now).run();
}

}  // namespace slipway::promote
