// A Rollout as anybody may write it: the reason why it is none, or a spec whose numbers can be worked with.
#include "doc/yaml.h"
#include "rollout/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto input = doc::parse_yaml({reinterpret_cast<const char*>(data), size}, {.max_nodes = 2'000});
  if (!input || !input->is_map()) return 0;
  kube::Object object(*std::move(input));
  auto spec = rollout::parse_spec(object, object);
  if (!spec) return 0;
  SLP_ASSERT(spec->replicas >= 0 && spec->canary.has_value() != spec->blue_green.has_value());
  (void)spec->old_delay();
  (void)spec->abort_delay();
  SLP_ASSERT(!rollout::template_hash(spec->pod_template, 0).empty());
  SLP_ASSERT(rollout::covers(spec->pod_template, spec->pod_template));
  return 0;
}
