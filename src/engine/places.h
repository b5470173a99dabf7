#pragma once
// Which Pipeline a Promotion or Release is of: several may have a service, and an environment, of the same name.
#include "kube/client.h"
#include "path/objects.h"

namespace slipway::engine {

// Whether a Promotion or a Release is of this Pipeline: by the name that it carries (`spec.pipeline`), else (older
// houses wrote none) by configuration repository, service and image.
bool is_of(const kube::Object& object, const path::Pipeline& pipeline);
// Whether two Promotions or Releases are of the same service in the same environment of the same Pipeline.
bool same_place(const kube::Object& a, const kube::Object& b);

// What leads a Promotion or Release.
struct Lead {
  path::Pipeline pipeline;
  path::Environment environment;
  kube::Object object;  // the Pipeline's
};
// Nothing: no Pipeline leads there any more. Errors: those of the client.
Result<std::optional<Lead>> lead_of(const Ctx& ctx, kube::Client& client, const kube::Object& object);

// Whether the rules of its Pipeline let this person approve the promotion. Errors: not_found (none leads there).
Result<bool> may_approve(const Ctx& ctx, kube::Client& client, const kube::Object& promotion, const std::string& who);

// Labels of the Promotions and Releases of a place, and what selects them: those of all Pipelines that have such a
// service and environment, see is_of.
kube::StringMap place_labels(const std::string& pipeline, const std::string& service, const std::string& environment);
std::string place_selector(const std::string& service, const std::string& environment);

// The name of an object of this kind at a place: `plain`, or one with the Pipeline in it where another Pipeline has the
// same service and environment, or an object of that name. What is there already keeps its name.
Result<std::string> name_within(const Ctx& ctx, kube::Client& client, std::string_view kind, const std::string& plain,
                                const path::Pipeline& pipeline, const std::string& service,
                                const std::string& environment);

}  // namespace slipway::engine
