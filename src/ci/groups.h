#pragma once
// `concurrency:` of jobs: jobs of one group follow each other, across all runs of this process. At most one waits,
// unless the group keeps all; cancel-in-progress ends what is there.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/guarded.h"

namespace slipway::ci {

// Threads: any.
class JobGroups {
 public:
  struct Member;
  // The turn of one job, given back with the value.
  class Hold {
   public:
    Hold(JobGroups& groups, std::string key, std::shared_ptr<Member> member);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    std::stop_token token() const;
    std::string cancelled() const;  // why it was asked to stop; empty: it was not

   private:
    JobGroups& groups_;
    std::string key_;
    std::shared_ptr<Member> member_;
  };
  struct Wish {
    std::string repository, group, who;  // who: for the others' messages
    bool cancel_in_progress = false, keep_all = false;
  };
  // Waits for the turn. Errors: cancelled, with the reason when another job took the place.
  Result<std::unique_ptr<Hold>> enter(const Ctx& ctx, const Wish& wish);

 private:
  using Members = std::vector<std::shared_ptr<Member>>;
  void leave(const std::string& key, const std::shared_ptr<Member>& member);
  mutable Guarded<std::map<std::string, Members>> groups_;
  std::condition_variable_any changed_;
};

}  // namespace slipway::ci
