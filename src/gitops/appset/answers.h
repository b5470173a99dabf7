#pragma once
// What services outside answered one ApplicationSet, kept until their generators are to ask again: every change of an
// Application is a look at its set, and a forge counts the questions.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "doc/value.h"

namespace slipway::gitops::appset {

// Threads: one look at a set at a time.
class Answers {
 public:
  using Params = std::vector<doc::Map>;
  // A refusal is kept as well, for a shorter time: who is down or counts questions is not asked by every event.
  using Said = Result<Params>;
  // A look begins. What another generation of the set asked, and what `anew` forbids, is forgotten.
  void begin(std::int64_t generation, bool anew) {
    if (anew || generation != generation_) kept_.clear();
    generation_ = generation;
    for (auto& [question, answer] : kept_) answer.used = false;
  }
  // Null: to be asked.
  const Said* find(const std::string& question, Clock::time_point now) {
    auto found = kept_.find(question);
    if (found == kept_.end() || found->second.until <= now) return nullptr;
    found->second.used = true;
    return &found->second.said;
  }
  void keep(const std::string& question, Said said, Clock::time_point until) {
    kept_.insert_or_assign(question, Answer{std::move(said), until, true});
  }
  // The look ended and asked all it had to: what it did not ask is forgotten. Gives when the first is to be asked
  // again.
  std::optional<Clock::time_point> end() {
    std::erase_if(kept_, [](const auto& kept) { return !kept.second.used; });
    std::optional<Clock::time_point> first;
    for (const auto& [question, answer] : kept_) first = std::min(first.value_or(answer.until), answer.until);
    return first;
  }

 private:
  struct Answer {
    Said said;
    Clock::time_point until;
    bool used = true;
  };
  std::map<std::string, Answer> kept_;
  std::int64_t generation_ = -1;
};

}  // namespace slipway::gitops::appset
