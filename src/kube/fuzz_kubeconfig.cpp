// A kubeconfig that somebody hands over: a server to talk to, or an error; no file is read but those it may name.
#include "kube/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto config = kube::parse_kubeconfig(text, "/nonexistent")) SLP_ASSERT(!config->server.empty());
  return 0;
}
