// Actions of an installation's own beside those that are built in.
#include <algorithm>

#include "gitops/actions.h"
#include "gitops/customizations.h"

namespace slipway::gitops {
namespace {

Action action_from(const CustomAction& custom) {
  Action action{custom.name, custom.disabled, custom.display_name, custom.icon_class, {}};
  for (const auto& parameter : doc::View(custom.params).items()) action.parameters.push_back(parameter["name"].text());
  return action;
}

}  // namespace

Result<std::vector<Action>> actions_of(const Ctx& ctx, const Customizations& customizations,
                                       const kube::Object& object) {
  TRY(auto custom, customizations.actions(ctx, object));
  if (!custom) return actions_of(object);
  std::vector<Action> all;
  for (const auto& one : custom->list) all.push_back(action_from(one));
  if (!custom->merged) return all;
  auto own = all;
  for (auto& built_in : actions_of(object))
    if (std::none_of(own.begin(), own.end(), [&](const auto& one) { return one.name == built_in.name; }))
      all.push_back(std::move(built_in));
  return all;
}

Result<std::vector<ActionWrite>> act(const Ctx& ctx, const Customizations& customizations, const kube::Object& object,
                                     const ActionCall& call) {
  doc::Map parameters;
  for (const auto& [name, value] : call.parameters) parameters.set(name, value);
  TRY(auto wanted, customizations.act(ctx, object, call.name, parameters));
  if (wanted) {
    std::vector<ActionWrite> writes;
    for (auto& impact : *wanted)
      writes.push_back({impact.operation == ActionImpact::Operation::create, std::move(impact.object)});
    return writes;
  }
  TRY(auto custom, customizations.actions(ctx, object));
  if (custom && !custom->merged)
    return fail(Kind::not_found, "{} has no action {} here: argocd-cm replaces those that are built in", object.kind(),
                call.name);
  return act(object, call);
}

}  // namespace slipway::gitops
