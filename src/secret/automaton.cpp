#include "secret/detail/automaton.h"

#include <deque>

namespace slipway::secret::detail {

Automaton::Automaton(const std::vector<std::string>& patterns) {
  // 255 classes at most beside "in no pattern": the last two byte values share one when all 256 are used.
  for (const auto& pattern : patterns)
    for (unsigned char c : pattern)
      if (class_of_[c] == 0) class_of_[c] = static_cast<std::uint8_t>(std::min<std::size_t>(classes_++, 255));
  classes_ = std::min<std::size_t>(classes_, 256);
  auto add_state = [&](std::uint32_t depth) {
    next_.insert(next_.end(), classes_, start);
    match_.push_back(0);
    depth_.push_back(depth);
    return static_cast<State>(match_.size() - 1);
  };
  add_state(0);
  for (const auto& pattern : patterns) {
    State state = start;
    for (unsigned char c : pattern) {
      auto at = state * classes_ + class_of_[c];
      if (next_[at] == start) {
        auto fresh = add_state(depth_[state] + 1);  // may move next_
        next_[at] = fresh;
      }
      state = next_[at];
    }
    match_[state] = static_cast<std::uint32_t>(pattern.size());
  }
  // Breadth first: a missing edge goes where the longest proper suffix goes.
  std::vector<State> suffix(match_.size(), start);
  std::deque<State> queue;
  for (std::size_t c = 0; c < classes_; ++c)
    if (next_[c] != start) queue.push_back(next_[c]);
  while (!queue.empty()) {
    auto state = queue.front();
    queue.pop_front();
    match_[state] = std::max(match_[state], match_[suffix[state]]);
    for (std::size_t c = 0; c < classes_; ++c) {
      auto& to = next_[state * classes_ + c];
      auto fallback = next_[suffix[state] * classes_ + c];
      if (to == start)
        to = fallback;
      else
        suffix[to] = fallback, queue.push_back(to);
    }
  }
}

}  // namespace slipway::secret::detail
