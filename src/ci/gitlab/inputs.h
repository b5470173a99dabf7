#pragma once
// spec:inputs: what a file that is included may be told, and where it stands in it. Private to ci/gitlab.
// Rule: GitLab's "CI/CD inputs".
#include <functional>

#include "ci/gitlab/model.h"

namespace slipway::ci::gitlab {

// The head with spec: and what follows it. The lines of `body` keep their numbers. Nothing: the file has no head.
struct SpecFile {
  std::string head, body;
};
std::optional<SpecFile> split_spec(std::string_view text);

// Values by name, from the head's spec:inputs and what is given. What is wrong goes to `problems`.
doc::Map read_inputs(const doc::Map& head, const doc::Map* given, doc::Mark where, Problems& problems);
// Puts them where $[[ inputs.NAME ]] stands, in values and in keys; alone in a value they keep their type.
void fill_in(doc::Value& value, const doc::Map& inputs, const std::function<std::string(std::string_view)>& expand,
             Problems& problems);

}  // namespace slipway::ci::gitlab
