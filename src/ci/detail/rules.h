#pragma once
// The grammar of workflow and action files as a table, and the reader that applies it. Private to ci.
#include "ci/workflow.h"

namespace slipway::ci {

struct Rule;
struct RuleRef {
  const Rule* rule = nullptr;
  const Vocabulary* words = nullptr;  // what expressions below may name; null: as the parent
};
struct MapRule {
  struct Property {
    std::string name;
    RuleRef value;
    bool required = false;
  };
  std::vector<Property> properties;
  std::optional<RuleRef> loose;  // any other non-empty key
  const Property* find(std::string_view name) const;
};
// The union of everything a value may be.
struct Rule {
  std::string name;
  bool null = false, boolean = false, number = false;
  enum class Text : std::uint8_t { no, non_empty, any } text = Text::no;
  std::vector<std::string> constants;
  std::optional<RuleRef> item;  // of a list
  std::vector<MapRule> maps;
};
// workflow, workflow-called, action. Built once; lives for the program.
RuleRef find_rule(std::string_view name);

struct TemplateOptions {
  std::string source;
  bool background_steps = true;
  std::string_view text;  // of the file
};
// Reads a document by a rule, adding what is wrong to `problems`. The tree is as complete as the input allows.
Template read_template(const doc::Value& document, RuleRef rule, const TemplateOptions& options,
                       std::vector<Problem>& problems);

// Turns a checked tree into typed values.
class Converter {
 public:
  Converter(std::string source, std::vector<Problem>& problems) : source_(std::move(source)), problems_(problems) {}
  Workflow workflow(const Template& root);
  Action action(const Template& root);
  std::vector<Step> steps(const Template& list);
  std::vector<Trigger> triggers(const Template& on);
  std::vector<Input> inputs(const Template& map, bool call);

 private:
  struct StepIds;
  Trigger trigger(const std::string& event, const Template& settings);
  void schedule(const Template& list, Trigger& out);
  std::vector<JobDefinition> jobs(const Template& map);
  JobDefinition job(const Template& key, const Template& body);
  void job_field(JobDefinition& job, const std::string& key, const Template& value);
  void check_needs(const std::vector<JobDefinition>& jobs, const Template& map);
  void check_runs_on(const Template& value);
  void check_matrix(const Template& strategy);
  void check_container(const Template& value);
  std::optional<Step> step(const Template& body, StepIds& ids);
  void step_field(Step& step, const std::string& key, const Template& value, StepIds& ids);
  void check_uses(const Template& value);
  void check_target(const Template& target, const Step& self, const StepIds& ids);
  Condition condition(const Template& value, std::string_view rule);
  Permissions permissions(const Template& value);
  std::vector<std::string> strings(const Template& value);
  void wrong(doc::Mark mark, std::string message, std::string hint = {});

  std::string source_;
  std::vector<Problem>& problems_;
};
const Vocabulary& condition_words(bool step);
// A named set of what expressions may name ("W", "IFS"); "" is the empty one.
const Vocabulary& words_of(std::string_view set);
// The activity types an event has; nothing: there is no such event.
std::optional<std::vector<std::string>> event_types(std::string_view event);
std::vector<std::string> event_names();
bool is_valid_cron(std::string_view text);

}  // namespace slipway::ci
