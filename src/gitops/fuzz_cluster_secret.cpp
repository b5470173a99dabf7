// The config of a cluster Secret: a sign-in, or why there is none; what is said never holds the config's own words.
#include "base/encode.h"
#include "gitops/cluster_secret.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  auto value = kube::make_object({"v1", "Secret"}, {"argocd", "west"});
  value["data"] =
      doc::Map{{"name", to_base64("west")}, {"server", to_base64("https://west")}, {"config", to_base64(text)}};
  auto cluster = gitops::cluster_secret_from(kube::Object(std::move(value)));
  SLP_ASSERT(cluster.name == "west" && cluster.server == "https://west");
  if (!cluster.unusable.empty()) SLP_ASSERT(cluster.sign_in == kube::Kubeconfig());
  const auto& token = cluster.sign_in.token;
  SLP_ASSERT(token.find('\n') == token.npos);
  return 0;
}
