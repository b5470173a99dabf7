#pragma once
// Generators, one a file or two. Each gives parameters; what combines them calls back.
#include <functional>

#include "gitops/appset/generators.h"

namespace slipway::gitops::appset::detail {

struct Call {
  const Ctx& ctx;
  const World& world;
  const Renderer& renderer;
  const doc::Map* outer = nullptr;  // what the generators before it in a matrix gave
  std::string project = {};         // of the Applications to be; "": what generators give decides
};
using Params = std::vector<doc::Map>;

Result<Params> from_list(const Call& call, doc::View list);
Result<Params> from_clusters(const Call& call, doc::View clusters);
Result<Params> from_git(const Call& call, doc::View git);
Result<Params> from_pull_requests(const Call& call, doc::View requests);
Result<Params> from_scm(const Call& call, doc::View scm);
Result<Params> from_plugin(const Call& call, doc::View plugin);
Result<Params> from_decisions(const Call& call, doc::View generator);

// The clusters that Argo CD's Secrets name, and our own.
struct NamedCluster {
  std::string name, server;
};
Result<std::vector<NamedCluster>> named_clusters(const Call& call);

// What a plugin answered. Errors: invalid (it is not {output: {parameters: [map ...]}}).
Result<std::vector<doc::Map>> parameters_in(std::string_view answer);

// `values` of a generator, which may name its own parameters and those before it: as values.x, or under `values` with
// goTemplate.
Result<> add_values(const Call& call, doc::View values, doc::Map& params);

// Whether a file or folder is taken by a list of {path, exclude}.
bool takes(doc::View list, const std::string& path);

}  // namespace slipway::gitops::appset::detail
