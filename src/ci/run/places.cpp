#include "ci/run/places.h"

#include "base/log.h"

namespace slipway::ci {

Places::~Places() {
  stop_.request_stop();
  std::jthread maker, cleaner;
  {
    auto state = state_.lock();
    state->over = true;
    maker = std::move(state->maker), cleaner = std::move(state->cleaner);
  }
  changed_.notify_all();
  left_.close();
}

std::unique_ptr<ReadyPlace> Places::take() {
  auto state = state_.lock();
  (void)state.wait(Ctx{}, changed_, [&] { return !state->wanted; });
  auto place = std::move(state->next);
  return place && place->sandbox->alive() ? std::move(place) : nullptr;
}

void Places::make_next() {
  if (!options_.runtime) return;
  auto state = state_.lock();
  if (state->wanted || state->next || state->over) return;
  state->wanted = true;
  if (!state->maker.joinable()) state->maker = std::jthread([this] { make(); });
  changed_.notify_all();
}

void Places::clear(std::unique_ptr<ReadyPlace> place) {
  left_.push(std::move(place));
  auto state = state_.lock();
  if (!state->cleaner.joinable()) state->cleaner = std::jthread([this] { clean(); });
}

void Places::make() {
  auto ctx = Ctx{}.with_stop(stop_.get_token());
  for (;;) {
    {
      auto state = state_.lock();
      (void)state.wait(Ctx{}, changed_, [&] { return state->wanted || state->over; });
      if (state->over) return;
    }
    auto made = make_place(ctx, options_);
    if (!made && ctx.alive()) LOG(warn, "ci.place_failed", {"error", made.error().what()});
    auto state = state_.lock();
    state->wanted = false;
    if (made) state->next = *std::move(made);  // else: the job that needs one will say what is wrong
    changed_.notify_all();
  }
}

void Places::clean() {
  for (;;) {
    auto place = left_.pop(Ctx{});
    if (!place || !*place) return;
  }
}

}  // namespace slipway::ci
