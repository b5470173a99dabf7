#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

bool good_identifier(std::string_view id) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto digit = [](char c) { return (c >= '0' && c <= '9') || c == '-'; };
  return !id.empty() && letter(id[0]) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return letter(c) || digit(c); });
}

void check_id(Lint& lint, const YamlNode& node, std::string_view what) {
  if (node.text.empty() || holds_expression(node.text) || good_identifier(node.text)) return;
  lint.add("id", node,
           fmt::format("'{}' is no id of a {}: a letter or _ first, then letters, digits, - and _", node.text, what));
}

void check_ids(Lint& lint, const JobFacts& job) {
  check_id(lint, *job.key, "job");
  std::map<std::string, const YamlNode*> seen;
  for (auto& step : job.steps) {
    if (step.id == nullptr || step.id->text.empty()) continue;
    check_id(lint, *step.id, "step");
    auto [first, fresh] = seen.emplace(lower(step.id->text), step.id);
    if (!fresh)
      lint.add("id", *step.id,
               fmt::format("step id '{}' is here twice: first at line {}, column {}", step.id->text,
                           first->second->line, first->second->column));
  }
}

class Graph {
 public:
  explicit Graph(Lint& lint) : lint_(lint) {
    for (auto& job : lint.facts.jobs) jobs_[job.id] = &job;
  }
  void check() {
    for (auto& job : lint_.facts.jobs) needs(job);
    for (auto& job : lint_.facts.jobs)
      if (!found_) visit(job);
  }

 private:
  void needs(const JobFacts& job) {
    std::set<std::string> seen;
    for (auto* need : job.needs) {
      if (need->text.empty()) continue;
      auto id = lower(need->text);
      if (!seen.insert(id).second)
        lint_.add("job-needs", *need, fmt::format("job '{}' is needed twice", need->text));
      else if (!jobs_.contains(id))
        lint_.add("job-needs", *job.key,
                  fmt::format("job '{}' needs '{}', which is not there", job.key->text, need->text));
    }
  }
  void visit(const JobFacts& job) {
    auto& state = state_[job.id];
    if (state == 2) return;
    if (state == 1) return cycle(job);
    state = 1;
    path_.push_back(&job);
    for (auto* need : job.needs)
      if (auto other = jobs_.find(lower(need->text)); other != jobs_.end() && !found_) visit(*other->second);
    path_.pop_back();
    state_[job.id] = 2;
  }
  void cycle(const JobFacts& job) {
    found_ = true;
    auto from = std::find(path_.begin(), path_.end(), &job);
    auto* first = *std::min_element(from, path_.end(), [](auto* a, auto* b) { return a->key->line < b->key->line; });
    std::string names;
    for (auto at = from; at != path_.end(); ++at) names += fmt::format("'{}' needs ", (*at)->key->text);
    lint_.add("job-needs", *first->key, fmt::format("jobs wait for each other: {}'{}'", names, job.key->text));
  }

  Lint& lint_;
  std::map<std::string, const JobFacts*> jobs_;
  std::map<std::string, int> state_;  // 1 being visited, 2 done
  std::vector<const JobFacts*> path_;
  bool found_ = false;
};

}  // namespace

void lint_graph(Lint& lint) {
  for (auto& job : lint.facts.jobs) check_ids(lint, job);
  Graph(lint).check();
}

}  // namespace slipway::ci
