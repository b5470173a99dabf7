// Any object: its health, what can be done with it, and each of that, without a crash.
#include "doc/json.h"
#include "gitops/actions.h"
#include "gitops/detail/health.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto value = doc::parse_json({reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 8192)});
  if (!value || !value->is_map()) return 0;
  kube::Object object(*std::move(value));
  auto health = gitops::health_of(object), own = gitops::detail::own_health(object);
  SLP_ASSERT(object.deleting() || health.has_value() == own.has_value());
  for (const auto& action : gitops::actions_of(object)) {
    gitops::ActionCall call{action.name, {}, "2026-01-01T00:00:00Z", "Slipway"};
    for (const auto& name : action.parameters) call.parameters[name] = "2";
    if (auto writes = gitops::act(object, call))
      for (const auto& write : *writes) SLP_ASSERT(write.object.is_map());
  }
  return 0;
}
