#pragma once
// The runs that this process executes now, so that something else may ask one of them to stop.
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/ctx.h"
#include "base/guarded.h"

namespace slipway::engine {

// Threads: any.
class RunningRuns {
 public:
  // A run while it is executed; leaves the list with the value.
  class Execution {
   public:
    // `away`: jobs that ran on while we were away. A wish to stop reaches the run when each of them has been found: one
    // that is cancelled before would not do its last steps.
    Execution(RunningRuns& runs, std::string name, std::stop_token parent, std::set<std::string> away = {});
    ~Execution();
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;
    std::stop_token token() const { return slot_->stop.token(); }
    // Why it was asked to stop; empty: it was not.
    std::string cancelled() const { return slot_->wish.lock()->why; }
    void found(const std::string& job);
    void found_all();

   private:
    friend class RunningRuns;
    struct Slot {
      explicit Slot(std::stop_token parent) : stop(std::move(parent)) {}
      struct Wish {
        std::string why;
        std::set<std::string> away;
      };
      ChildStop stop;
      Guarded<Wish> wish;
    };
    RunningRuns& runs_;
    std::string name_;
    std::shared_ptr<Slot> slot_;
  };

  // False: it is not executed here. The first reason stands.
  bool cancel(const std::string& name, const std::string& why);

 private:
  Guarded<std::map<std::string, std::shared_ptr<Execution::Slot>>> slots_;
};

}  // namespace slipway::engine
