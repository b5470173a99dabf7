// actions/checkout: the run's commit, another one of its repository, or a repository that is kept on this host.
#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "git/submodules.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_attributes = 1 << 20;

struct Source {
  std::string commit, ref;  // what was checked out
  bool has_history = true;  // a repository stands behind it
  std::string repository;   // owner/name
};

// Which commit is meant: the run's own, or what `ref` names in the same repository.
Result<std::string> commit_of(ActionUse& use) {
  auto& options = use.job.options();
  auto ref = use.input("ref");
  if (ref.empty() || ref == use.job.plan().event.ref || ref == use.job.plan().event.sha) return options.commit;
  for (const auto& candidate : {ref, "refs/heads/" + ref, "refs/tags/" + ref}) {
    TRY(auto found, options.repository->resolve(candidate));
    if (found) return *found;
  }
  TRY(auto refs, options.repository->refs("refs/"));
  std::vector<std::string> names;
  for (auto& [name, id] : refs) {
    auto cut_name = name.starts_with("refs/heads/")  ? name.substr(11)
                    : name.starts_with("refs/tags/") ? name.substr(10)
                                                     : name;
    names.push_back(cut_name);
  }
  auto near = nearest(ref, names);
  auto error = Error(Kind::not_found, fmt::format("ref '{}' is not in the repository", ref));
  return Fail(near ? std::move(error).with_hint(fmt::format("did you mean '{}'?", *near)) : std::move(error));
}

Result<> git_in(const Ctx& ctx, const fs::path& folder, std::vector<std::string> arguments, std::string input = {}) {
  auto git = find_program("git");
  if (!git)
    return Fail(
        Error(Kind::unavailable, "this needs the git program, which is not on the runner").with_hint("install git"));
  Command command;
  command.argv = {*git, "-c", "safe.directory=*", "-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false"};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.cwd = folder.string();
  command.input = std::move(input);
  command.extra_env = {{"GIT_CONFIG_NOSYSTEM", "1"}, {"HOME", folder.string()}, {"GIT_TERMINAL_PROMPT", "0"}};
  TRY(auto ignored, run_ok(ctx, command));
  (void)ignored;
  return {};
}

// A .git with more than one commit in it, or with very many files: by the git program.
Result<> add_git(const Ctx& ctx, ActionUse& use, const std::string& depth, const fs::path& folder,
                 const std::string& commit) {
  if (!find_program("git")) return {};
  auto mirror = fs::absolute(use.job.options().repository->path()).string();
  TRY_OK(git_in(ctx, folder, {"init", "-q"}));
  std::vector<std::string> fetch = {"fetch", "-q", "--no-write-fetch-head"};
  fetch.emplace_back(depth == "0" || use.flag("fetch-tags", false) ? "--tags" : "--no-tags");
  if (depth == "0")
    fetch.insert(fetch.end(), {mirror, commit, "+refs/heads/*:refs/remotes/origin/*"});
  else
    fetch.insert(fetch.end(), {"--depth=" + (to_int(depth).value_or(0) > 0 ? depth : "1"), mirror, commit});
  TRY_OK(git_in(ctx, folder, std::move(fetch)));
  TRY_OK(git_in(ctx, folder, {"update-ref", "--no-deref", "HEAD", commit}));
  return git_in(ctx, folder, {"reset", "-q", "--mixed", commit});
}

// The files and a .git that knows the commit: version stamps, `git diff` and `git describe` work on it.
Result<> check_out(const Ctx& ctx, ActionUse& use, const fs::path& folder, const std::string& commit) {
  auto& repository = *use.job.options().repository;
  auto depth = use.input("fetch-depth", "1");
  auto count = to_int(depth);
  if (!count || *count < 0)
    return fail(Kind::invalid, "fetch-depth: got \"{}\", want a number of commits, 0 for all", depth);
  auto sparse = use.list("sparse-checkout");
  bool alone = *count == 1 && sparse.empty() && !use.flag("fetch-tags", false);
  if (alone) {
    TRY(bool whole, repository.checkout_shallow(ctx, commit, folder));
    if (whole) return {};
  } else {
    TRY_OK(repository.checkout(ctx, commit, folder));
  }
  TRY_OK_IN("make .git", add_git(ctx, use, depth, folder, commit));
  if (sparse.empty()) return {};
  auto cone = use.flag("sparse-checkout-cone-mode", true) ? "--cone" : "--no-cone";
  TRY_OK_IN("sparse-checkout", git_in(ctx, folder, {"sparse-checkout", "set", cone, "--stdin"},
                                      join(std::span<const std::string>(sparse), "\n") + "\n"));
  return {};
}

// owner/name of a URL of any kind, or of one relative to the repository's own.
std::string repository_of_url(std::string_view url, const std::string& own) {
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  if (url.starts_with("./") || url.starts_with("../")) return (fs::path(own) / url).lexically_normal().string();
  auto name = url.substr(url.find_last_of("/:") + 1);
  auto rest = url.substr(0, url.size() - name.size());
  while (!rest.empty() && (rest.ends_with('/') || rest.ends_with(':'))) rest.remove_suffix(1);
  return fmt::format("{}/{}", rest.substr(rest.find_last_of("/:@") + 1), name);
}

// A folder of this host that holds another repository at a ref.
Result<std::optional<fs::path>> kept_here(const Ctx& ctx, ActionUse& use, const std::string& repository,
                                          const std::string& ref) {
  if (!use.job.options().actions) return std::optional<fs::path>();
  return use.job.options().actions(ctx, repository, ref);
}

Result<> add_submodules(const Ctx& ctx, ActionUse& use, const fs::path& folder, const std::string& commit) {
  auto mode = lower(use.input("submodules", "false"));
  if (mode == "false") return {};
  if (mode != "true" && mode != "recursive")
    return fail(Kind::invalid, "submodules: got \"{}\", want true, false or recursive", mode);
  auto& repository = *use.job.options().repository;
  TRY(auto text, repository.read(commit, ".gitmodules"));
  if (!text) return {};
  TRY(auto entries, repository.list(commit));
  TRY(auto modules, git::read_gitmodules(*text));
  for (const auto& module : modules) {
    auto entry = std::find_if(entries.begin(), entries.end(),
                              [&](auto& e) { return e.path == module.path && e.mode == git::submodule_mode; });
    if (entry == entries.end()) continue;
    auto name = repository_of_url(module.url, use.job.plan().event.repository);
    TRY(auto found, kept_here(ctx, use, name, entry->id));
    if (!found)
      return Fail(Error(Kind::not_found, fmt::format("submodule {} ({}): {} at {} is not kept here; nothing is fetched "
                                                     "from other hosts",
                                                     module.path, module.url, name, entry->id.substr(0, 12)))
                      .with_hint("mirror that repository on this host, or leave `submodules` away"));
    TRY_OK(copy_tree(*found, folder / module.path));
    if (mode == "recursive" && path_exists(folder / module.path / ".gitmodules"))
      return fail(Kind::unavailable, "submodule {}: has submodules of its own, which are not followed", module.path);
  }
  return {};
}

Result<> check_lfs(ActionUse& use, const std::string& commit) {
  if (!use.flag("lfs", false)) return {};
  TRY(auto attributes, use.job.options().repository->read(commit, ".gitattributes"));
  if (!attributes || attributes->size() > max_attributes || !attributes->contains("filter=lfs")) return {};
  return Fail(
      Error(Kind::unavailable, "lfs: .gitattributes keeps files by LFS, and their contents are not on this host")
          .with_hint("leave `lfs` away to get the pointer files"));
}

// The name the embedded host has the repository under: its own owner is not part of it.
std::string host_name_of(const Event& event, const std::string& repository) {
  return repository.starts_with("local/") && event.owner == "local" ? repository.substr(6) : repository;
}

// Where `git push` and `git fetch` of later steps go, with the credentials when they may stay.
Result<> add_remote(ActionUse& use, const fs::path& folder) {
  auto config = folder / ".git/config";
  if (!path_exists(config)) return {};
  TRY(auto text, read_file(config));
  auto& server = use.job.options().server_url;
  auto& event = use.job.plan().event;
  if (!text.contains("[remote \"origin\"]"))
    text += fmt::format("[remote \"origin\"]\n\turl = {}/git/{}.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
                        server, host_name_of(event, event.repository));
  auto token = use.input("token", use.job.token());
  if (!token.empty() && use.flag("persist-credentials", true)) {
    use.job.add_mask(token);
    auto basic = to_base64("x-access-token:" + token);
    use.job.add_mask(basic);
    text += fmt::format("[http \"{}/\"]\n\textraheader = AUTHORIZATION: basic {}\n", server, basic);
  }
  return write_file(config, text, 0644);
}

// Steps may run as somebody else than who wrote the files.
Result<> add_safe_directory(ActionUse& use, const std::string& target) {
  if (!use.flag("set-safe-directory", true)) return {};
  TRY(auto text, use.job.folder().read(".gitconfig", max_attributes));
  auto line = fmt::format("\tdirectory = {}\n", use.job.inside(target));
  if (text.contains(line)) return {};
  return use.job.folder().write(".gitconfig", text + "[safe]\n" + line);
}

Result<Source> own_repository(const Ctx& ctx, ActionUse& use, const fs::path& staging) {
  auto& options = use.job.options();
  auto& event = use.job.plan().event;
  Source out{event.sha, use.input("ref", event.ref), true, event.repository};
  if (options.repository) {
    TRY(out.commit, commit_of(use));
    TRY_OK(check_lfs(use, out.commit));
    TRY_OK(make_dirs(staging));
    TRY_OK_IN(fmt::format("check out {}", out.commit), check_out(ctx, use, staging, out.commit));
    TRY_OK(add_submodules(ctx, use, staging, out.commit));
    TRY_OK(add_remote(use, staging));
    return out;
  }
  if (options.folder.empty()) return fail(Kind::unavailable, "this run has no source to check out");
  if (auto ref = use.input("ref"); !ref.empty() && ref != event.ref && ref != event.sha)
    use.say(fmt::format("##[warning]ref '{}' is not looked at: this run works on a folder as it is", ref));
  TRY_OK(copy_tree(options.folder, staging));
  return out;
}

Result<Source> other_repository(const Ctx& ctx, ActionUse& use, const std::string& repository,
                                const fs::path& staging) {
  auto ref = use.input("ref", "HEAD");
  TRY_IN(auto found, repository, kept_here(ctx, use, repository, ref));
  if (!found)
    return Fail(Error(Kind::not_found, fmt::format("repository {} at {} is not kept here; only {} can be checked out, "
                                                   "nothing is fetched from other hosts",
                                                   repository, ref, use.job.plan().event.repository))
                    .with_hint(fmt::format("mirror {} on this host, or add its files to this repository", repository)));
  TRY_OK(copy_tree(*found, staging));
  return Source{"", ref, false, repository};
}

}  // namespace

Result<> checkout(const Ctx& ctx, ActionUse& use) {
  auto& job = use.job;
  auto& own = job.plan().event.repository;
  auto repository = use.input("repository", own);
  if (!repository.contains('/'))
    return fail(Kind::invalid, "Invalid repository '{}'. Expected format {{owner}}/{{repo}}.", repository);
  auto path = use.input("path", ".");
  TRY(auto target, job.relative_of(path.starts_with('/') ? path : "./" + path));
  while (target.size() > 1 && (target.ends_with('/') || target.ends_with("/."))) target.pop_back();
  if (target != job.folder().workspace() && !target.starts_with(job.folder().workspace() + "/"))
    return fail(Kind::invalid, "Repository path '{}' is not under '{}'", path, job.inside(job.folder().workspace()));
  auto staging = job.folder().base() / ("checkout-" + random_hex(4));
  TRY(auto source,
      iequals(repository, own) ? own_repository(ctx, use, staging) : other_repository(ctx, use, repository, staging));
  // Not clean: what the commit has is replaced, the rest stays.
  TRY(auto names, list_dir(staging));
  if (use.flag("clean", true) || !names.empty())
    TRY_OK(job.folder().empty(target, use.flag("clean", true) ? std::vector<std::string>() : names));
  TRY_OK(job.folder().move_in(staging, target));
  auto below = fs::path(target).lexically_relative(job.folder().workspace()).string();
  if (source.repository == own && (!job.options().repository || source.commit == job.options().commit))
    job.source_is_at(below == "." ? "" : below);
  else
    job.reads_unseen(fmt::format("{} is checked out too", source.repository));
  TRY_OK(add_safe_directory(use, target));
  use.say(fmt::format("Checked out {} at {}", source.repository,
                      !source.has_history     ? source.ref + ", its files alone"
                      : source.commit.empty() ? "the working folder"
                                              : source.commit));
  use.output("ref", source.ref);
  use.output("commit", source.commit);
  return {};
}

}  // namespace slipway::ci
