#pragma once
// The house as its agent in a Pod reaches it: HTTP that outlives a house which is away for a while, and the same
// interfaces that a job has at home. Private to ci.
#include <functional>
#include <memory>
#include <string>

#include "ci/cachestore.h"
#include "ci/jobcache.h"
#include "ci/service.h"
#include "doc/value.h"
#include "net/client.h"
#include "path/services.h"
#include "store/blob.h"

namespace slipway::ci {

// Threads: any.
class FarHouse {
 public:
  FarHouse(std::string url, std::string token, Millis patience = std::chrono::minutes(10))
      : url_(std::move(url)), token_(std::move(token)), patience_(patience) {}
  const std::string& url() const { return url_; }
  const std::string& token() const { return token_; }

  // Asks again while nobody answers, or a house that has just started does not know us yet. An answer that is an error
  // is that Error.
  Result<net::ClientResponse> send(const Ctx& ctx, const net::ClientRequest& request) const;
  Result<net::ClientResponse> once(const Ctx& ctx, net::ClientRequest request) const;
  net::ClientRequest request(std::string method, std::string_view path, std::string body = {}) const;
  Result<doc::Value> ask(const Ctx& ctx, std::string_view path, doc::Map body) const;
  // Work whose output comes as it is made.
  Result<doc::Value> live(const Ctx& ctx, std::string_view path, doc::Map body, const path::LogSink& log) const;
  net::Client& client() const { return client_; }
  Millis patience() const { return patience_; }

 private:
  std::string url_, token_;
  Millis patience_;
  mutable net::Client client_;
};
// Whether asking again may help.
bool is_away(const Error& error);

// Blobs below /agent/v1/PATH: streamed both ways, taken up where a connection broke.
class FarBlobs final : public store::BlobOrigin {
 public:
  FarBlobs(const FarHouse& house, std::string path) : house_(house), path_(std::move(path)) {}
  Result<std::optional<std::uint64_t>> size(const Digest& digest) override;
  Result<> fetch(const Digest& digest, const Sink& sink) override;
  Result<> give(const Digest& digest, const fs::path& file) override;

 private:
  Result<std::uint64_t> part(const std::string& id, int fd, std::uint64_t at, std::uint64_t size) const;
  const FarHouse& house_;
  std::string path_;
};

// Caches alone: whole jobs are answered in the house.
std::unique_ptr<JobCache> far_caches(const FarHouse& house, store::BlobStore& blobs);
std::unique_ptr<JobService> far_service(const FarHouse& house);
std::unique_ptr<path::ImageBuilder> far_builder(const FarHouse& house, store::BlobStore& blobs);
std::unique_ptr<path::Scanner> far_scanner(const FarHouse& house, store::BlobStore& blobs);
std::unique_ptr<path::Previewer> far_previewer(const FarHouse& house, store::BlobStore& blobs);

}  // namespace slipway::ci
