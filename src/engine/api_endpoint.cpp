#include "engine/api_endpoint.h"

namespace slipway::engine {

Result<> publish_api(const Ctx& ctx, kube::Client& client, const std::string& ip, int port) {
  const kube::Key key{"default", "kubernetes"};
  const kube::WriteOptions how{.field_manager = "slipway-api", .force = true};
  doc::Map at{{"name", "https"}, {"port", port}, {"protocol", "TCP"}};
  auto slice =
      kube::make_object({"discovery.k8s.io/v1", "EndpointSlice"}, key, {{"kubernetes.io/service-name", "kubernetes"}});
  slice["addressType"] = "IPv4";
  slice["endpoints"] = doc::List{doc::Map{{"addresses", doc::List{ip}}, {"conditions", doc::Map{{"ready", true}}}}};
  slice["ports"] = doc::List{at};
  TRY_OK(client.apply(ctx, std::move(slice), how));
  auto endpoints = kube::make_object({"v1", "Endpoints"}, key, {{"endpointslice.kubernetes.io/skip-mirror", "true"}});
  endpoints["subsets"] = doc::List{doc::Map{{"addresses", doc::List{doc::Map{{"ip", ip}}}}, {"ports", doc::List{at}}}};
  TRY_OK(client.apply(ctx, std::move(endpoints), how));
  return {};
}

}  // namespace slipway::engine
