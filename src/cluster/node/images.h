#pragma once
// Images for containers: from the embedded registry in process, or pulled into it; layers unpacked once.
#include "cluster/node.h"
#include "cluster/node/pod.h"

namespace slipway::cluster {

struct ReadyImage {
  std::string id;                // name@digest, as status.imageID has it
  std::vector<fs::path> layers;  // lowest first
  oci::Config config;
};
enum class PullPolicy { always, if_not_present, never };

// Threads: any.
class Images {
 public:
  explicit Images(const NodeOptions& options) : options_(options) {}
  // Errors: invalid (name), not_found, denied, unavailable: the pod waits with ErrImagePull and back-off.
  // `secrets`: dockerconfigjson texts of the pod's imagePullSecrets.
  Result<ReadyImage> get(const Ctx& ctx, std::string_view name, PullPolicy policy,
                         const std::vector<std::string>& secrets) const;

 private:
  Result<oci::Registry::Image> find(const Ctx& ctx, const oci::Reference& reference, PullPolicy policy,
                                    const std::vector<std::string>& secrets) const;
  const NodeOptions& options_;
};

// imagePullPolicy, or its default: Always for :latest, IfNotPresent else.
PullPolicy pull_policy(doc::View container);
// The credentials of a host in dockerconfigjson texts; the longest matching prefix wins.
std::optional<oci::Credentials> credentials_for(const std::vector<std::string>& secrets,
                                                const oci::Reference& reference);

}  // namespace slipway::cluster
