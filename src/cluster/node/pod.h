#pragma once
// What the files of this folder know of one pod. Private to the room.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "base/files.h"
#include "kube/object.h"

namespace slipway::cluster {

// Facts of the node and the sandbox that references and volumes may ask for.
struct PodFacts {
  std::string pod_ip, host_ip, node_name;
  std::int64_t node_cpu_millis = 0, node_memory_bytes = 0;  // what "no limit" reads as
};

// A ConfigMap, Secret, ... of the pod's namespace; nothing when it is not there.
using Find = std::function<Result<std::optional<kube::Object>>(const kube::Type& type, const std::string& name)>;

inline const kube::Type config_map_type{"v1", "ConfigMap"}, secret_type{"v1", "Secret"};

// init: one after the other before all else; sidecar: an init container that goes on running; main: the pod's work.
enum class Role { init, sidecar, main };
struct PodContainer {
  std::string name;
  Role role = Role::main;
  doc::View spec;
};
// In the order they are started.
std::vector<PodContainer> containers_of(const kube::Object& pod);

// The text of "metadata.labels['app']", "status.podIP" ... Errors: invalid (unknown path).
Result<std::string> field_ref(const kube::Object& pod, const PodFacts& facts, std::string_view path);
// "limits.cpu" of a container, in units of the divisor. Errors: invalid, not_found (no such container).
Result<std::string> resource_ref(const kube::Object& pod, const PodFacts& facts, doc::View ref,
                                 std::string_view container);

// Errors: not_found naming what is missing and where: the pod waits with CreateContainerConfigError.
Result<kube::StringMap> container_env(const kube::Object& pod, doc::View container, const PodFacts& facts,
                                      const kube::StringMap& services, const Find& find);
// $(NAME) by the environment; $$ is one dollar; unknown names stay as written.
std::string expand(std::string_view text, const kube::StringMap& env);

// The keys of a ConfigMap (data, binaryData) or Secret (data), decoded.
kube::StringMap data_of(const kube::Object& object);

}  // namespace slipway::cluster
