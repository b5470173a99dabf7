#pragma once
// What a job says, on its way to the house: kept in a file until the house has it, so that a connection, or a house,
// that goes away loses and doubles nothing. Private to ci.
#include <condition_variable>
#include <thread>

#include "ci/pod/far.h"
#include "ci/pod/wire.h"
#include "ci/runner.h"

namespace slipway::ci {

// Threads: any; one sends.
class AgentLog final : public Observer {
 public:
  // `orders`: the house says that the job is to end. `file` is made.
  static Result<std::unique_ptr<AgentLog>> open(const FarHouse& house, const fs::path& file,
                                                std::function<void()> cancel);
  ~AgentLog() override;

  void step_started(const std::string& job, const std::string& id, const std::string& name) override;
  void step_finished(const std::string& job, const StepResult& step) override;
  void log(const LogLine& line) override;
  void annotation(const std::string& job, const Annotation& annotation) override;
  void tests(const std::string& job, const TestReport& report) override;
  void ended(const JobResult& result);

  // Until the house has all of it, and has written down how the job came out. Errors: timeout (nobody takes it),
  // cancelled (the Pod goes).
  Result<> settle(const Ctx& ctx);

 private:
  AgentLog(const FarHouse& house, Fd file, std::function<void()> cancel);
  void add(JobEvent event);
  void send_all(const std::stop_token& stop);
  bool send_some(const Ctx& ctx);
  void obey(const std::stop_token& stop);
  Result<std::string> batch(std::int64_t from) const;

  struct State {
    std::vector<std::uint64_t> starts;  // of each event in the file
    std::uint64_t size = 0;
    std::int64_t want = 1;  // by the house
    bool over = false, lost = false;
    std::chrono::steady_clock::time_point told = std::chrono::steady_clock::now();
  };
  const FarHouse& house_;
  Fd file_;
  std::function<void()> cancel_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  std::jthread sender_, listener_;
};

}  // namespace slipway::ci
