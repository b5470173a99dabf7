#include "base/pool.h"

#include <pthread.h>

#include <exception>
#include <utility>

#include "base/log.h"

namespace slipway {

struct Pool::State {
  std::mutex mutex;
  std::condition_variable_any wake, empty;
  std::deque<Task> tasks;
  std::size_t limit = 1, running = 0, idle = 0;
  std::string name;
  std::stop_source stop;
  // Threads that are past the last use of this State. They are joined, since what a thread keeps for itself (OpenSSL's
  // errors, say) is destroyed after that, and must be before the process ends.
  std::vector<std::thread> leaving;
};

Pool::Pool(std::size_t limit, std::string name) : state_(std::make_unique<State>()) {
  state_->limit = std::max<std::size_t>(limit, 1);
  state_->name = std::move(name);
}

Pool::~Pool() { stop(); }

namespace {

void join(std::vector<std::thread> threads) {
  for (auto& each : threads) each.join();
}

}  // namespace

void Pool::stop() {
  state_->stop.request_stop();
  std::unique_lock lock(state_->mutex);
  state_->tasks.clear();
  state_->wake.notify_all();
  state_->empty.wait(lock, [&] { return state_->running == 0; });
  auto leaving = std::exchange(state_->leaving, {});
  lock.unlock();
  join(std::move(leaving));
}

void Pool::submit(Task task) {
  std::unique_lock lock(state_->mutex);
  if (state_->stop.stop_requested()) return;
  state_->tasks.push_back(std::move(task));
  if (state_->idle >= state_->tasks.size()) {
    state_->wake.notify_one();
  } else if (state_->running < state_->limit) {
    auto self = std::make_shared<std::thread>();
    *self = std::thread([state = state_.get(), self] { work(*state, *self); });
    ++state_->running;
  }
}

// `self` is set before the mutex is free for the first time.
void Pool::work(State& state, std::thread& self) {
  ::pthread_setname_np(::pthread_self(), state.name.substr(0, 15).c_str());
  Ctx ctx;
  ctx.stop = state.stop.get_token();
  std::unique_lock lock(state.mutex);
  while (!ctx.stop.stop_requested()) {
    ++state.idle;
    bool got = state.wake.wait_for(lock, ctx.stop, std::chrono::seconds(5), [&] { return !state.tasks.empty(); });
    --state.idle;
    if (!got || ctx.stop.stop_requested()) break;
    Task task = std::move(state.tasks.front());
    state.tasks.pop_front();
    lock.unlock();
    try {
      task(ctx);
    } catch (const std::exception& e) {
      LOG(error, "pool.task_threw", {"pool", state.name}, {"what", e.what()});
    }
    task = nullptr;
    lock.lock();
  }
  auto before = std::exchange(state.leaving, {});
  state.leaving.push_back(std::move(self));
  --state.running;
  state.empty.notify_all();
  lock.unlock();
  join(std::move(before));
}

Result<> run_all(const Ctx& ctx, std::size_t width, std::vector<std::function<Result<>(const Ctx&)>> tasks) {
  ChildStop stop(ctx.stop);
  Ctx inner = ctx.with_stop(stop.token());
  std::atomic<std::size_t> next = 0;
  Guarded<std::optional<Error>> first;
  auto worker = [&] {
    for (;;) {
      auto i = next.fetch_add(1);
      if (i >= tasks.size() || inner.stop.stop_requested()) return;
      if (auto r = tasks[i](inner); !r) {
        auto error = first.lock();
        if (!*error) *error = std::move(r).error();
        stop.request_stop();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(width, tasks.size()); ++i) threads.emplace_back(worker);
    worker();
  }
  auto error = first.lock();
  if (*error) return Fail(std::move(**error));
  return ctx.alive();
}

}  // namespace slipway
