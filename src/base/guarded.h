#pragma once
// Values shared between threads.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "base/ctx.h"

namespace slipway {

// The lock is the only door to the value: `auto jobs = jobs_.lock(); jobs->push_back(x);`. Threads: any.
template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  class Access {
   public:
    Access(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
    T* operator->() { return value_; }
    T& operator*() { return *value_; }
    // Waits on `condition` until `ready()`. Errors: cancelled, timeout.
    template <class Ready>
    Result<> wait(const Ctx& ctx, std::condition_variable_any& condition, Ready ready) {
      if (ctx.deadline == Clock::time_point::max())
        condition.wait(lock_, ctx.stop, ready);
      else
        condition.wait_until(lock_, ctx.stop, ctx.deadline, ready);
      return ready() ? Result<>{} : ctx.alive();
    }

   private:
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };
  Access lock() { return Access(mutex_, value_); }
  auto lock() const { return ConstAccess{std::unique_lock(mutex_), value_}; }

 private:
  struct ConstAccess {
    std::unique_lock<std::mutex> held;
    const T& value;
    const T* operator->() const { return &value; }
    const T& operator*() const { return value; }
  };
  mutable std::mutex mutex_;
  T value_{};
};

// A lock for what takes long: who waits for it heeds a Ctx. Threads: any.
class Turns {
 public:
  // Given back when it goes, on any thread.
  class Turn {
   public:
    explicit Turn(Turns& of) : of_(&of) {}
    Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (of_ == nullptr) return;
      *of_->taken_.lock() = false;
      of_->free_.notify_one();
    }

   private:
    Turns* of_;
  };
  // Errors: cancelled, timeout.
  Result<Turn> take(const Ctx& ctx) {
    auto taken = taken_.lock();
    if (auto r = taken.wait(ctx, free_, [&] { return !*taken; }); !r) return Fail(std::move(r).error());
    *taken = true;
    return Turn(*this);
  }

 private:
  Guarded<bool> taken_;
  std::condition_variable_any free_;
};

// A blocking queue; close() lets waiters drain it and then get nothing. Threads: any.
template <class T>
class Queue {
 public:
  void push(T item) {
    auto state = state_.lock();
    if (state->closed) return;
    state->items.push_back(std::move(item));
    wake_.notify_one();
  }
  void close() {
    auto state = state_.lock();
    state->closed = true;
    wake_.notify_all();
  }
  // Nothing: closed and empty. Errors: cancelled, timeout.
  Result<std::optional<T>> pop(const Ctx& ctx) {
    auto state = state_.lock();
    if (auto r = state.wait(ctx, wake_, [&] { return !state->items.empty() || state->closed; }); !r)
      return Fail(std::move(r).error());
    if (state->items.empty()) return std::optional<T>();
    std::optional<T> item(std::move(state->items.front()));
    state->items.pop_front();
    return item;
  }
  std::size_t size() const { return state_.lock()->items.size(); }

 private:
  struct State {
    std::deque<T> items;
    bool closed = false;
  };
  Guarded<State> state_;
  std::condition_variable_any wake_;
};

}  // namespace slipway
