#pragma once
// What steps say: workflow commands in their output, and the files they write (GITHUB_OUTPUT and the like).
// Rule: GitHub Actions' "Workflow commands" as its runner parses them.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::ci {

struct WorkflowCommand {
  std::string name;
  std::map<std::string, std::string> properties;  // keys in lower case
  std::string data;
};
// ::name key=value,key=value::data at the start of a line (blanks before it are skipped).
std::optional<WorkflowCommand> parse_command(std::string_view line);

using Pairs = std::vector<std::pair<std::string, std::string>>;
// name=value and name<<END ... END. Errors: invalid with the line's number.
Result<Pairs> parse_env_file(std::string_view text, std::string_view file_name);

// ANSI colour codes removed.
std::string strip_colours(std::string_view text);

}  // namespace slipway::ci
