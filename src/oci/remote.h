#pragma once
// The distribution client: pull, push, copy, inspect on any registry.
#include <memory>
#include <string>

#include "net/client.h"
#include "oci/registry.h"

namespace slipway::cloud {
struct Place;  // cloud/cloud.h
}
namespace slipway::oci {

struct Credentials {
  std::string user, secret;  // user "<token>": the secret is an identity (refresh) token
};
// What `docker login` and `podman login` left for this host: config files, then their credential helpers.
Result<std::optional<Credentials>> docker_credentials(const Ctx& ctx, const std::string& host);
// The repository a pulled image has here: docker.io/library/debian, 127.0.0.1-5000/shop/web.
std::string local_repository(const Reference& reference);

struct RemoteOptions {
  // Credentials of a host. Absent: docker's config and helpers, and then what signs in to the registries of clouds.
  std::function<std::optional<Credentials>(const std::string& host)> credentials;
  std::vector<std::string> plain_http_hosts;  // besides loopback addresses
  net::ClientOptions http;
  std::shared_ptr<const cloud::Place> cloud;   // null: here
  std::map<std::string, std::string> mirrors;  // host -> base URL tried first
  Millis stall{60'000};                        // a registry that sends nothing for so long is asked once more
};
// Threads: any.
class Remote {
 public:
  explicit Remote(RemoteOptions options = {});
  ~Remote();
  Result<StoredManifest> manifest(const Ctx& ctx, const Reference& reference);
  Result<std::optional<Digest>> head(const Ctx& ctx, const Reference& reference);
  Result<std::vector<std::string>> tags(const Ctx& ctx, const Reference& repository);
  // Manifest (index resolved for the platform), config and layers into the local registry under
  // "host/repository"; what is there is not fetched. Gives the image. Errors: not_found, denied, unavailable, corrupt.
  Result<Registry::Image> pull(const Ctx& ctx, const Reference& reference, Registry& into,
                               const Platform& platform = {});
  // Blobs the other side has are mounted or skipped, the rest goes up in parallel; a broken upload goes on where it
  // stopped. An index takes its manifests along.
  Result<Descriptor> push(const Ctx& ctx, Registry& from, std::string_view repository, std::string_view tag_or_digest,
                          const Reference& to);
  // All platforms and, through the local registry, whatever it lacks.
  Result<Descriptor> copy(const Ctx& ctx, const Reference& from, const Reference& to, Registry& through);

  // What refers to the manifest: by the list of distribution-spec 1.1, or by the tag that stood for it before.
  Result<std::vector<Descriptor>> referrers(const Ctx& ctx, const Reference& repository, const Digest& subject);
  // Errors: not_found, corrupt, invalid (over the limit).
  Result<std::string> blob(const Ctx& ctx, const Reference& repository, const Descriptor& blob, std::size_t limit);
  // One blob into the store; what is there is not fetched. A broken transfer goes on where it stopped. Errors:
  // not_found, corrupt, denied, unavailable.
  Result<> fetch_blob(const Ctx& ctx, const Reference& repository, const Descriptor& blob, store::BlobStore& into);
  // One blob from the store, unless the other side has it.
  Result<> push_blob(const Ctx& ctx, const Reference& repository, const Descriptor& blob, store::BlobStore& from);
  Result<bool> has_blob(const Ctx& ctx, const Reference& repository, const Digest& digest);
  // Small blobs, then the manifest that names them, under the tag or by its digest. Where the registry keeps no list
  // of referrers, the tag that stands for it is brought up to date.
  Result<> put(const Ctx& ctx, const Reference& to, const std::vector<std::string>& blobs, const Manifest& manifest);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::oci
