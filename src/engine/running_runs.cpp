#include "engine/running_runs.h"

namespace slipway::engine {

RunningRuns::Execution::Execution(RunningRuns& runs, std::string name, std::stop_token parent)
    : runs_(runs), name_(std::move(name)), slot_(std::make_shared<Slot>(std::move(parent))) {
  runs_.slots_.lock()->insert_or_assign(name_, slot_);
}

RunningRuns::Execution::~Execution() { runs_.slots_.lock()->erase(name_); }

bool RunningRuns::cancel(const std::string& name, const std::string& why) {
  std::shared_ptr<Execution::Slot> slot;
  {
    auto slots = slots_.lock();
    auto found = slots->find(name);
    if (found == slots->end()) return false;
    slot = found->second;
  }
  if (auto text = slot->why.lock(); text->empty()) *text = why;
  slot->stop.request_stop();
  return true;
}

}  // namespace slipway::engine
