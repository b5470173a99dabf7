// job-agent: what runs in the Pods of jobs. Nobody types it.
#include <cstdlib>

#include "ci/pod/agent.h"
#include "cli/command.h"

namespace slipway::cli {
namespace {

Result<int> job_agent(const Ctx& ctx, const Arguments& arguments, Io&) {
  if (arguments.has("install")) {
    TRY_OK(ci::install_agent(arguments.get("install")));
    return 0;
  }
  const char* word = std::getenv("SLIPWAY_AGENT_WORD");
  if (!word || !arguments.has("url"))
    return Fail(Error(Kind::invalid, "job-agent: want --url, and the word of a job in SLIPWAY_AGENT_WORD")
                    .with_hint("slipway up --jobs pods starts it, in the Pods of jobs"));
  const char* pod = std::getenv("SLIPWAY_AGENT_POD");
  ci::AgentOptions options{arguments.get("url"), word, pod ? pod : ""};
  TRY_OK(ci::run_agent(ctx, options));
  return 0;
}

}  // namespace

std::vector<Command> job_agent_commands() {
  Command command{"job-agent",
                  "runs one job in a Pod (slipway up --jobs pods starts it)",
                  "slipway job-agent --url http://house:7080",
                  {{"--url", "the house, as Pods reach it"}, {"--install", "copies the agent to a folder, and ends"}},
                  {},
                  job_agent};
  command.serves = true;
  command.hidden = true;
  return {std::move(command)};
}

}  // namespace slipway::cli
