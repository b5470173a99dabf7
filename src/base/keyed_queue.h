#pragma once
// Work by key: a key waits at most once, is handed to at most one thread at a time, and may be due later. What is due
// is handed out in the order in which it became so; what somebody waits for goes before.
#include <condition_variable>
#include <map>
#include <set>

#include "base/guarded.h"

namespace slipway {

// Threads: any. Every key that pop() gives must be given back with done().
template <class K>
class KeyedQueue {
 public:
  explicit KeyedQueue(const Clock& clock = real_clock()) : clock_(clock) {}

  void add(const K& key) { add_after(key, Millis(0)); }
  // Now, and before all that was added otherwise.
  void add_first(const K& key) { put(key, {Rank::first, clock_.now()}); }
  // An earlier due time stands.
  void add_after(const K& key, Millis delay) { put(key, {Rank::in_turn, clock_.now() + delay}); }
  // Blocks until a key is due. Errors: cancelled, timeout.
  Result<K> pop(const Ctx& ctx) {
    auto state = state_.lock();
    for (;;) {
      if (auto key = take(*state)) return *std::move(key);
      auto next = state->order.empty() ? Clock::time_point::max() : state->order.begin()->first.due;
      Ctx bounded = ctx;
      bounded.deadline = std::min(ctx.deadline, next);
      auto seen = state->changes;
      (void)state.wait(bounded, wake_, [&] { return state->changes != seen; });
      if (auto r = ctx.alive(); !r) return Fail(std::move(r).error());
    }
  }
  // A key that is due now, or nothing.
  std::optional<K> try_pop() { return take(*state_.lock()); }
  // When the next key is due.
  std::optional<Clock::time_point> next() const {
    auto state = state_.lock();
    if (state->order.empty()) return std::nullopt;
    return state->order.begin()->first.due;
  }
  void done(const K& key) {
    auto state = state_.lock();
    state->busy.erase(key);
    if (auto place = state->places.find(key); place != state->places.end()) state->order.emplace(place->second, key);
    ++state->changes;
    wake_.notify_one();
  }
  std::size_t size() const { return state_.lock()->places.size(); }
  // What is due or handed out; counts no further than `most`.
  std::size_t at_work(std::size_t most) const {
    auto state = state_.lock();
    auto count = state->busy.size();
    auto now = clock_.now();
    for (auto it = state->order.begin(); it != state->order.end() && is_due(it->first, now) && count < most; ++it)
      ++count;
    return count;
  }

 private:
  enum class Rank { first, in_turn };
  struct Place {
    Rank rank = Rank::in_turn;
    Clock::time_point due;
    auto operator<=>(const Place&) const = default;
  };
  static bool is_due(const Place& place, Clock::time_point now) {
    return place.rank == Rank::first || place.due <= now;
  }
  void put(const K& key, Place place) {
    auto state = state_.lock();
    auto [it, fresh] = state->places.try_emplace(key, place);
    if (!fresh && it->second <= place) return;
    bool waits = !state->busy.contains(key);  // else it takes its place when it is given back
    if (waits && !fresh) state->order.erase({it->second, key});
    it->second = place;
    if (!waits) return;
    state->order.emplace(place, key);
    ++state->changes;
    wake_.notify_one();
  }
  struct State;
  std::optional<K> take(State& state) {
    auto now = clock_.now();
    auto first = state.order.begin();
    if (first == state.order.end() || !is_due(first->first, now)) return std::nullopt;
    K key = first->second;
    state.order.erase(first);
    state.places.erase(key);
    state.busy.insert(key);
    // One that was woken for both would leave the other asleep.
    if (!state.order.empty() && is_due(state.order.begin()->first, now)) wake_.notify_one();
    return key;
  }
  struct State {
    std::map<K, Place> places;            // all that wait
    std::set<std::pair<Place, K>> order;  // the same, without those that are busy
    std::set<K> busy;
    std::uint64_t changes = 0;
  };
  const Clock& clock_;
  Guarded<State> state_;
  std::condition_variable_any wake_;
};

}  // namespace slipway
