// What a sync waits for before and after: other Applications, and the health of what was applied.
#include "base/text.h"
#include "gitops/customizations.h"
#include "gitops/detail/operate.h"
#include "gitops/front.h"

namespace slipway::gitops::detail {
namespace {

struct Waiting {
  std::vector<std::string> objects;
  std::string failed;
  void look(const std::string& name, const std::optional<HealthStatus>& health) {
    if (!health || health->health == Health::healthy) return;
    // Why it is not known: a rule that cannot be right is waited for in vain.
    auto why = health->health == Health::unknown && !health->message.empty() ? ": " + health->message : "";
    objects.push_back(fmt::format("{} is {}{}", name, to_string(health->health), why));
    if (health->health == Health::degraded && failed.empty())
      failed = fmt::format("{} is Degraded{}{}", name, health->message.empty() ? "" : ": ", health->message);
  }
};

std::string name_of(const kube::Type& type, const kube::Key& key) { return fmt::format("{}/{}", type.kind, key.str()); }

Result<Waiting> look_around(const Ctx& ctx, Work& work) {
  Waiting waiting;
  if (work.app.gate.all) {
    for (const auto& r : work.status.resources)
      if (!r.extra) waiting.look(name_of(r.type, r.key), r.health);
    return waiting;
  }
  for (const auto& [type, key] : work.app.gate.objects) {
    auto live = work.context.client.get(ctx, type, key);
    if (!live && !live.error().is(Kind::not_found)) return Fail(std::move(live).error());
    bool there = live && *live;
    waiting.look(name_of(type, key), there ? health_of(ctx, work.app, **live) : HealthStatus{Health::missing, ""});
  }
  return waiting;
}

}  // namespace

Result<Progress> await_health(const Ctx& ctx, Work& work) {
  const auto& gate = work.app.gate;
  if (!gate.all && gate.objects.empty()) return Progress{};
  TRY(auto waiting, look_around(ctx, work));
  if (!waiting.failed.empty()) return fail(Kind::invalid, "health check failed: {}", waiting.failed);
  if (waiting.objects.empty()) return Progress{};
  auto started = parse_rfc3339(work.status.operation.started_at).value_or(WallTime{});
  auto left = std::chrono::duration_cast<Millis>(started + gate.timeout - ctx.clock->wall());
  if (left <= Millis(0))
    return fail(Kind::invalid, "health check failed after {}s: timeout waiting for: [{}]",
                std::chrono::duration_cast<std::chrono::seconds>(gate.timeout).count(), join(waiting.objects, ", "));
  return Progress{fmt::format("health: [{}]", join(waiting.objects, ", ")), std::min(left + Millis(1), Millis(5000))};
}

Result<std::string> unready_dependency(const Ctx& ctx, kube::Client& home, const Application& app) {
  const auto& front = *app.front;
  for (const auto& [key, own_rule] : app.depends_on) {
    if (key == app.key) return fmt::format("dependency '{}' is itself", key.str());
    TRY(auto dependency, home.get(ctx, front.type(), key));
    if (!dependency) return fmt::format("dependency '{}' is not there", key.str());
    auto why = own_rule ? own_rule(*dependency) : front.unready(*dependency, app);
    if (!why.empty()) return fmt::format("dependency '{}' {}", key.str(), why);
  }
  return std::string();
}

}  // namespace slipway::gitops::detail
