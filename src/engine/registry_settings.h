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
// The same out of the house's data directory, for commands beside a house that runs or has stopped.
Result<oci::RegistryRules> stored_registry_rules(const fs::path& data);
// A ConfigMap that cannot be read as rules is not written. Others: fine. Errors: invalid with the place in it.
Result<> check_registry_settings(const doc::Value& object);

// What holds while nobody can say what the rules are: only administrators, and no tag moves.
oci::RegistryRules closed_registry();

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
