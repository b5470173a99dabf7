#pragma once
// The node agent: makes the pods that are bound to this node run, probes them, reports their status; programs
// service addresses from Services and EndpointSlices.
#include <functional>
#include <memory>

#include "box/box.h"
#include "box/network.h"
#include "cluster/node_access.h"
#include "kube/client.h"
#include "oci/layer.h"
#include "oci/remote.h"

namespace slipway::cluster {

struct NodeOptions {
  std::string name = "slipway";
  fs::path root;                            // pod folders, logs, volumes
  oci::Registry* registry = nullptr;        // images already here are used without HTTP
  std::vector<std::string> registry_names;  // host names that mean the embedded registry ("127.0.0.1:7080")
  oci::LayerCache* layers = nullptr;
  oci::Remote* remote = nullptr;  // for images elsewhere
  box::Runtime* runtime = nullptr;
  box::NodeNetwork* network = nullptr;
  std::string api_url, ca_pem;  // for service account volumes and KUBERNETES_SERVICE_HOST
  // A token for a pod's service account ("" is the default audience); absent: the API's TokenRequest is asked.
  std::function<Result<std::string>(const kube::Object& pod, const std::string& audience, std::int64_t seconds)> token;
  int dns_port = 53;  // on the bridge; 0 lets the kernel choose, < 0: no DNS
};
// Threads: any.
class Node final : public NodeAccess {
 public:
  static Result<std::unique_ptr<Node>> open(std::shared_ptr<kube::Client> client, NodeOptions options);
  ~Node() override;
  // Runs until the context stops. Containers go on running: a restart takes them over.
  Result<> run(const Ctx& ctx);
  // Ends every pod's containers (slipway down).
  Result<> drain(const Ctx& ctx);
  Result<> logs(const Ctx& ctx, const kube::Key& pod, const LogOptions& options,
                const std::function<bool(std::string_view)>& sink) override;
  Result<int> exec(const Ctx& ctx, const kube::Key& pod, const ExecOptions& options) override;
  Result<Fd> connect(const Ctx& ctx, const kube::Key& pod, int port) override;
  Result<std::vector<PodUsage>> usage(const Ctx& ctx, const std::string& ns, Millis shortest) override;
  Result<NodeUsage> node_usage(const Ctx& ctx, Millis shortest) override;

 private:
  struct Rep;
  explicit Node(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::cluster
