#pragma once
// What an event makes of a document: which jobs there are, when they start. Private to ci/gitlab.
#include "ci/gitlab.h"
#include "ci/gitlab/variables.h"

namespace slipway::ci::gitlab {

struct Chosen {
  const Job* job = nullptr;
  When when = When::on_success;
  AllowFailure allow_failure;
  Variables variables;  // of the rule that matched
  std::optional<std::vector<Need>> needs;
  bool interruptible = false;
  double start_in = 0;
};
struct Selected {
  bool starts = true;   // workflow:rules
  Variables variables;  // of the workflow's rule
  std::vector<Chosen> jobs;
};

class Selector {
 public:
  Selector(const Event& event, const SourceTree& tree, Problems& problems)
      : event_(event), tree_(tree), problems_(problems) {}
  Selected select(const Document& document);
  // The variables of all jobs: predefined ones, the document's, the workflow rule's; without those of one job.
  static Scoped base(const Event& event, const Document& document, const Variables& workflow,
                     const std::optional<std::vector<std::string>>& inherits);
  // Given for this run by whoever started it: they win over the file's.
  static void set_given(const Event& event, Scoped& variables);
  // The first rule that holds, or nothing.
  const Rule* matching(const std::vector<Rule>& rules, const Scoped& variables);

 private:
  bool holds(const Rule& rule, const Scoped& variables);
  bool changed(const std::vector<std::string>& paths, const Scoped& variables) const;
  bool exists(const std::vector<std::string>& paths, const Scoped& variables, doc::Mark mark);
  bool ref_is(const RefPolicy::Ref& ref) const;
  bool only(const RefPolicy& policy, const Scoped& variables, bool all) const;
  std::optional<Chosen> choose(const Document& document, const Job& job, const Variables& workflow);

  const Event& event_;
  const SourceTree& tree_;
  Problems& problems_;
  std::optional<std::vector<std::string>> files_;
};

// "a.{js,ts}" as "a.js" and "a.ts"; at most 100.
std::vector<std::string> without_braces(const std::string& pattern);

}  // namespace slipway::ci::gitlab
