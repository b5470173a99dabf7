#pragma once
// Objects as a difference may show them.
#include <vector>

#include "doc/value.h"

namespace slipway::gitops {

// The values of Secrets become runs of plus signs: what is equal on both sides stays equal, what differs differs. Rule:
// Argo CD's HideSecretData. Null: the object is not on that side.
void hide_secret_values(doc::Value* before, doc::Value* after);
// The same for whole sets, object by object.
void hide_secret_values(std::vector<doc::Value>& before, std::vector<doc::Value>& after);

}  // namespace slipway::gitops
