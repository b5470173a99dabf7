#include "engine/running_runs.h"

namespace slipway::engine {

RunningRuns::Execution::Execution(RunningRuns& runs, std::string name, std::stop_token parent,
                                  std::set<std::string> away)
    : runs_(runs), name_(std::move(name)), slot_(std::make_shared<Slot>(std::move(parent))) {
  slot_->wish.lock()->away = std::move(away);
  runs_.slots_.lock()->insert_or_assign(name_, slot_);
}

RunningRuns::Execution::~Execution() { runs_.slots_.lock()->erase(name_); }

void RunningRuns::Execution::found(const std::string& job) {
  auto wish = slot_->wish.lock();
  if (wish->away.erase(job) == 0 || !wish->away.empty() || wish->why.empty()) return;
  slot_->stop.request_stop();
}

void RunningRuns::Execution::found_all() {
  auto wish = slot_->wish.lock();
  wish->away.clear();
  if (!wish->why.empty()) slot_->stop.request_stop();
}

bool RunningRuns::cancel(const std::string& name, const std::string& why) {
  std::shared_ptr<Execution::Slot> slot;
  {
    auto slots = slots_.lock();
    auto found = slots->find(name);
    if (found == slots->end()) return false;
    slot = found->second;
  }
  auto wish = slot->wish.lock();
  if (wish->why.empty()) wish->why = why;
  if (wish->away.empty()) slot->stop.request_stop();
  return true;
}

}  // namespace slipway::engine
