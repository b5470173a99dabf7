#pragma once
// The agent: the first process of a job's container in a Pod. It asks the house for the job, runs it as a house would,
// and tells what happens.
#include <string>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::ci {

struct AgentOptions {
  std::string url;   // of the house
  std::string word;  // from the Pod's Secret: good for one greeting
  std::string pod;
  fs::path home = "/home/runner";
  Millis patience{std::chrono::minutes(15)};  // with a house that does not answer
};
// Ends when the house has all it told, or when the context stops: then the job is cancelled, and still told.
// Errors: denied (no agent is expected), timeout, unavailable (nobody answers), invalid (another release).
Result<> run_agent(const Ctx& ctx, const AgentOptions& options);

// Copies the agent's folder (its program, loader and libraries) to where the job's container finds it.
Result<> install_agent(const fs::path& to);

}  // namespace slipway::ci
