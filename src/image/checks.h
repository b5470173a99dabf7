#pragma once
// BuildKit's build checks: what a Dockerfile may do, but should not.
#include <functional>
#include <set>

#include "image/dockerfile.h"
#include "image/ignore.h"
#include "image/stages.h"

namespace slipway::image {

struct Check {
  std::string rule;  // "UndefinedVar"
  int line = 0;      // from 1
  std::string text;
};
struct CheckOptions {
  std::map<std::string, std::string> args;  // build arguments that will be given
  const IgnoreList* ignore = nullptr;       // the context's .dockerignore, for CopyIgnoredFile
  // The environment of a base image, where it is known: variables of others are not judged.
  std::function<std::optional<std::vector<std::string>>(const std::string& image)> env_of;
  std::string config;  // instead of the file's "# check=": "skip=A,B;error=true"
};
struct Checked {
  std::vector<Check> found;  // by line
  bool fails = false;        // "error=true", and something was found
};

// Rules, names and wordings: BuildKit's linter, docs/rules. A comment "# check=skip=RULE" right above an instruction
// leaves it out. Errors: invalid for a broken "check" directive. Threads: any.
Result<Checked> check_dockerfile(const Dockerfile& file, const StagePlan& plan, const CheckOptions& options = {});

}  // namespace slipway::image
