#pragma once
// Repositories as the house knows them, and what overlays in them say.
#include "ci/plan.h"
#include "engine/house.h"
#include "git/repository.h"

namespace slipway::engine {

// The short name of the branch that HEAD names: main.
std::string default_branch(const git::Repository& repository);
// A commit's files as pipelines read them. The repository must outlive it.
// places: where files of other repositories come from.
ci::SourceTree source_tree(const git::Repository& repository, const git::Oid& commit,
                           const std::shared_ptr<ci::ActionSource>& places = {});

// The embedded host's repository that a URL means, or "". http://slipway/git/NAME.git is the address that manifests
// use: it holds wherever this Slipway listens.
std::string embedded_repository(const House& house, std::string_view url);
std::string repository_url(std::string_view name);
std::unique_ptr<gitops::Repositories> make_repositories(House& house);
// Whatever reads the repository is looked at now, by whichever of its addresses it does.
void repository_changed(House& house, const std::string& url);
std::vector<std::string> registry_names(const Settings& settings);

// The objects of a preview's overlay, from a folder or from the tip of a configuration repository.
Result<std::vector<doc::Value>> render_overlay(const Ctx& ctx, House& house, const path::PreviewRequest& request);
// The objects of a folder of a repository at a commit or tree.
Result<std::vector<doc::Value>> render_at(const Ctx& ctx, const git::Repository& repository,
                                          const git::Oid& commit_or_tree, const std::string& folder);

void report_drift(House& house, const gitops::Drift& drift);
// What an Application turned to, as a notice app.EVENT.
void report_turn(House& house, const gitops::Turn& turn);

}  // namespace slipway::engine
