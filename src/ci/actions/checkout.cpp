#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"

namespace slipway::ci {
namespace {

// Which commit is meant: the run's own, or what `ref` names in the same repository.
Result<std::string> commit_of(ActionUse& use) {
  auto& options = use.job.options();
  auto ref = use.input("ref");
  if (ref.empty() || ref == use.job.plan().event.ref || ref == use.job.plan().event.sha) return options.commit;
  for (const auto& candidate : {ref, "refs/heads/" + ref, "refs/tags/" + ref}) {
    TRY(auto found, options.repository->resolve(candidate));
    if (found) return *found;
  }
  return fail(Kind::not_found, "ref '{}' is not in the repository", ref);
}

// A .git with more than one commit in it, or with very many files: by the git program.
Result<> add_git(const Ctx& ctx, ActionUse& use, const std::string& depth, const fs::path& folder,
                 const std::string& commit) {
  auto git = find_program("git");
  if (!git) return {};
  auto mirror = fs::absolute(use.job.options().repository->path()).string();
  auto run = [&](std::vector<std::string> arguments) -> Result<> {
    Command command;
    command.argv = {*git, "-c", "safe.directory=*", "-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.cwd = folder.string();
    command.extra_env = {{"GIT_CONFIG_NOSYSTEM", "1"}, {"HOME", folder.string()}, {"GIT_TERMINAL_PROMPT", "0"}};
    TRY(auto ignored, run_ok(ctx, command));
    (void)ignored;
    return {};
  };
  TRY_OK(run({"init", "-q"}));
  std::vector<std::string> fetch = {"fetch", "-q", "--no-tags", "--no-write-fetch-head"};
  if (depth == "0")
    fetch.insert(fetch.end(), {"--tags", mirror, commit, "+refs/heads/*:refs/remotes/origin/*"});
  else
    fetch.insert(fetch.end(), {"--depth=" + (to_int(depth).value_or(0) > 0 ? depth : "1"), mirror, commit});
  TRY_OK(run(fetch));
  TRY_OK(run({"update-ref", "--no-deref", "HEAD", commit}));
  return run({"reset", "-q", "--mixed", commit});
}

// The files and a .git that knows the commit: version stamps, `git diff` and `git describe` work on it.
Result<> check_out(const Ctx& ctx, ActionUse& use, const fs::path& folder, const std::string& commit) {
  auto& repository = *use.job.options().repository;
  auto depth = use.input("fetch-depth", "1");
  if (depth != "0" && to_int(depth).value_or(1) <= 1) {
    TRY(bool whole, repository.checkout_shallow(ctx, commit, folder));
    if (whole) return {};
  } else {
    TRY_OK(repository.checkout(ctx, commit, folder));
  }
  TRY_OK_IN("make .git", add_git(ctx, use, depth, folder, commit));
  return {};
}

}  // namespace

Result<> checkout(const Ctx& ctx, ActionUse& use) {
  auto& job = use.job;
  auto& options = job.options();
  auto& own = job.plan().event.repository;
  auto repository = use.input("repository", own);
  if (!iequals(repository, own))
    return Fail(Error(Kind::not_found,
                      fmt::format("repository {} is not mirrored here; only {} can be checked out", repository, own)));
  auto path = use.input("path", ".");
  TRY(auto target, job.relative_of(path.starts_with('/') ? path : "./" + path));
  while (target.size() > 1 && (target.ends_with('/') || target.ends_with("/."))) target.pop_back();
  auto staging = job.folder().base() / ("checkout-" + random_hex(4));
  std::string commit;
  if (options.repository) {
    TRY(commit, commit_of(use));
    TRY_OK(make_dirs(staging));
    TRY_OK_IN(fmt::format("check out {}", commit), check_out(ctx, use, staging, commit));
  } else if (!options.folder.empty()) {
    TRY_OK(copy_tree(options.folder, staging));
    commit = job.plan().event.sha;
  } else {
    return fail(Kind::unavailable, "this run has no source to check out");
  }
  if (use.flag("clean", true)) TRY_OK(job.folder().empty(target));
  TRY_OK(job.folder().move_in(staging, target));
  use.say(fmt::format("Checked out {} at {}", own, commit.empty() ? "the working folder" : commit));
  use.output("ref", job.plan().event.ref);
  use.output("commit", commit);
  return {};
}

}  // namespace slipway::ci
