// The operator's document, and any Pod's status.
#include "ci/pod/pod_spec.h"
#include "ci/pod/pod_state.h"
#include "doc/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto settings = ci::parse_pod_settings(text, "settings")) {
    ci::PodWish wish;
    wish.profile = settings->profile({"ubuntu-latest", "gpu"});
    (void)ci::pod_of(wish);
  }
  if (auto document = doc::parse_yaml(text)) (void)ci::look_at(kube::Object(*std::move(document)));
  auto name = ci::safe_name(text);
  SLP_ASSERT(!name.empty() && name.size() <= 63);
  return 0;
}
