#pragma once
// What can be done with an object by its kind: restart, scale, suspend, promote ... Argo CD's resource actions by rules
// of our own: actions/kinds.actions.
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kube/client.h"

namespace slipway::gitops {

class Customizations;

struct Action {
  std::string name;
  bool disabled = false;                // as the object is now
  std::string display_name, icon;       // for pages; "" for none
  std::vector<std::string> parameters;  // names
};
// In the order in which they are offered. Nothing: the kind has none.
std::vector<Action> actions_of(const kube::Object& object);

struct ActionCall {
  std::string name;
  std::map<std::string, std::string> parameters;
  std::string now;  // RFC 3339, in UTC
  std::string by;   // who asks, for controllers that keep it: "Slipway"
};
// What an action wants to be written.
struct ActionWrite {
  bool create = false;  // else: the object as it shall be
  doc::Value object;
};
// Whether it is disabled is the caller's question. Errors: not_found (no such action; names those there are), invalid
// (a parameter).
Result<std::vector<ActionWrite>> act(const kube::Object& object, const ActionCall& call);

// By the installation's customizations, in place of what is built in or beside it. Errors: theirs as well.
Result<std::vector<Action>> actions_of(const Ctx& ctx, const Customizations& customizations,
                                       const kube::Object& object);
Result<std::vector<ActionWrite>> act(const Ctx& ctx, const Customizations& customizations, const kube::Object& object,
                                     const ActionCall& call);

// Writes it: creations, and what differs of the object (its status through the subresource). Errors: those of the API.
Result<> write_action(const Ctx& ctx, kube::Client& client, const kube::Object& before, const ActionWrite& write);

}  // namespace slipway::gitops
