#include "ci/ready.h"

#include "base/hash.h"
#include "base/log.h"
#include "ci/run/ready_place.h"

namespace slipway::ci {

Result<std::unique_ptr<ReadyPlace>> make_place(const Ctx& ctx, const ReadyPlaces::Options& options) {
  TRY(auto folder, JobFolder::make(options.root));
  SandboxOptions wanted;
  wanted.home = folder.home();
  wanted.id = fmt::format("ci-{}", random_hex(8));
  wanted.upper = folder.base() / "upper";
  wanted.hide = options.hide;
  wanted.limits = options.limits;
  TRY(auto sandbox, open_box_sandbox(ctx, *options.runtime, wanted));
  return std::make_unique<ReadyPlace>(std::move(folder), std::move(sandbox));
}

ReadyPlaces::ReadyPlaces(Options options)
    : options_(std::move(options)), thread_([this](const std::stop_token& stop) { keep(stop); }) {}

ReadyPlaces::~ReadyPlaces() {
  thread_.request_stop();
  changed_.notify_all();
}

std::unique_ptr<ReadyPlace> ReadyPlaces::take(const box::Limits& limits, const std::vector<fs::path>& hide) {
  if (limits != options_.limits || hide != options_.hide) return nullptr;
  std::unique_ptr<ReadyPlace> place;
  {
    auto state = state_.lock();
    ++state->asked;
    state->last = Ctx{}.clock->now();
    // One whose container ended meanwhile (the host ran out of memory) is of no use.
    while (!place && !state->places.empty()) {
      if (state->places.back()->sandbox->alive()) place = std::move(state->places.back());
      state->places.pop_back();
    }
  }
  changed_.notify_all();
  return place;
}

void ReadyPlaces::keep(const std::stop_token& stop) {
  auto ctx = Ctx{}.with_stop(stop);
  while (ctx.alive()) {
    bool make = false;
    std::vector<std::unique_ptr<ReadyPlace>> old;
    {
      auto state = state_.lock();
      auto now = ctx.clock->now();
      if (state->asked > 0 && now >= state->last + options_.settle)
        state->target = std::min(options_.most, std::exchange(state->asked, 0));
      bool idle = state->asked == 0;
      if (idle && state->target > 0 && now >= state->last + options_.keep) state->target = 0, old.swap(state->places);
      make = idle && state->places.size() < state->target;
      if (!make && old.empty()) {
        changed_.notify_all();
        auto next = ctx;
        if (!idle || state->target > 0) next.deadline = state->last + (idle ? options_.keep : options_.settle);
        (void)state.wait(next, changed_, [&, before = state->asked] { return state->asked != before; });
      }
    }
    if (make) add(ctx);
  }
}

void ReadyPlaces::add(const Ctx& ctx) {
  auto made = make_place(ctx, options_);
  if (!made && ctx.alive()) LOG(warn, "ci.ready_failed", {"error", made.error().what()});
  auto state = state_.lock();
  if (made)
    state->places.push_back(*std::move(made));
  else
    state->target = state->places.size();  // the job that needs one will say what is wrong
}

Result<std::size_t> ReadyPlaces::settled(const Ctx& ctx) {
  auto state = state_.lock();
  TRY_OK(state.wait(ctx, changed_, [&] { return state->asked == 0 && state->places.size() >= state->target; }));
  return state->places.size();
}

}  // namespace slipway::ci
