#pragma once
// The distribution client: pull, push, copy, inspect on any registry.
#include <memory>
#include <string>

#include "net/client.h"
#include "oci/registry.h"

namespace slipway::oci {

struct Credentials {
  std::string user, secret;
};
struct RemoteOptions {
  // Credentials of a host (docker config and helpers are read when absent).
  std::function<std::optional<Credentials>(const std::string& host)> credentials;
  std::vector<std::string> plain_http_hosts;  // besides loopback addresses
  net::ClientOptions http;
  std::map<std::string, std::string> mirrors; // host -> base URL tried first
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
  Result<Registry::Image> pull(const Ctx& ctx, const Reference& reference, Registry& into, const Platform& platform = {});
  Result<Descriptor> push(const Ctx& ctx, Registry& from, std::string_view repository, std::string_view tag_or_digest, const Reference& to);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::oci
