#pragma once
// Generators, one a file or two. Each gives parameters; what combines them calls back.
#include <functional>

#include "gitops/appset/generators.h"

namespace slipway::gitops::appset::detail {

struct Call {
  const Ctx& ctx;
  const World& world;
  const Renderer& renderer;
  doc::Map outer = {};  // parameters of the generator before this one, in a matrix
};
using Params = std::vector<doc::Map>;

Result<Params> from_list(const Call& call, doc::View list);
Result<Params> from_clusters(const Call& call, doc::View clusters);
Result<Params> from_git(const Call& call, doc::View git);
Result<Params> from_pull_requests(const Call& call, doc::View requests);

// `values` of a generator, which may name its own parameters, and those of the one before it: as values.x, or under `values` with goTemplate.
Result<> add_values(const Call& call, doc::View values, doc::Map& params);

// Whether a file or folder is taken by a list of {path, exclude}.
bool takes(doc::View list, const std::string& path);

}  // namespace slipway::gitops::appset::detail
