#pragma once
// Walks a workflow file as it is written: keys and kinds of values by table, facts for the later passes. Private to ci.
#include "ci/detail/lint.h"

namespace slipway::ci {

class StructureReader {
 public:
  explicit StructureReader(Lint& lint) : lint_(lint) {}
  void workflow(const YamlNode& root);

 private:
  using Node = YamlNode;
  using Want = Use::Want;
  struct Entry {
    std::string name;
    const Node *key, *value;
  };
  // A key of a section and how its value is read.
  struct KeyRule {
    std::string_view key;
    void (StructureReader::*read)(const Entry& entry, const KeyRule& rule);
    std::string_view place;
  };
  using Table = std::span<const KeyRule>;

  // structure.cpp: values of all sections
  const Node& real(const Node& node);
  void wrong(const Node& at, std::string message) { lint_.add("syntax-check", at, std::move(message)); }
  std::vector<Entry> section(const Node& node, std::string_view what, bool allow_empty, bool exact_case);
  void by_table(const std::vector<Entry>& entries, std::string_view what, Table table);
  void unexpected(const Entry& entry, std::string_view what, Table table);
  static const KeyRule* rule_of(Table table, std::string_view key);
  static const Entry* entry_of(const std::vector<Entry>& entries, std::string_view key);
  void use(const Node& node, std::string_view place, Want want, std::string_view what = {}, bool script = false);
  bool is_expression(const Node& node);
  const Node* string(const Node& node, bool allow_empty, std::string_view place, Want want = Want::text);
  std::vector<const Node*> strings(const Node& node, std::string_view what, bool single, std::string_view place,
                                   bool allow_empty = false);
  void raw(const Node& node, std::string_view place);
  std::vector<std::pair<const Node*, const Node*>> pairs(const Node& node, std::string_view what,
                                                         std::string_view place, bool allow_empty);

  void text(const Entry& e, const KeyRule& r);
  void text_or_empty(const Entry& e, const KeyRule& r);
  void boolean(const Entry& e, const KeyRule& r);
  void integer(const Entry& e, const KeyRule& r);
  void number(const Entry& e, const KeyRule& r);
  void env(const Entry& e, const KeyRule& r);
  void condition(const Entry& e, const KeyRule& r);
  void list(const Entry& e, const KeyRule& r);
  void one_or_list(const Entry& e, const KeyRule& r);
  void anything(const Entry& e, const KeyRule& r);

  // structure_on.cpp
  void on(const Entry& e, const KeyRule& r);
  void event(const Entry& e);
  void bare_event(const Node& node);
  void schedule(const Node& node);
  void dispatch(const Entry& e);
  void dispatch_input(const Entry& e);
  void call(const Node& node);
  void call_input(const Entry& e);
  void call_secrets(const Entry& e);
  void call_outputs(const Entry& e);
  void webhook(const Entry& e);
  void image_version(const Entry& e);

  // structure_jobs.cpp
  void jobs(const Entry& e, const KeyRule& r);
  void job(const Entry& e);
  void call_job(const Entry& e, const std::vector<Entry>& entries);
  void needs(const Entry& e, const KeyRule& r);
  void runs_on(const Entry& e, const KeyRule& r);
  void permissions(const Entry& e, const KeyRule& r);
  void concurrency(const Entry& e, const KeyRule& r);
  void environment(const Entry& e, const KeyRule& r);
  void defaults(const Entry& e, const KeyRule& r);
  void default_shell(const Entry& e, const KeyRule& r);
  void outputs(const Entry& e, const KeyRule& r);
  void strategy(const Entry& e, const KeyRule& r);
  void matrix(const Entry& e, const KeyRule& r);
  void matrix_rows(const Entry& e, std::string_view place);
  void container(const Entry& e, const KeyRule& r);
  void container_body(const Entry& e, std::string_view what, Table table);
  void credentials(const Entry& e, const KeyRule& r);
  void services(const Entry& e, const KeyRule& r);
  void snapshot(const Entry& e, const KeyRule& r);
  void version_pattern(const Entry& e, const KeyRule& r);
  void call_target(const Entry& e, const KeyRule& r);
  void call_with(const Entry& e, const KeyRule& r);
  void call_with_secrets(const Entry& e, const KeyRule& r);

  // structure_steps.cpp
  void steps(const Entry& e, const KeyRule& r);
  void step(const Node& node);
  void step_id(const Entry& e, const KeyRule& r);
  void step_uses(const Entry& e, const KeyRule& r);
  void step_run(const Entry& e, const KeyRule& r);
  void step_shell(const Entry& e, const KeyRule& r);
  void step_with(const Entry& e, const KeyRule& r);
  void parallel(const Entry& e, const KeyRule& r);

  JobFacts& current_job() { return lint_.facts.jobs[static_cast<std::size_t>(job_)]; }
  StepFacts& current_step() { return current_job().steps[static_cast<std::size_t>(step_)]; }

  Lint& lint_;
  int job_ = -1, step_ = -1, input_ = -1;
  std::string credentials_of_;  // "container", "\"redis\" service"
};

}  // namespace slipway::ci
