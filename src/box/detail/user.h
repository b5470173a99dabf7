#pragma once
// Whom a process runs as: names are those of the image's /etc/passwd and /etc/group.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

namespace slipway::box {

struct User {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;  // supplementary
  std::string home = "/";
  bool operator==(const User&) const = default;
};

// "", "uid", "uid:gid", "name", "name:group" and mixtures; a number need not be listed. Errors: invalid (no such
// name, number out of range).
Result<User> resolve_user(std::string_view user, std::string_view passwd, std::string_view group);
// With the files below `root`, whatever links they are; absent files are empty ones.
Result<User> resolve_user_in(const fs::path& root, std::string_view user);

}  // namespace slipway::box
