#pragma once
// What a change of a configuration repository does to what runs: manifests before and after, and what policies find in
// them.
#include <string>
#include <vector>

#include "doc/value.h"
#include "kube/client.h"
#include "path/types.h"

namespace slipway::engine {

struct House;

struct RenderedChange {
  std::string name;  // of the Application, Kustomization or environment
  std::string difference;
  std::vector<path::Finding> findings;  // which the change brings
  std::string error;                    // why it cannot be rendered, "" when it can
};

RenderedChange rendered_change(const std::string& name, std::vector<doc::Value> before, std::vector<doc::Value> after);
// Of every Application, Kustomization of Flux and environment that reads what a pull request changes in their branch;
// none for repositories that nothing is deployed from.
Result<std::vector<RenderedChange>> rendered_changes(const Ctx& ctx, House& house, const path::Change& change);

}  // namespace slipway::engine
