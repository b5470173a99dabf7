#pragma once
// Variables: their levels, what refers to what, and those that are known before any job runs. Private to ci/gitlab.
#include <map>
#include <set>

#include "ci/gitlab/model.h"
#include "ci/plan.h"

namespace slipway::ci::gitlab {

// Text in which some parts are known only while the job runs: those are expressions of the runner's language.
struct Text {
  struct Piece {
    bool expression = false;
    std::string text;
  };
  std::vector<Piece> pieces;
  static Text of(std::string literal);
  static Text computed(std::string expression);
  bool known() const;         // no expressions
  std::string plain() const;  // expressions left out
  std::size_t size() const;
  void add(const Text& more);
};
// A literal where all is known, else an expression. Errors: invalid (longer than expressions may be).
Result<Template> to_template(const Text& text, doc::Mark mark);
Template literal(std::string text, doc::Mark mark = {});
Result<Template> computed(std::string expression, doc::Mark mark = {});

// Variables of all levels; what was set later wins. Rule: "Use variables in other variables": $A, ${A}, $$.
class Scoped {
 public:
  // What a name means that no level knows: a secret, a variable of the house, what an earlier job gave. Without
  // sources it is nothing.
  void set_sources(std::vector<std::string> expressions) { sources_ = std::move(expressions); }
  void set(const std::string& name, Text value);
  void set(const Variables& variables);
  // All that are set, in order of their names. Values that refer to themselves keep the reference as it is written.
  std::vector<std::pair<std::string, Text>> all() const;
  // Text with its references replaced. Values longer than 64 KiB are cut off there.
  Text expand(std::string_view text) const;
  Lookup lookup() const;  // for rules: what is known now

 private:
  struct Entry {
    std::optional<Text> fixed;
    std::string raw;
    bool expand = true;
  };
  const Text* value(const std::string& name, std::set<std::string>& open) const;
  Text expand(std::string_view text, std::set<std::string>& open) const;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> sources_;
  mutable std::map<std::string, Text> done_;
};

// CI_COMMIT_SHA and its like, from the event. Rule: GitLab's "Predefined CI/CD variables reference".
std::vector<std::pair<std::string, Text>> predefined(const Event& event, const std::string& source);
// CI_COMMIT_REF_SLUG's rule: lower case, 63 bytes, letters and digits, the rest "-", none at the ends.
std::string slug(std::string_view text);
// A name as a string of the runner's expression language: 'it''s'.
std::string as_string(std::string_view text);

}  // namespace slipway::ci::gitlab
