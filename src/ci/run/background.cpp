// Steps in the background: background:, wait:, wait-all:, cancel:, parallel:.
// Rule: at most ten at once; what they set (outputs, environment, path, failure) counts from the wait on; those that
// nobody waited for are waited for when the job's steps are over; a step that is cancelled does not fail the job.
#include "base/text.h"
#include "ci/detail/job_run.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_background = 10;

}  // namespace

void JobRun::start_background(const Ctx& ctx, Frame& frame, const Step& step) {
  auto running = std::count_if(background_.begin(), background_.end(), [](auto& b) { return !b->done; });
  if (static_cast<std::size_t>(running) >= max_background) {
    std::unique_lock lock(turn_, std::adopt_lock);
    turned_.wait(lock,
                 [&] { return std::any_of(background_.begin(), background_.end(), [](auto& b) { return b->done; }); });
    lock.release();
  }
  auto& made = *background_.emplace_back(std::make_unique<Background>(ctx.stop));
  made.id = step.id;
  made.thread = std::jthread([this, &ctx, &frame, &step, &made] {
    std::lock_guard turn(turn_);
    Ctx own = ctx.with_stop(made.stop.token());
    try {
      this->step(ctx, frame, step, &made.effects, &own);
    } catch (const std::exception& e) {
      made.effects.failed = true, made.effects.why = fmt::format("internal error: {}", e.what());
    }
    made.done = true;
    turned_.notify_all();
  });
  // It has the turn until it waits for a process: steps start in the order they are written in.
  std::unique_lock lock(turn_, std::adopt_lock);
  turned_.wait(lock, [&] { return made.done || made.effects.waits; });
  lock.release();
}

void JobRun::join(Frame& frame, const std::string& id, bool cancel) {
  for (auto& one : background_) {
    if (!id.empty() && !iequals(one->id, id)) continue;
    if (!one->thread.joinable()) continue;
    if (cancel) one->cancelled = true, one->stop.request_stop();
    std::unique_lock lock(turn_, std::adopt_lock);
    turned_.wait(lock, [&] { return one->done; });
    lock.release();
    one->thread.join();
    auto& effects = one->effects;
    for (auto& [name, value] : effects.env) global_env_[name] = value;
    for (auto& folder : effects.paths) {
      std::erase(paths_, folder);
      paths_.insert(paths_.begin(), folder);
    }
    frame.records[one->id] = effects.record;
    if (!effects.failed || one->cancelled) continue;
    frame.failed = true;
    if (!frame.composite) failed_ = true;
    if (result_.why.empty()) result_.why = effects.why;
  }
  std::erase_if(background_, [](auto& one) { return !one->thread.joinable(); });
}

Result<> JobRun::control(const Ctx& ctx, Frame& frame, const Step& step) {
  if (!step.cancel.empty()) join(frame, step.cancel, true);
  if (step.wait_all) join(frame, "", false);
  for (auto& id : step.wait) join(frame, id, false);
  if (!step.parallel.empty()) {
    for (auto& inner : step.parallel) start_background(ctx, frame, inner);
    for (auto& inner : step.parallel) join(frame, inner.id, false);
  }
  return ctx.alive();
}

}  // namespace slipway::ci
