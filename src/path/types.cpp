#include "path/types.h"

#include <optional>

namespace slipway::path {
namespace {

template <class E>
struct Name {
  E value;
  std::string_view text;
};
template <class E, std::size_t N>
std::string_view name_of(const Name<E> (&names)[N], E value) {
  for (const auto& n : names)
    if (n.value == value) return n.text;
  return {};
}
template <class E, std::size_t N>
std::optional<E> value_of(const Name<E> (&names)[N], std::string_view text) {
  for (const auto& n : names)
    if (n.text == text) return n.value;
  return std::nullopt;
}

constexpr Name<Phase> phases[] = {{Phase::pending, "Pending"}, {Phase::running, "Running"},
                                  {Phase::waiting, "Waiting"}, {Phase::succeeded, "Succeeded"},
                                  {Phase::failed, "Failed"},   {Phase::cancelled, "Cancelled"},
                                  {Phase::skipped, "Skipped"}};
constexpr Name<Severity> severities[] = {{Severity::info, "info"},         {Severity::low, "low"},
                                         {Severity::medium, "medium"},     {Severity::high, "high"},
                                         {Severity::critical, "critical"}, {Severity::error, "error"},
                                         {Severity::warning, "warning"}};
// GitHub's names: workflows say `on: workflow_dispatch`. Git tags are pushes there; here they are told apart.
constexpr Name<Change::Event> events[] = {{Change::Event::push, "push"},
                                          {Change::Event::pull_request, "pull_request"},
                                          {Change::Event::tag, "tag"},
                                          {Change::Event::manual, "workflow_dispatch"},
                                          {Change::Event::schedule, "schedule"},
                                          {Change::Event::repository_dispatch, "repository_dispatch"},
                                          {Change::Event::workflow_run, "workflow_run"},
                                          {Change::Event::created, "create"},
                                          {Change::Event::deleted, "delete"},
                                          {Change::Event::release, "release"}};
constexpr Name<Verdict::Outcome> outcomes[] = {{Verdict::Outcome::pass, "pass"},
                                               {Verdict::Outcome::fail, "fail"},
                                               {Verdict::Outcome::inconclusive, "inconclusive"}};

}  // namespace

std::string Place::print() const {
  if (line <= 0) return file;
  return column > 0 ? fmt::format("{}:{}:{}", file, line, column) : fmt::format("{}:{}", file, line);
}

std::string_view to_string(Phase phase) { return name_of(phases, phase); }
std::optional<Phase> parse_phase(std::string_view text) { return value_of(phases, text); }
bool is_final(Phase phase) {
  return phase == Phase::succeeded || phase == Phase::failed || phase == Phase::cancelled || phase == Phase::skipped;
}
std::string_view to_string(Severity severity) { return name_of(severities, severity); }
std::optional<Severity> parse_severity(std::string_view text) { return value_of(severities, text); }
std::string_view to_string(Change::Event event) { return name_of(events, event); }
std::optional<Change::Event> parse_event(std::string_view text) { return value_of(events, text); }
std::string_view to_string(Verdict::Outcome outcome) { return name_of(outcomes, outcome); }
std::optional<Verdict::Outcome> parse_outcome(std::string_view text) { return value_of(outcomes, text); }

}  // namespace slipway::path
