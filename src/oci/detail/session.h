#pragma once
// One registry host: where it is, how to sign in, when to try again.
#include <map>

#include "base/guarded.h"
#include "oci/cloud.h"
#include "oci/remote.h"

namespace slipway::oci::detail {

struct Challenge {
  std::string scheme;  // lower case
  std::map<std::string, std::string> parameters;
};
// WWW-Authenticate, RFC 9110: several challenges in one header or in many; quoted strings may hold commas.
std::vector<Challenge> parse_challenges(const std::vector<std::string_view>& headers);

struct Call {
  std::string method = "GET", target;        // a path ("/v2/...") or a whole URL
  std::string repository, actions = "pull";  // the token's scope
  std::string mount_from;                    // a second repository to read
  net::Headers headers;
  std::string body;
  std::function<std::function<std::size_t(std::span<char>)>()> upload;  // makes a fresh reader for each try
  std::int64_t upload_size = -1;
  net::Client::Sink sink;
  bool retries = true;
};

// Threads: any.
class Session {
 public:
  Session(std::string host, std::string base, const RemoteOptions& options, net::Client& client)
      : host_(std::move(host)), base_(std::move(base)), options_(options), client_(client) {}
  // Any status but 401; 429 and 5xx only after all tries. Errors: denied (sign-in refused), unavailable, ...
  Result<net::ClientResponse> send(const Ctx& ctx, const Call& call);
  std::string absolute(std::string_view location) const;

 private:
  Result<net::ClientResponse> once(const Ctx& ctx, const Call& call);
  Result<std::string> sign_in(const Ctx& ctx, const std::vector<Challenge>& challenges, const std::string& scope,
                              const Call& call);
  Result<std::string> token(const Ctx& ctx, const Challenge& challenge, const Call& call);
  Result<> check_realm(const net::Url& realm) const;
  Result<std::optional<Credentials>> credentials(const Ctx& ctx);
  Result<std::optional<Credentials>> cloud_credentials(const Ctx& ctx);
  Clock::time_point credentials_end(const Ctx& ctx);  // when they must be asked for anew

  struct Grant {
    std::string authorization;
    Clock::time_point until;
  };
  std::string host_, base_;
  const RemoteOptions& options_;
  net::Client& client_;
  Guarded<std::map<std::string, Grant>> grants_;  // by scope
  Guarded<std::optional<CloudGrant>> cloud_;
};

bool is_loopback(std::string_view authority);

}  // namespace slipway::oci::detail
