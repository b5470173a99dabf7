#pragma once
// Work by key: a key waits at most once, is handed to at most one thread at a time, and may be due later.
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
  // An earlier due time stands.
  void add_after(const K& key, Millis delay) {
    auto state = state_.lock();
    auto due = clock_.now() + delay;
    auto [it, fresh] = state->due.try_emplace(key, due);
    if (!fresh && it->second <= due) return;
    it->second = due;
    ++state->changes;
    wake_.notify_all();
  }
  // Blocks until a key is due. Errors: cancelled, timeout.
  Result<K> pop(const Ctx& ctx) {
    auto state = state_.lock();
    for (;;) {
      auto now = clock_.now();
      auto next = Clock::time_point::max();
      for (auto it = state->due.begin(); it != state->due.end(); ++it) {
        if (state->busy.contains(it->first)) continue;
        if (it->second <= now) {
          K key = it->first;
          state->due.erase(it);
          state->busy.insert(key);
          return key;
        }
        next = std::min(next, it->second);
      }
      Ctx bounded = ctx;
      bounded.deadline = std::min(ctx.deadline, next);
      auto seen = state->changes;
      (void)state.wait(bounded, wake_, [&] { return state->changes != seen; });
      if (auto r = ctx.alive(); !r) return Fail(std::move(r).error());
    }
  }
  void done(const K& key) {
    auto state = state_.lock();
    state->busy.erase(key);
    ++state->changes;
    wake_.notify_all();
  }
  std::size_t size() const { return state_.lock()->due.size(); }

 private:
  struct State {
    std::map<K, Clock::time_point> due;
    std::set<K> busy;
    std::uint64_t changes = 0;
  };
  const Clock& clock_;
  Guarded<State> state_;
  std::condition_variable_any wake_;
};

}  // namespace slipway
