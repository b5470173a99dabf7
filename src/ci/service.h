#pragma once
// What actions written in JavaScript, and those in containers, talk to: GitHub's Results services (artifacts, caches),
// signed addresses of blobs as Azure's client uses them, and id tokens (OIDC). All of one port, all local.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "ci/runner.h"
#include "doc/value.h"
#include "net/server.h"

namespace slipway::ci {

// One job of one run, and what it may reach.
struct ServiceJob {
  std::string run_id, key;          // of the run; of the job in it
  std::string repository;           // whose caches these are
  std::vector<std::string> scopes;  // of caches: written to the first, read in this order
  Guarded<std::map<std::string, RunArtifact>>* artifacts = nullptr;  // of the run; valid as long as the pass
  doc::Map claims;                                                   // of its id tokens; empty: it gets none
};

struct ServiceOptions {
  store::BlobStore* blobs = nullptr;
  JobCache* cache = nullptr;                         // null: no caches are kept
  fs::path key_file;                                 // signs id tokens (ES256; RS256: NAME-rsa beside it); made
  std::string id_token_algorithm = "RS256";          // or ES256; what clouds expect of GitHub is RS256
  std::function<std::string(bool own_network)> url;  // http://host:port as jobs reach us
  std::function<std::string()> issuer;               // as others reach us, and what id tokens name
  std::uint64_t max_blob = std::uint64_t{10} << 30;  // bytes of an artifact or a cache entry
  std::size_t max_blobs = 2000;                      // begun by one job
  Millis token_lifetime{std::chrono::minutes(10)};   // of an id token
};

// Threads: any. Everything that comes in is checked: tokens are random, of one job, and void when it ends; a job
// reaches the artifacts of its run and the caches of its repository's branches, nothing else.
class JobService {
 public:
  // Errors: invalid (key file), unavailable, denied.
  static Result<std::unique_ptr<JobService>> open(ServiceOptions options);
  virtual ~JobService();
  // For the paths below.
  net::Handler routes();
  static constexpr const char* paths[] = {"/twirp/", "/results/", "/.well-known/openid-configuration",
                                          "/.well-known/jwks"};

  // A job's right to ask. Requests in work end as they can; later ones are refused.
  class Pass {
   public:
    virtual ~Pass();
    // ACTIONS_RUNTIME_TOKEN and the like: for JavaScript and container actions, never for `run:`. own_network: of a
    // process whose 127.0.0.1 is not ours.
    virtual std::map<std::string, std::string> env(bool own_network = false) const;
    // Of those, what must not be shown.
    virtual std::vector<std::string> secrets() const;
    struct Changes {
      std::vector<RunArtifact> uploaded;
      std::vector<std::string> deleted;  // names
    };
    virtual Changes take_changes();  // since the last call
    // What the job's processes get by asking. Errors: denied (it has no claims), invalid.
    virtual Result<std::string> id_token(const Ctx& ctx, const std::string& audience) const;

   protected:
    Pass();  // of a service that is elsewhere

   private:
    friend class JobService;
    struct Rep;
    explicit Pass(std::unique_ptr<Rep> rep);
    std::unique_ptr<Rep> rep_;
  };
  virtual std::shared_ptr<Pass> admit(ServiceJob job);

  struct Rep;  // of ci/service alone

 protected:
  JobService() = default;  // of one that is elsewhere: admit alone

 private:
  explicit JobService(std::shared_ptr<Rep> rep);
  std::shared_ptr<Rep> rep_;
};

}  // namespace slipway::ci
