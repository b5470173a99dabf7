#pragma once
// Git repositories as sources: what ADD, named contexts and build contexts may name, fetched by commit.
#include <map>
#include <optional>
#include <string>

#include "git/repository.h"

namespace slipway::image::detail {

// https://host/x.git#ref:folder or ...?ref=&subdir=&checksum=&keep-git-dir=&submodules=, ssh://..., git@host:x.git
struct GitAddress {
  std::string remote;  // for git itself
  std::string ref, folder, checksum;
  std::optional<bool> keep_git_dir, submodules;
  bool ssh = false;
};
// Nothing: the text names no Git repository. Rule: BuildKit's (an http address must end in ".git"). Errors: invalid.
Result<std::optional<GitAddress>> parse_git_address(std::string_view text);

// How repositories are reached. The machine's own keys are never used: a Dockerfile may come from anybody.
struct GitAccess {
  fs::path mirrors;                            // fetched repositories are kept here
  std::map<std::string, std::string> secrets;  // GIT_AUTH_TOKEN[.HOST], GIT_AUTH_HEADER[.HOST]
  std::optional<fs::path> agent;               // for ssh addresses
};
struct GitCommit {
  git::Repository repository;
  git::Oid id;
};
// With a checksum of 40 digits that was fetched before, nobody is asked. Errors: invalid (no such ref, another
// checksum), denied, unavailable.
Result<GitCommit> fetch_git(const Ctx& ctx, const GitAddress& address, const GitAccess& access);
// The commit's files (of the address's folder) with their submodules. `keep_git`: with a .git that knows this commit.
Result<> check_out_git(const Ctx& ctx, const GitCommit& commit, const GitAddress& address, const GitAccess& access,
                       bool keep_git, const fs::path& into);

}  // namespace slipway::image::detail
