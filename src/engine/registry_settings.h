#pragma once
// The rules of the registry: ConfigMap `registry` of the house's namespace, key settings.yaml. And the hourly tidying
// by them.
#include <memory>
#include <mutex>
#include <set>

#include "kube/client.h"
#include "oci/registry.h"

namespace slipway::engine {

struct House;

// Absent: the defaults. Errors: invalid with the place in the ConfigMap.
Result<oci::RegistryRules> read_registry_rules(const Ctx& ctx, kube::Client& client);
// A ConfigMap that cannot be read as rules is not written. Others: fine.
Result<> check_registry_settings(const doc::Value& object);

// What requests ask for: read anew when the last look is half a second old. Rules that cannot be read leave those
// from before in force; from the start they let nobody in but administrators. Threads: any.
class RegistrySettings {
 public:
  std::shared_ptr<const oci::RegistryRules> rules(kube::Client* client);

 private:
  std::mutex mutex_;
  std::shared_ptr<const oci::RegistryRules> rules_;
  std::chrono::steady_clock::time_point looked_{};
};

// Users of the house, and tokens that outlive a restart.
Result<oci::RegistryOptions> registry_options(House& house);
// Digests of what workloads of the embedded cluster name, whether they run or not, and of recorded artifacts.
// `registry_names`: as manifests know this registry.
Result<std::set<std::string>> digests_in_use(const Ctx& ctx, kube::Client& client, const oci::Registry& registry,
                                             const std::vector<std::string>& registry_names);
// Retention, then garbage collection. Errors: of either.
Result<> tidy_registry(const Ctx& ctx, House& house);

}  // namespace slipway::engine
