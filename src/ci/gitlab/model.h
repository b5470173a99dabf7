#pragma once
// A .gitlab-ci.yml as typed values: what stands there, before an event decides. Private to ci/gitlab.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ci/gitlab/expression.h"
#include "ci/workflow.h"

namespace slipway::ci::gitlab {

// What is wrong, of all files together. While the front end works, Mark::begin is the file's number, not a byte.
class Problems {
 public:
  int file(std::string name);  // its number from now on
  const std::string& name(std::size_t file) const { return files_.at(file); }
  path::Place place(doc::Mark mark) const;
  void add(doc::Mark mark, std::string message, std::string hint = {});
  // "did you mean 'x'?" when a candidate is near.
  void unknown(doc::Mark mark, std::string message, std::string_view word, std::span<const std::string> candidates);
  void not_yet(doc::Mark mark, std::string_view keyword, std::string hint);
  void add(Problem problem);
  bool any() const { return !list_.empty(); }
  bool full() const { return list_.size() >= 50; }
  std::vector<Problem> list() const;  // by file and place

 private:
  std::vector<std::string> files_;
  std::vector<Problem> list_;
};

enum class When : std::uint8_t { on_success, on_failure, always, manual, never, delayed };
std::string_view to_string(When when);

struct AllowFailure {
  bool any = false;
  std::vector<int> codes;  // only with these exit codes
};
struct Variable {
  std::string name, value;
  bool expand = true;
  doc::Mark mark;
};
using Variables = std::vector<Variable>;

// One choice of a parallel:matrix: each name with the values it may take.
using MatrixEntry = std::vector<std::pair<std::string, std::vector<std::string>>>;
struct Need {
  std::string job;
  bool artifacts = true, optional = false;
  std::vector<MatrixEntry> rows;  // empty: all rows of the job
  doc::Mark mark;
};
struct Rule {
  std::optional<RuleExpression> condition;
  std::optional<std::vector<std::string>> changes, exists;
  std::optional<When> when;
  std::optional<AllowFailure> allow_failure;
  Variables variables;
  std::optional<std::vector<Need>> needs;
  std::optional<bool> interruptible;
  double start_in = 0;  // seconds, of when: delayed
  doc::Mark mark;
};
// only / except.
struct RefPolicy {
  struct Ref {
    std::string word;  // "branches", a branch's name
    std::optional<Pattern> pattern;
  };
  std::vector<Ref> refs;
  std::vector<RuleExpression> variables;
  std::vector<std::string> changes;
};
struct Service {
  std::string image;
  std::vector<std::string> aliases, entrypoint, command;
  Variables variables;
  doc::Mark mark;
};
struct Cache {
  std::string key = "default", prefix, policy = "pull-push";
  std::vector<std::string> key_files, paths, fallback;
  When when = When::on_success;
  doc::Mark mark;
};
struct Artifacts {
  std::string name;
  std::vector<std::string> paths, exclude;
  When when = When::on_success;
  int days = 0;                                                           // 0: as long as the house keeps them
  std::vector<std::pair<std::string, std::vector<std::string>>> reports;  // kind, files
  doc::Mark mark;
};
struct Retry {
  int times = 0;
  std::vector<std::string> when;
  std::vector<int> codes;
};
struct Environment {
  std::string name, url, action = "start";
};
// trigger: a pipeline of its own, whose files are said here.
struct ChildPipeline {
  doc::Value include;
  bool depends = false;  // strategy: its end is the job's
  bool gives_variables = true, gives_pipeline_variables = false;
  doc::Mark mark;
};
struct ReleaseWish {
  std::string tag, name, description, ref;
  std::vector<std::pair<std::string, std::string>> links;
  doc::Mark mark;
};
struct Job {
  std::string name, stage = "test", image, resource_group, coverage;
  std::vector<std::string> before, script, after, hooks, tags;
  std::vector<Service> services;
  Variables variables;
  std::optional<std::vector<Rule>> rules;
  std::optional<RefPolicy> only, except;
  std::optional<When> when;
  std::optional<AllowFailure> allow_failure;
  std::optional<std::vector<Need>> needs;
  std::optional<std::vector<std::string>> dependencies;
  std::vector<Cache> caches;
  std::optional<Artifacts> artifacts;
  double minutes = 0;
  Retry retry;
  std::optional<bool> interruptible;
  std::optional<Environment> environment;
  int parallel = 0;
  std::vector<MatrixEntry> matrix;
  double start_in = 0;
  std::optional<ChildPipeline> child;
  std::optional<ReleaseWish> release;
  std::string pages;                                                        // the site's folder; "" none
  std::vector<std::pair<std::string, std::vector<std::string>>> id_tokens;  // variable, audiences
  // inherit:variables; nothing: all.
  std::optional<std::vector<std::string>> inherits;
  doc::Mark mark;
};
struct Document {
  std::string source;
  std::vector<std::string> stages = {".pre", "build", "test", "deploy", ".post"};
  Variables variables;
  std::optional<std::vector<Rule>> rules;  // of the workflow
  std::string name;                        // workflow:name
  bool cancels = true;                     // workflow:auto_cancel
  std::string prefix;                      // of a child: what its artifacts are told apart by
  std::vector<Job> jobs;                   // hidden ones are not here
  const Job* job(std::string_view wanted) const;
  std::size_t stage(std::string_view wanted) const;  // its place in `stages`, their number when there is none
};

}  // namespace slipway::ci::gitlab
