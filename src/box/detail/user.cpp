#include "box/detail/user.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"

namespace slipway::box {
namespace {

constexpr std::size_t kFileLimit = std::size_t{4} << 20;

std::optional<std::uint32_t> number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  auto n = to_int(text);
  if (!n || *n > 0x7fffffff) return std::nullopt;
  return static_cast<std::uint32_t>(*n);
}

struct Entry {
  std::vector<std::string_view> fields;
};

// The first line of a colon-separated table whose field `column` is `want`.
std::optional<Entry> find_line(std::string_view table, std::size_t column, std::string_view want, std::size_t width) {
  for (auto line : lines(table)) {
    auto fields = split(trim(line), ':');
    if (fields.size() >= width && fields[column] == want && !fields[0].starts_with('#'))
      return Entry{std::move(fields)};
  }
  return std::nullopt;
}

void add_memberships(User& user, std::string_view name, std::string_view group) {
  for (auto line : lines(group)) {
    auto fields = split(trim(line), ':');
    if (fields.size() < 4) continue;
    auto gid = number(fields[2]);
    if (!gid || *gid == user.gid) continue;
    auto members = split(fields[3], ',');
    bool listed = std::find(members.begin(), members.end(), name) != members.end();
    if (listed && user.groups.size() < 1024) user.groups.push_back(*gid);
  }
}

// A regular file only: an image could plant a FIFO that would block us.
Result<std::string> read_beneath(const fs::path& root, const char* relative) {
  auto fd = open_beneath(root, relative, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    if (fd.error().is(Kind::not_found)) return std::string();
    return Fail(std::move(fd).error());
  }
  struct stat st{};
  if (::fstat(fd->get(), &st) < 0) return fail_errno(errno, relative);
  if (!S_ISREG(st.st_mode)) return std::string();
  if (static_cast<std::size_t>(st.st_size) > kFileLimit)
    return fail(Kind::invalid, "{} of the image: {} bytes, want at most {}", relative, st.st_size, kFileLimit);
  return read_all(fd->get());
}

}  // namespace

Result<User> resolve_user(std::string_view text, std::string_view passwd, std::string_view group) {
  User user;
  auto parts = cut(text, ":");
  auto name = parts ? parts->first : text;
  auto group_name = parts ? parts->second : std::string_view();
  if (name.empty()) name = "0";
  auto uid = number(name);
  auto entry = uid ? find_line(passwd, 2, name, 4) : find_line(passwd, 0, name, 4);
  if (!entry && !uid) return fail(Kind::invalid, "user \"{}\": not in the image's /etc/passwd", name);
  if (entry) {
    auto listed_uid = number(entry->fields[2]), gid = number(entry->fields[3]);
    if (!listed_uid || !gid) return fail(Kind::invalid, "user \"{}\": bad numbers in the image's /etc/passwd", name);
    user.uid = *listed_uid, user.gid = *gid;
    if (entry->fields.size() > 5 && !entry->fields[5].empty()) user.home = entry->fields[5];
  } else {
    user.uid = *uid;
    if (user.uid == 0) user.home = "/root";
  }
  if (group_name.empty()) {
    if (entry) add_memberships(user, entry->fields[0], group);
    return user;
  }
  if (auto gid = number(group_name)) {
    user.gid = *gid;
    return user;
  }
  auto found = find_line(group, 0, group_name, 3);
  auto gid = found ? number(found->fields[2]) : std::nullopt;
  if (!gid) return fail(Kind::invalid, "group \"{}\": not in the image's /etc/group", group_name);
  user.gid = *gid;
  return user;
}

Result<User> resolve_user_in(const fs::path& root, std::string_view user) {
  TRY(auto passwd, read_beneath(root, "etc/passwd"));
  TRY(auto group, read_beneath(root, "etc/group"));
  return resolve_user(user, passwd, group);
}

}  // namespace slipway::box
