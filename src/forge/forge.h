#pragma once
// What is told to the place where the code lives: statuses of commits, one comment a pull request that is updated
// and not repeated, pull requests for promotions, deployments.
#include <memory>
#include <string>

#include "base/ctx.h"
#include "forge/hook.h"

namespace slipway::forge {

enum class State { pending, success, failure, error };
std::string_view to_string(State state);

struct CommitStatus {
  std::string repository;  // "owner/name"
  std::string commit;      // whole id
  std::string context;     // "slipway/ci / test": the same context replaces
  State state = State::pending;
  std::string description;  // cut to what the forge takes
  std::string url;
};
struct Comment {
  std::string repository;
  int pull_request = 0;
  std::string marker;  // "preview": names the comment, hidden in its text
  std::string body;    // Markdown
};
struct PullRequestDraft {
  std::string repository;
  std::string head, base;  // branches
  std::string title, body;
};
struct PullRequestLink {
  int number = 0;
  std::string url;
};
struct Deployment {
  std::string repository, commit, environment;
  State state = State::pending;
  std::string description, url;
  bool production = false;
};

// The embedded host's forge is the house's own: it stores the same on PullRequest objects. Errors of all: denied
// (token, rights), not_found, invalid (the forge's own words), unavailable with retry_after (rate limit, 5xx), those
// of the connection. Threads: any.
class Forge {
 public:
  virtual ~Forge() = default;
  virtual Result<> set_status(const Ctx& ctx, const CommitStatus& status) = 0;
  // Finds the comment by its marker and replaces its text, or writes it. The same text is not written again.
  virtual Result<> upsert_comment(const Ctx& ctx, const Comment& comment) = 0;
  // The open one for head and base, with title and body brought up to date, or a new one.
  virtual Result<PullRequestLink> open_pull_request(const Ctx& ctx, const PullRequestDraft& draft) = 0;
  // By default a status with the context "deploy/ENVIRONMENT".
  virtual Result<> set_deployment(const Ctx& ctx, const Deployment& deployment);
};

struct ForgeOptions {
  Provider provider = Provider::github;
  std::string api;          // "" the public one; else https://git.example.org/api/v4 and the like
  std::string user, token;  // user only where the forge signs in with one (Bitbucket app passwords)
  std::string ca_pem;       // "" the system's
  bool verify = true;       // its certificate
};
// Errors: invalid (no public service of this kind, bad URL, no token).
Result<std::unique_ptr<Forge>> connect(ForgeOptions options);

}  // namespace slipway::forge
