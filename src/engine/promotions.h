#pragma once
// Passed artifacts move along the chain of environments: by the rules of the Pipeline, as commits.
#include "kube/client.h"
#include "path/objects.h"

namespace slipway::engine {

struct House;

// A run that succeeded on a branch releases its artifacts into the chain.
Result<> pass_artifacts(const Ctx& ctx, House& house, const std::string& run_name);
// Looks at one Pipeline: which promotions are due, waiting, approved. Gives when a soak time ends.
Result<std::optional<Millis>> plan_promotions(const Ctx& ctx, House& house, const std::string& pipeline_name);
// Carries out a pending Promotion: the commit, then a Release that follows it.
Result<std::optional<Millis>> execute_promotion(const Ctx& ctx, House& house, const std::string& name);
// Looks at what runs: a Release is verified, or fails and is reverted in Git.
Result<std::optional<Millis>> look_at_release(const Ctx& ctx, House& house, const std::string& name);

// Annotation of a Promotion: when it was recorded, finer than the whole seconds of its creation.
inline constexpr std::string_view recorded_at = "slipway.dev/recorded-at";

// What the environment holds from now on: looked at until it is verified. The same bytes may come a second time.
Result<> begin_release(const Ctx& ctx, House& house, const std::string& name, doc::Value spec);
// What the configuration repository says at its branch's tip becomes what the environments hold, also where somebody
// else than a promotion wrote it.
Result<> observe_configuration(const Ctx& ctx, House& house, const kube::Object& pipeline_object,
                               const path::Pipeline& pipeline);

Result<std::string> release_name(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                                 const std::string& service, const std::string& environment, const Digest& digest);
Result<std::vector<path::Pipeline>> pipelines(const Ctx& ctx, House& house);

}  // namespace slipway::engine
