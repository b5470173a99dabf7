#pragma once
// Folders and containers of jobs made before a job asks for them. Making a container is the largest part of the time
// from a push to a job's first command, and after one push the next is likely.
#include <condition_variable>
#include <memory>
#include <thread>
#include <vector>

#include "base/ctx.h"
#include "base/guarded.h"
#include "base/time.h"
#include "box/box.h"

namespace slipway::ci {

struct ReadyPlace;

// As many as the last runs used are kept ready, until nobody has asked for a while: an idle machine holds none, and no
// job sees a host that is older than that. Threads: any.
class ReadyPlaces {
 public:
  struct Options {
    fs::path root;  // as RunnerOptions has them
    box::Runtime* runtime = nullptr;
    std::vector<fs::path> hide;
    box::Limits limits;
    std::size_t most = 4;
    Millis settle{1500};  // after the last use, so that the run itself is not slowed down
    Millis keep{std::chrono::minutes(10)};
  };
  explicit ReadyPlaces(Options options);
  ~ReadyPlaces();
  // One that nobody used; null: there is none, or it was made for other rights.
  std::unique_ptr<ReadyPlace> take(const box::Limits& limits, const std::vector<fs::path>& hide);
  // Waits until as many are there as were asked for (tests). Errors: timeout.
  Result<std::size_t> settled(const Ctx& ctx);

 private:
  struct State {
    std::vector<std::unique_ptr<ReadyPlace>> places;
    std::size_t asked = 0, target = 0;
    Clock::time_point last{};
  };
  void keep(const std::stop_token& stop);
  void add(const Ctx& ctx);

  Options options_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace slipway::ci
