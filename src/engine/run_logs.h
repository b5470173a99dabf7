#pragma once
// Logs of runs: a file a job, and whoever follows it gets each piece as it comes.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/guarded.h"
#include "net/server.h"

namespace slipway::engine {

// Threads: any.
class RunLogs {
 public:
  explicit RunLogs(fs::path root) : root_(std::move(root)) {}
  // The run writes from here on: who follows it waits, though nothing is there yet.
  void begin(const std::string& run);
  // Appends to DIR/<run>/<job>.log. Lines carry their time: "2026-11-25T20:47:50.123Z 1 text".
  Result<> append(const std::string& run, const std::string& job, std::string_view text);
  // Followers of the run are told that nothing more comes; files stay.
  void finish(const std::string& run);
  // The run is forgotten, and its logs with it.
  Result<> remove(const std::string& run);
  // All that a job said comes once more: what is there goes, also for who follows it.
  void restart(const std::string& run, const std::string& job);
  // The log of a job that runs again: kept as that of its attempt.
  Result<> set_aside(const std::string& run, const std::string& job, std::int64_t attempt);
  // attempt 0: the last.
  Result<std::string> read(const std::string& run, const std::string& job, std::int64_t attempt = 0) const;
  // What is there, then the rest as it comes; closed when the run is finished.
  Result<> follow(const std::string& run, const std::string& job, std::shared_ptr<net::PushStream> stream);
  Result<std::vector<std::string>> jobs(const std::string& run) const;
  fs::path file(const std::string& run, const std::string& job, std::int64_t attempt = 0) const;

 private:
  struct Open {
    Fd fd;
    std::vector<std::shared_ptr<net::PushStream>> followers;
  };
  fs::path root_;
  Guarded<std::map<std::string, std::map<std::string, Open>>> open_;  // run -> job
};

}  // namespace slipway::engine
