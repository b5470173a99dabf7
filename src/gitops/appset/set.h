#pragma once
// One look at an ApplicationSet: what should be there, what is, and the difference written. Level-based: all state is
// in the objects. A generator that fails changes nothing.
#include "gitops/appset/generators.h"

namespace slipway::gitops::appset {

inline const kube::Type set_type{"argoproj.io/v1alpha1", "ApplicationSet"};
inline constexpr std::string_view manager = "slipway-appset";
inline constexpr std::string_view refresh_annotation = "argocd.argoproj.io/application-set-refresh";

struct LookedSet {
  doc::Value status;  // null: the set is gone
  std::optional<Millis> again;
};
// Errors: unavailable and the like; what is wrong with the set itself, or with what its generators read, goes into its
// conditions. `answers` are this set's; asked anew when somebody asks for a refresh.
Result<LookedSet> look(const Ctx& ctx, kube::Client& client, Repositories& repositories, const kube::Object& set,
                       Answers* answers = nullptr);

}  // namespace slipway::gitops::appset
