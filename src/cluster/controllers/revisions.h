#pragma once
// ControllerRevisions: the history of StatefulSets and DaemonSets, as kubectl rollout history and undo read it.
#include "cluster/controllers/common.h"

namespace slipway::cluster {

struct Revisions {
  kube::Object update;            // of the present template
  std::vector<kube::Object> all;  // oldest first, `update` among them
};
// Finds or makes the revision of the present template and gives it the highest number.
Result<Revisions> sync_revisions(const Ctx& ctx, const Env& env, const kube::Object& owner);
// Keeps `limit` beside those whose names are in use.
Result<> trim_revisions(const Ctx& ctx, const Env& env, const kube::Object& owner, const Revisions& revisions,
                        const std::set<std::string>& in_use);
// The pod template that a revision holds.
doc::Value template_of(const kube::Object& revision);
std::string revision_hash(const kube::Object& revision);

}  // namespace slipway::cluster
