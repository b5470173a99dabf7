#pragma once
// Verification at deploy time: a pod whose image no key of its policies has signed is not admitted.
#include "base/ctx.h"
#include "kube/object.h"

namespace slipway::engine {

struct House;

// Images that a policy covers are verified, and pinned to the digest that was: what runs is what was looked at.
// `before`: the pod as it is; its images were looked at then. Errors: denied, naming the container, the image and the
// policy; unavailable (a registry that does not answer).
Result<> verify_images(const Ctx& ctx, House& house, const kube::Object& before, doc::Value& pod);

}  // namespace slipway::engine
