#pragma once
// kinds.actions, read: what its head says of how one is written.
#include "gitops/actions.h"
#include "gitops/rules/terms.h"

namespace slipway::gitops::actions {

// What a change cannot say.
using Function = Result<std::vector<ActionWrite>> (*)(const kube::Object& object, const ActionCall& call);
Function find_function(std::string_view name);  // null: no such function

struct Change {
  enum class What { set, remove, use } what = What::set;
  std::vector<std::string> path;  // keys
  std::string_view value;
  Function function = nullptr;
  std::vector<rules::Term> wants;
};
struct Row {
  std::string_view name, icon, title;
  std::vector<std::string_view> parameters;
  std::vector<std::vector<rules::Term>> enabled;  // any of them; none: always
  std::vector<Change> changes;
};
struct Program {
  std::vector<Row> rows;
  std::vector<std::string> problems;
};

// Null: the kind has no actions. Threads: any.
const Program* program_of(const kube::Object& object);

std::string_view written_actions();
// What is wrong with actions as written: "line 3: ...".
std::vector<std::string> problems_of(std::string_view text);

}  // namespace slipway::gitops::actions
