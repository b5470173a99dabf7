#pragma once
// The configuration repository of a Pipeline: hosted here, or a mirror of one elsewhere that promotions are pushed to.
#include "engine/house.h"
#include "git/access.h"
#include "git/repository.h"
#include "path/objects.h"

namespace slipway::engine {

// As it stands here; a mirror is fetched when it is not here yet, or when `fresh`. Errors: not_found, denied,
// unavailable.
Result<git::Repository> config_repository(const Ctx& ctx, House& house, const path::Pipeline& pipeline,
                                          bool fresh = false);
// What signs in to a repository elsewhere: Argo CD's Secrets of repositories.
Result<git::Access> access_to(const Ctx& ctx, House& house, const std::string& url);

// The branch of it that the Pipeline is about: the one that it names, else the repository's default.
std::string config_branch(const path::Pipeline& pipeline, const git::Repository& repository);

}  // namespace slipway::engine
