#pragma once
// Webhooks of the forges: is it really from them, and what does it say.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "net/server.h"

namespace slipway::forge {

enum class Provider { github, gitlab, gitea, bitbucket, bitbucket_server };  // Forgejo speaks as Gitea does
std::string_view to_string(Provider provider);
std::optional<Provider> parse_provider(std::string_view text);

// What happened there, in one form for all.
struct Hook {
  enum class Type { push, tag, pull_request, pull_request_closed, ping, other };
  Type type = Type::other;
  Provider provider = Provider::github;
  std::string event, action;  // as the forge calls them: "pull_request", "synchronize"
  std::string repository;     // "owner/name"
  std::string clone_url, link;
  std::string ref, before, after;  // push, tag: ids; before "" when new, after "" when deleted
  bool forced = false;
  int pull_request = 0;
  bool merged = false;  // with pull_request_closed
  bool draft = false;
  std::string base_ref, base;  // pull request: target branch (refs/heads/main) and its commit
  std::string head_ref, head_repository;
  bool from_fork = false;  // runs for it get no secrets
  std::string author, subject;
  std::vector<std::string> paths;  // touched
  bool paths_complete = false;     // false: the forge does not say, or not all
};

// The forge that a request comes from, by its headers.
std::optional<Provider> provider_of(const net::Headers& headers);
// Errors: denied (no secret set, no signature, a wrong one). Compares in constant time.
// Rules: GitHub "validating webhook deliveries", GitLab "X-Gitlab-Token", Gitea and Bitbucket HMAC headers.
Result<> verify_hook(Provider provider, const net::Headers& headers, std::string_view body, std::string_view secret);
std::string event_of(Provider provider, const net::Headers& headers);
std::string delivery_of(Provider provider, const net::Headers& headers);
// `event` as the header says, "" to tell by the payload. One push may move several refs. Errors: invalid.
Result<std::vector<Hook>> parse_hook(Provider provider, std::string_view event, std::string_view body);

struct ReceiverOptions {
  // All secrets that count now (several while one is changed); the payload's repository is not yet trusted.
  std::function<std::vector<std::string>(Provider)> secrets;
  // Called once for each hook of a fresh delivery. An error answers 503, and the forge's next try counts as fresh.
  std::function<Result<>(const Ctx&, const Hook&)> take;
  std::size_t remembered = 20'000;  // deliveries, against replays
  std::size_t max_body = std::size_t{25} << 20;
};

// POST /hooks/PROVIDER (or /hooks/ and told by the headers). 202 taken, 200 ignored or seen before, 401 wrong
// signature, 400 unreadable. Threads: any.
class HookReceiver {
 public:
  explicit HookReceiver(ReceiverOptions options);
  ~HookReceiver();
  net::Handler routes();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::forge
