#pragma once
// What the house says of the images it builds: a signature, and where they come from, by a key of its own.
// DATA/pki/images.pub verifies both.
#include <memory>

#include "oci/signing.h"
#include "path/services.h"

namespace slipway::engine {

struct Origin {
  std::string house, repository, ref, commit, workflow, run;
  std::int64_t attempt = 1;
  std::string started;  // RFC 3339
};

// Threads: any.
class Endorser {
 public:
  // The key is made when it is not there. Errors: denied, invalid (a broken key), no disk.
  static Result<std::unique_ptr<Endorser>> open(const fs::path& data, oci::Registry& registry);
  const std::string& public_pem() const { return public_pem_; }
  // Once an image: what was said of the same bytes before stands. Errors: unavailable, no disk.
  Result<> endorse(const Ctx& ctx, const path::BuildRequest& request, const Digest& image, const Origin& origin) const;

 private:
  Endorser(oci::Registry& registry, oci::SigningKey key)
      : registry_(registry), key_(std::move(key)), public_pem_(key_.public_pem()) {}
  oci::Registry& registry_;
  oci::SigningKey key_;
  std::string public_pem_;
};

// The predicate of SLSA provenance v1. Values of build arguments are left out: they may be secrets.
doc::Value provenance(const path::BuildRequest& request, const Origin& origin, const std::string& finished);

}  // namespace slipway::engine
