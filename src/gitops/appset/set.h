#pragma once
// One look at an ApplicationSet: what should be there, what is, and the difference written. Level-based: all state is
// in the objects. A generator that fails changes nothing.
#include "gitops/appset/generators.h"

namespace slipway::gitops::appset {

inline const kube::Type set_type{"argoproj.io/v1alpha1", "ApplicationSet"};
inline constexpr std::string_view manager = "slipway-appset";

struct LookedSet {
  doc::Value status;  // null: the set is gone
  std::optional<Millis> again;
};
// Errors: unavailable and the like; what is wrong with the set itself, or with what its generators read, goes into its
// conditions.
Result<LookedSet> look(const Ctx& ctx, kube::Client& client, Repositories& repositories, const kube::Object& set);

}  // namespace slipway::gitops::appset
