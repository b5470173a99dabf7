#include <algorithm>

#include "gitops/detail/operate.h"
#include "gitops/detail/request.h"

namespace slipway::gitops::detail {
namespace {

// A time after the former start: hooks tell operations apart by it.
std::string start_time(const Ctx& ctx, const Operation& former) {
  auto now = std::chrono::floor<std::chrono::seconds>(ctx.clock->wall());
  auto before = parse_rfc3339(former.started_at);
  if (before && *before >= now) now = std::chrono::floor<std::chrono::seconds>(*before) + std::chrono::seconds(1);
  return rfc3339(now);
}

void start(const Ctx& ctx, Work& work, doc::Value request, std::int64_t retries) {
  auto& op = work.status.operation;
  Operation next;
  next.phase = "Running";
  next.started_at = start_time(ctx, op);
  next.request = std::move(request);
  next.revisions = work.status.revisions;
  next.source = work.app.source_doc;
  next.retries = retries;
  op = std::move(next);
}

doc::Value automatic(const Work& work) {
  return doc::Map{{"sync", doc::Map{{"revision", work.status.revision()}, {"prune", work.app.prune}}},
                  {"initiatedBy", doc::Map{{"automated", true}}}};
}

// Nothing is recorded of the source by operations of older versions.
bool same_source(const Work& work) {
  const auto& op = work.status.operation;
  return op.source.is_null() || op.source == work.app.source_doc;
}
bool same_target(const Work& work) {
  return work.status.operation.revisions == work.status.revisions && same_source(work);
}

// Whether a commit says the same of this Application as another: who is not concerned by a commit is not looked at for
// it, so what was seen last may be of an older one.
bool says_the_same(const Ctx& ctx, const Work& work, const Revisions& before) {
  auto app = work.app;
  if (before.size() != app.sources.size()) return false;
  for (std::size_t i = 0; i < before.size(); ++i) app.sources[i].target_revision = before[i];
  app.key.name += "@";  // beside what is kept of the Application itself
  auto then = work.context.renderer.render(ctx, app), now = work.context.renderer.render(ctx, work.app);
  work.context.renderer.forget(app.key);
  return then && now && *(*then)->objects == *(*now)->objects;
}

// The last look found this commit's objects as they should be, though no operation was needed for it: what differs now
// is drift.
bool was_in_sync(const Ctx& ctx, const Work& work) {
  auto sync = work.application["status"]["sync"];
  if (sync["status"].text() != "Synced" || !same_source(work)) return false;
  if (asks_for_other(work.application, doc::View(work.status.operation.request))) return false;  // that is what runs
  Revisions before;
  for (const auto& revision : sync["revisions"].items()) before.push_back(revision.text());
  if (before.empty()) before.push_back(sync["revision"].text());
  return before == work.status.revisions || says_the_same(ctx, work, before);
}

bool differs(const Work& work) {
  return work.status.namespace_differs ||
         std::any_of(work.status.resources.begin(), work.status.resources.end(), [&](const Compared& r) {
           if (r.extra)
             return work.app.prune && !r.extraneous && options_of(work.app.options, r.live).prune != Permission::no;
           return r.state != SyncState::synced;
         });
}

// A person's request may bring its own rule; an automatic one has the Application's.
std::optional<RetrySpec> retry_of(const Work& work) {
  const auto& op = work.status.operation;
  if (auto own = doc::View(op.request)["retry"]; own.present()) {
    auto retry = retry_from(own);
    return retry ? std::optional(*retry) : std::nullopt;
  }
  return work.app.automated ? std::optional(work.app.retry) : std::nullopt;
}

Decision after_failure(const Ctx& ctx, Work& work) {
  const auto& op = work.status.operation;
  auto retry = retry_of(work);
  if (!retry) return {};
  if (retry->limit >= 0 && op.retries >= retry->limit) {
    work.status.conditions.push_back(
        {"SyncError", fmt::format("Failed last sync attempt to {}: {}", op.revision().substr(0, 7), op.message)});
    return {};
  }
  auto due = parse_rfc3339(op.finished_at).value_or(WallTime{}) + retry_pause(*retry, op.retries);
  if (due > ctx.clock->wall())
    return {Plan::wait, std::chrono::duration_cast<Millis>(due - ctx.clock->wall()) + Millis(1), false};
  start(ctx, work, op.request, op.retries + 1);
  return {Plan::operate, Millis(0), true};
}

Decision automatic_decision(const Ctx& ctx, Work& work) {
  const auto& op = work.status.operation;
  if (!work.blocked.empty()) {
    work.status.conditions.push_back({"DependencyNotReady", work.blocked});
    return {Plan::wait, Millis(30000), false};
  }
  auto held = work.project.held_back(work.app, ctx.clock->wall(), false);
  // Windows open and close on the minute.
  if (!held.empty()) {
    if (differs(work)) work.status.conditions.push_back({"SyncWindowWarning", "automatic sync is held back: " + held});
    return {Plan::wait, Millis(30000), false};
  }
  // What was waited for may do better now: then everything is as it should be, but nobody said so.
  bool gated = op.phase == "Failed" && same_target(work) && (work.app.gate.all || !work.app.gate.objects.empty());
  // A commit that changes none of the objects is no reason to sync; the first look always is.
  if (!op.phase.empty() && !differs(work) && !gated) return {};
  bool tried = !op.phase.empty() && (same_target(work) || (op.phase == "Succeeded" && was_in_sync(ctx, work)));
  if (tried)
    return op.phase == "Succeeded" ? Decision{work.app.self_heal ? Plan::heal : Plan::nothing, Millis(0), false}
                                   : after_failure(ctx, work);
  start(ctx, work, automatic(work), 0);
  return {Plan::operate, Millis(0), true};
}

}  // namespace

void finish(const Ctx& ctx, Operation& op, std::string phase, std::string message) {
  op.phase = std::move(phase), op.message = std::move(message);
  op.finished_at = std::max(rfc3339(ctx.clock->wall()), op.started_at);  // which may be a second ahead
}

Result<Decision> decide(const Ctx& ctx, Work& work) {
  auto& op = work.status.operation;
  auto request = work.application["operation"];
  if (op.phase == "Terminating") {
    TRY_OK(end_hooks(ctx, work, op));
    finish(ctx, op, "Failed", "operation terminated");
    return Decision{};
  }
  // It stays on the Application until its operation has ended: clients read there that one runs.
  bool under_way = op.running() && op.request == request.value();
  if (request["sync"].present() && !under_way) {
    start(ctx, work, request.value(), 0);
    return Decision{Plan::operate, Millis(0), true};
  }
  if (op.running()) {
    if (same_target(work)) return Decision{Plan::operate, Millis(0), false};
    TRY_OK(end_hooks(ctx, work, op));
    // A newer commit is taken at once, also by an operation that is stuck on an older one.
    bool automated = doc::View(op.request)["initiatedBy"]["automated"].bool_or(false);
    start(ctx, work, automated ? automatic(work) : op.request, 0);
    return Decision{Plan::operate, Millis(0), true};
  }
  if (!work.app.automated)
    return op.phase == "Failed" && same_target(work) && doc::View(op.request)["retry"].present()
               ? after_failure(ctx, work)
               : Decision{};
  return automatic_decision(ctx, work);
}

}  // namespace slipway::gitops::detail
