#include "ci/gitlab/model.h"

#include "base/text.h"

namespace slipway::ci::gitlab {

int Problems::file(std::string name) {
  files_.push_back(std::move(name));
  return static_cast<int>(files_.size()) - 1;
}

path::Place Problems::place(doc::Mark mark) const {
  if (mark.begin >= files_.size()) return {};
  return {files_[mark.begin], static_cast<int>(mark.line), static_cast<int>(mark.column)};
}

void Problems::add(Problem problem) {
  if (full()) return;
  // What is taken over from elsewhere would be said again by every job that takes it.
  auto said = [&](const Problem& p) { return p.place == problem.place && p.message == problem.message; };
  if (std::none_of(list_.begin(), list_.end(), said)) list_.push_back(std::move(problem));
}

void Problems::add(doc::Mark mark, std::string message, std::string hint) {
  add(Problem{place(mark), std::move(message), std::move(hint)});
}

void Problems::unknown(doc::Mark mark, std::string message, std::string_view word,
                       std::span<const std::string> candidates) {
  auto near = nearest(word, candidates);
  add(mark, std::move(message), near ? fmt::format("did you mean '{}'?", *near) : std::string());
}

void Problems::not_yet(doc::Mark mark, std::string_view keyword, std::string hint) {
  add(mark, fmt::format("{}: is not there yet", keyword), std::move(hint));
}

std::vector<Problem> Problems::list() const {
  auto out = list_;
  auto rank = [&](const Problem& p) {
    auto file = std::find(files_.begin(), files_.end(), p.place.file) - files_.begin();
    return std::tuple(file, p.place.line, p.place.column);
  };
  std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return out;
}

std::string_view to_string(When when) {
  constexpr std::string_view names[] = {"on_success", "on_failure", "always", "manual", "never", "delayed"};
  return names[static_cast<std::size_t>(when)];
}

const Job* Document::job(std::string_view wanted) const {
  for (const auto& one : jobs)
    if (one.name == wanted) return &one;
  return nullptr;
}

std::size_t Document::stage(std::string_view wanted) const {
  return static_cast<std::size_t>(std::find(stages.begin(), stages.end(), wanted) - stages.begin());
}

}  // namespace slipway::ci::gitlab
