#include "engine/config_repository.h"

#include "engine/render.h"
#include "gitops/repository_login.h"

namespace slipway::engine {

Result<git::Access> access_to(const Ctx& ctx, House& house, const std::string& url) {
  return gitops::RepositoryLogins(house.client).access(ctx, url);
}

Result<git::Repository> config_repository(const Ctx& ctx, House& house, const path::Pipeline& pipeline, bool fresh) {
  auto there = house.git->repository(pipeline.config_repository);
  if (pipeline.config_url.empty() || (there && !fresh)) return there;
  auto folder = house.git->path_of(pipeline.config_repository);
  TRY_OK(make_dirs(folder.parent_path()));
  TRY(auto access, access_to(ctx, house, pipeline.config_url));
  return git::Repository::mirror(ctx.within(Millis(120000)), pipeline.config_url, folder, access);
}

std::string config_branch(const path::Pipeline& pipeline, const git::Repository& repository) {
  return pipeline.branch.empty() ? default_branch(repository) : pipeline.branch;
}

}  // namespace slipway::engine
