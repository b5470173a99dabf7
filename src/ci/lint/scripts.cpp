#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

struct Old {
  std::string_view command, instead;
};
constexpr Old commands[] = {{"::set-output name=", "echo \"name=value\" >> $GITHUB_OUTPUT"},
                            {"::save-state name=", "echo \"name=value\" >> $GITHUB_STATE"},
                            {"::set-env name=", "echo \"name=value\" >> $GITHUB_ENV"},
                            {"::add-path::", "echo \"folder\" >> $GITHUB_PATH"}};

}  // namespace

void lint_scripts(Lint& lint) {
  for (auto& job : lint.facts.jobs)
    for (auto& step : job.steps)
      for (auto& old : commands)
        if (step.run != nullptr && step.run->text.contains(old.command))
          lint.add("deprecated-commands", *step.run,
                   fmt::format("the command {} is no longer meant to be used: {}", old.command, old.instead));
}

}  // namespace slipway::ci
