#include "image/detail/git_source.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"
#include "git/submodules.h"

namespace slipway::image::detail {

namespace {

bool is_http(std::string_view text) { return text.starts_with("https://") || text.starts_with("http://"); }

// user@host:path, as scp has it; a colon behind a slash is part of a path.
bool is_scp(std::string_view text) {
  auto at = text.find('@'), colon = text.find(':'), slash = text.find('/');
  return at != std::string_view::npos && at > 0 && colon != std::string_view::npos && at < colon &&
         (slash == std::string_view::npos || colon < slash) && text.find_first_of(" \t") == std::string_view::npos;
}

Result<bool> flag_of(std::string_view key, std::string_view value) {
  if (value.empty() || value == "1" || value == "true" || value == "t") return true;
  if (value == "0" || value == "false" || value == "f") return false;
  return fail(Kind::invalid, "{}={}: want true or false", key, value);
}

Result<> set_once(std::string& to, std::string_view key, std::string value) {
  if (!to.empty() && to != value) return fail(Kind::invalid, "{} is given twice: {:?} and {:?}", key, to, value);
  to = std::move(value);
  return {};
}

Result<> read_query(GitAddress& a, std::string_view query) {
  for (auto item : split(query, '&')) {
    auto parts = cut(item, "=");
    auto key = parts ? parts->first : item;
    TRY(auto value, percent_decode(parts ? parts->second : std::string_view()));
    bool flag = key == "keep-git-dir" || key == "submodules" || key == "fetch-by-commit";
    if (value.empty() && !flag) return fail(Kind::invalid, "query {:?} has no value", key);
    if (key == "ref") {
      TRY_OK(set_once(a.ref, key, value));
    } else if (key == "tag") {
      TRY_OK(set_once(a.ref, key, value.starts_with("refs/tags/") ? value : "refs/tags/" + value));
    } else if (key == "branch") {
      TRY_OK(set_once(a.ref, key, value.starts_with("refs/heads/") ? value : "refs/heads/" + value));
    } else if (key == "subdir") {
      TRY_OK(set_once(a.folder, key, clean_path(value)));
    } else if (key == "checksum" || key == "commit") {
      TRY_OK(set_once(a.checksum, key, value));
    } else if (key == "keep-git-dir") {
      TRY(a.keep_git_dir, flag_of(key, value));
    } else if (key == "submodules") {
      TRY(a.submodules, flag_of(key, value));
    } else if (key == "mtime" || key == "fetch-by-commit") {
      continue;  // times are clamped anyway; a commit is looked for before anybody is asked
    } else {
      return fail(Kind::invalid,
                  "unexpected query {:?}, want ref, tag, branch, subdir, checksum, keep-git-dir or submodules", key);
    }
  }
  return {};
}

std::string_view host_of(std::string_view remote) {
  if (auto scheme = remote.find("://"); scheme != std::string_view::npos) remote.remove_prefix(scheme + 3);
  remote = remote.substr(0, remote.find('/'));
  if (auto at = remote.rfind('@'); at != std::string_view::npos) remote.remove_prefix(at + 1);
  return remote.substr(0, remote.find(':'));
}

// The address with what the build's secrets say for its host.
std::string with_token(const std::string& remote, const GitAccess& access) {
  if (!remote.starts_with("https://") && !remote.starts_with("http://")) return remote;
  auto host = std::string(host_of(remote));
  for (const auto& id : {"GIT_AUTH_TOKEN." + host, std::string("GIT_AUTH_TOKEN")}) {
    auto it = access.secrets.find(id);
    if (it == access.secrets.end()) continue;
    auto scheme = remote.find("://") + 3;
    if (remote.find('@') != std::string::npos) return remote;
    return remote.substr(0, scheme) + "x-access-token:" + percent_encode(std::string(trim(it->second))) + "@" +
           remote.substr(scheme);
  }
  return remote;
}

// ssh by git itself, with the agent that the build was given and nothing else of this machine.
Result<git::Repository> mirror_by_agent(const Ctx& ctx, const GitAddress& address, const fs::path& agent,
                                        const fs::path& bare) {
  TRY_OK(make_dirs(bare));
  auto repository = git::Repository::open(bare);
  if (!repository) {
    TRY(repository, git::Repository::init(bare));
  }
  TRY_OK_IN(address.remote, run_ok(ctx, {.argv = {"git", "-C", bare.native(), "fetch", "--quiet", "--prune", "--",
                                                  address.remote, "+refs/*:refs/*"},
                                         .extra_env = {{"SSH_AUTH_SOCK", agent.native()},
                                                       {"GIT_TERMINAL_PROMPT", "0"},
                                                       {"GIT_CONFIG_NOSYSTEM", "1"},
                                                       {"HOME", bare.native()},
                                                       {"GIT_SSH_COMMAND",
                                                        "ssh -F none -o BatchMode=yes -o IdentityFile=none "
                                                        "-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=" +
                                                            (bare / "known_hosts").native()}}}));
  return repository;
}

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

Result<> check_out(const Ctx& ctx, const GitCommit& commit, const GitAddress& address, const GitAccess& access,
                   bool keep_git, const fs::path& into, int depth);

Result<> check_out_submodules(const Ctx& ctx, const GitCommit& commit, const GitAddress& address,
                              const GitAccess& access, const fs::path& into, int depth) {
  TRY(auto entries, commit.repository.list(commit.id, address.folder));
  std::vector<git::TreeEntry> links;
  for (auto& entry : entries)
    if (entry.mode == git::submodule_mode) links.push_back(std::move(entry));
  if (links.empty()) return {};
  if (depth >= git::deepest_submodule)
    return fail(Kind::invalid, "{}: submodules nested more than {} deep", address.remote, git::deepest_submodule);
  TRY(auto text, commit.repository.read(commit.id, ".gitmodules"));
  TRY_IN(auto known, address.remote, git::read_gitmodules(text.value_or("")));
  for (const auto& link : links) {
    auto path = address.folder.empty() ? link.path : address.folder + "/" + link.path;
    const auto* module = git::submodule_at(known, path);
    if (module == nullptr) continue;  // git leaves such a folder empty, too
    TRY_IN(auto url, fmt::format("submodule {} of {}", path, address.remote),
           git::submodule_url(address.remote, module->url));
    auto inner = parse_git_address(url.ends_with(".git") || !is_http(url) ? url : url + ".git");
    if (!inner || !*inner)
      return fail(Kind::invalid, "submodule {} of {}: {:?} is no address to fetch from", path, address.remote, url);
    GitAddress from = **inner;
    from.remote = url;
    from.ref.clear();
    from.folder.clear();
    from.checksum = link.id;
    TRY_IN(auto there, "submodule " + path, fetch_git(ctx, from, access));
    TRY_OK(check_out(ctx, there, from, access, false, into / link.path, depth + 1));
  }
  return {};
}

Result<> check_out(const Ctx& ctx, const GitCommit& commit, const GitAddress& address, const GitAccess& access,
                   bool keep_git, const fs::path& into, int depth) {
  TRY_OK(ctx.alive());
  if (keep_git && address.folder.empty()) {
    TRY(bool small, commit.repository.checkout_shallow(ctx, commit.id, into));
    if (!small)
      return Fail(Error(Kind::unavailable, fmt::format("{}: too many objects to keep its .git", address.remote))
                      .with_hint("clone it in a RUN step"));
  } else {
    auto tree = commit.repository.tree_of(commit.id, address.folder);
    if (!tree) return fail(Kind::invalid, "{}: no folder {:?} at {}", address.remote, address.folder, commit.id);
    TRY_OK(commit.repository.checkout(ctx, *tree, into));
  }
  if (address.submodules.value_or(true)) TRY_OK(check_out_submodules(ctx, commit, address, access, into, depth));
  return {};
}

}  // namespace

Result<std::optional<GitAddress>> parse_git_address(std::string_view text) {
  using Found = std::optional<GitAddress>;
  GitAddress a;
  auto before = text.substr(0, text.find('#'));
  auto query = before.find('?');
  auto remote = before.substr(0, query);
  bool url = is_http(text) || text.starts_with("ssh://") || text.starts_with("git://");
  if (!url && !is_scp(remote)) return Found();
  if (is_http(text) && !remote.ends_with(".git")) return Found();
  a.ssh = text.starts_with("ssh://") || !url;
  a.remote = remote;
  if (before.size() < text.size()) {
    auto fragment = text.substr(before.size() + 1);
    auto parts = cut(fragment, ":");
    a.ref = parts ? parts->first : fragment;
    if (parts) a.folder = clean_path(parts->second);
  }
  if (query != std::string_view::npos) TRY_OK_IN(std::string(text), read_query(a, before.substr(query + 1)));
  if (a.ref.starts_with('-') || a.remote.starts_with('-')) return fail(Kind::invalid, "{}: starts with a dash", text);
  return Found(std::move(a));
}

Result<GitCommit> fetch_git(const Ctx& ctx, const GitAddress& address, const GitAccess& access) {
  if (!address.checksum.empty() && (!is_hex(address.checksum) || address.checksum.size() < 7))
    return fail(Kind::invalid, "checksum {:?}: want a commit's hex digits, at least 7", address.checksum);
  if (address.remote.starts_with("git://"))
    return Fail(Error(Kind::unavailable, address.remote + ": git:// is not spoken here").with_hint("use https://"));
  auto bare = access.mirrors / sha256_hex(address.remote).substr(0, 40);
  auto pinned = address.checksum.size() == 40                     ? address.checksum
                : is_hex(address.ref) && address.ref.size() == 40 ? address.ref
                                                                  : "";
  if (!pinned.empty()) {
    if (auto known = git::Repository::open(bare)) {
      auto there = known->resolve(pinned);
      if (there && *there && (address.ref.empty() || address.ref == pinned))
        return GitCommit{*std::move(known), **there};
    }
  }
  Result<git::Repository> repository = fail(Kind::internal, "not fetched");
  if (address.ssh) {
    if (!access.agent)
      return Fail(Error(Kind::denied, address.remote + ": ssh needs an agent, and the build was given none")
                      .with_hint("slipway build --ssh default"));
    repository = mirror_by_agent(ctx, address, *access.agent, bare);
  } else {
    repository = git::Repository::mirror(ctx, with_token(address.remote, access), bare);
  }
  if (!repository) return Fail(std::move(repository).error());
  auto wanted = address.ref.empty() ? (pinned.empty() ? std::string("HEAD") : pinned) : address.ref;
  TRY(auto id, repository->resolve(wanted));
  if (!id) return fail(Kind::invalid, "{}: has no {}", address.remote, wanted);
  TRY(auto commit, repository->commit(*id));
  if (!address.checksum.empty() && !commit.id.starts_with(address.checksum))
    return fail(Kind::invalid, "{}: {} is at {}, want {}", address.remote, wanted, commit.id, address.checksum);
  return GitCommit{*std::move(repository), commit.id};
}

Result<> check_out_git(const Ctx& ctx, const GitCommit& commit, const GitAddress& address, const GitAccess& access,
                       bool keep_git, const fs::path& into) {
  return check_out(ctx, commit, address, access, keep_git, into, 0);
}

}  // namespace slipway::image::detail
