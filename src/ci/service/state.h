#pragma once
// What the parts of the service share. Private to ci/service.
#include "ci/jobcache.h"
#include "ci/service.h"
#include "ci/service/uploads.h"
#include "doc/view.h"
#include "net/jwt.h"

namespace slipway::ci {

struct JobState {
  ServiceJob job;
  std::string run_id, job_id;  // as the protocols name them
  // Of the rest. Held while the run's artifacts are touched: after `closed` they may be gone.
  std::mutex mutex;
  bool closed = false;
  std::map<std::string, std::shared_ptr<Upload>> uploads;  // by what they become
  struct Reserved {
    std::string key, version;
    std::shared_ptr<Upload> upload;
  };
  std::map<std::int64_t, Reserved> reserved;  // of caches, by the first protocol's numbers
  std::size_t begun = 0;
  std::vector<std::string> addresses;  // of blobs
  JobService::Pass::Changes changes;
};

// What an address with its signature allows: to write one blob, or to read one.
struct Address {
  std::string signature;
  std::shared_ptr<Upload> upload;
  std::optional<StoredBlob> stored;
  store::BlobStore* from = nullptr;  // where that is; null: with the artifacts
  std::shared_ptr<const void> hold;  // keeps it there
  std::string type = "application/octet-stream", file;
};

struct JobService::Rep {
  struct Tables {
    std::map<std::string, std::shared_ptr<JobState>> runtime, identity;  // by the token's digest
    std::map<std::string, Address> addresses;
  };
  ServiceOptions options;
  std::string algorithm;  // of id tokens
  // Made when they are first asked for: the primes of an RSA key take a while.
  Guarded<std::map<std::string, std::shared_ptr<const net::SigningKey>>> keys;
  Guarded<Tables> tables;
  Guarded<std::map<Digest, StoredBlob>> zips;  // of artifacts that are no zip

  std::shared_ptr<JobState> who(const net::Request& request, bool identity = false);
  // http://host:port that the one who asks used, when it is one of ours.
  std::string base_for(const net::Request& request) const;
  // RS256 or ES256. Errors: invalid (its file).
  Result<std::shared_ptr<const net::SigningKey>> key(const std::string& of);
};
// One request of a job.
struct ServiceCall {
  const Ctx& ctx;
  JobService::Rep& service;
  JobState& job;
  std::string base;  // http://host:port as the one who asks reaches us
  // A new address with its signature. Errors: denied (the job has ended, or has begun too many).
  Result<std::string> address(Address what) const;
  Result<> begin() const;  // under the job's lock: one more thing of which a job may have so many
};

// twirp.cpp, blobs.cpp, id_tokens.cpp
net::Response answer_twirp(const Ctx& ctx, JobService::Rep& service, net::Request& request);
net::Response answer_blob(const Ctx& ctx, JobService::Rep& service, net::Request& request);
net::Response answer_id_token(const Ctx& ctx, JobService::Rep& service, const net::Request& request);
Result<std::string> make_id_token(const Ctx& ctx, JobService::Rep& service, const JobState& job,
                                  const std::string& audience);
net::Response answer_discovery(JobService::Rep& service, const net::Request& request);

// caches_v1.cpp: /results/_apis/artifactcache/
net::Response answer_cache_v1(const Ctx& ctx, JobService::Rep& service, net::Request& request);

// artifacts.cpp, caches.cpp: `method` of ArtifactService with its request. Errors: not_found (no such method).
Result<doc::Map> artifact_call(const ServiceCall& call, std::string_view method, doc::View request);
Result<doc::Map> cache_call(const ServiceCall& call, std::string_view method, doc::View request);
// What both protocols of caches do. Errors: unavailable (none are kept), invalid.
Result<CacheStore*> caches_of(const ServiceCall& call);
Result<> check_cache_name(std::string_view key, std::string_view version);
Result<std::optional<CacheHit>> find_cache(const ServiceCall& call, const std::vector<std::string>& keys,
                                           const std::string& version, std::string& url);
Result<std::int64_t> keep_cache(const ServiceCall& call, const std::string& key, const std::string& version,
                                const StoredBlob& blob);
// The number that GitHub's protocols and actions know an artifact by.
std::uint64_t artifact_number(std::string_view run_id, const RunArtifact& artifact);
// A tar as a zip. Errors: corrupt.
Result<StoredBlob> as_zip(const Ctx& ctx, store::BlobStore& blobs, const StoredBlob& artifact);

// A field under either of the two names that protobuf's JSON allows.
doc::View field(doc::View message, std::string_view snake_case);

}  // namespace slipway::ci
