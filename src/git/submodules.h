#pragma once
// What .gitmodules says: where the repositories stand that a tree has commits of. It is written by whoever may push,
// and says what is fetched: nothing in it may run a program, read this machine's files, or name another folder.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::git {

inline constexpr unsigned submodule_mode = 0160000;         // of a tree's entry: its id is another repository's commit
inline constexpr std::size_t largest_gitmodules = 1 << 18;  // bytes
inline constexpr int deepest_submodule = 8;  // a commit cannot hold itself: depth is all there is to bound

struct Submodule {
  std::string name, path, url;  // path "": names no folder; url as written, "" for none
};

// Sections as git reads its configuration; of a setting that is written twice the last counts. Errors: invalid (no such
// file as git writes, names and paths that git refuses too), with the line.
Result<std::vector<Submodule>> read_gitmodules(std::string_view text);
// The one of this folder, the last that names it; null: none.
const Submodule* submodule_at(const std::vector<Submodule>& all, std::string_view path);

// The address that a submodule's url means: "../lib.git" is seen from the repository that names it, as git does.
// Errors: invalid: anything but http, https, ssh and git (ext::, file:, a folder), a leading dash, what is above the
// host.
Result<std::string> submodule_url(std::string_view repository, std::string_view url);

}  // namespace slipway::git
