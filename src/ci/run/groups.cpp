#include "ci/groups.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::ci {

// `why` belongs to the lock of the groups.
struct JobGroups::Member {
  explicit Member(std::stop_token parent) : stop(std::move(parent)) {}
  ChildStop stop;
  std::string why;
  bool keep_all = false;
};

JobGroups::Hold::Hold(JobGroups& groups, std::string key, std::shared_ptr<Member> member)
    : groups_(groups), key_(std::move(key)), member_(std::move(member)) {}
JobGroups::Hold::~Hold() { groups_.leave(key_, member_); }
std::stop_token JobGroups::Hold::token() const { return member_->stop.token(); }
std::string JobGroups::Hold::cancelled() const {
  auto groups = groups_.groups_.lock();
  return member_->why;
}

void JobGroups::leave(const std::string& key, const std::shared_ptr<Member>& member) {
  {
    auto groups = groups_.lock();
    auto found = groups->find(key);
    if (found != groups->end()) {
      std::erase(found->second, member);
      if (found->second.empty()) groups->erase(found);
    }
  }
  changed_.notify_all();
}

Result<std::unique_ptr<JobGroups::Hold>> JobGroups::enter(const Ctx& ctx, const Wish& wish) {
  auto key = lower(wish.repository + "\n" + wish.group);  // names of groups know no case
  auto member = std::make_shared<Member>(ctx.stop);
  member->keep_all = wish.keep_all;
  Members to_stop;
  auto end = [&](const std::shared_ptr<Member>& other, std::string why) {
    if (other->why.empty()) other->why = std::move(why);
    to_stop.push_back(other);
  };
  {
    auto groups = groups_.lock();
    auto& members = (*groups)[key];
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (wish.cancel_in_progress)
        end(members[i], fmt::format("cancelled by {}: concurrency group {}", wish.who, wish.group));
      else if (i > 0 && !wish.keep_all && !members[i]->keep_all)
        end(members[i], fmt::format("{} took its place in the queue of concurrency group {}", wish.who, wish.group));
    }
    members.push_back(member);
  }
  for (const auto& other : to_stop) other->stop.request_stop();
  changed_.notify_all();
  auto hold = std::make_unique<Hold>(*this, key, member);
  Result<> waited;
  {
    auto groups = groups_.lock();
    waited =
        groups.wait(ctx.with_stop(member->stop.token()), changed_, [&] { return groups->at(key).front() == member; });
    if (!member->why.empty()) waited = fail(Kind::cancelled, "{}", member->why);
  }
  if (!waited) return Fail(std::move(waited).error());
  return hold;
}

}  // namespace slipway::ci
