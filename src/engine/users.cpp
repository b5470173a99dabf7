#include "engine/users.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/encode.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

namespace slipway::engine {
namespace {

constexpr std::string_view admins = "system:masters";

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == '@';
  });
}

// Changes with every file that takes its place.
std::string stamp_of(const fs::path& file) {
  struct stat st{};
  if (::stat(file.c_str(), &st) < 0) return "none";
  return fmt::format("{} {} {}.{}", st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

}  // namespace

Result<std::vector<Users::Entry>> Users::read() const {
  std::vector<Entry> entries;
  if (!path_exists(file())) return entries;
  TRY(auto text, read_file(file()));
  int number = 0;
  for (auto line : lines(text)) {
    ++number;
    if (trim(line).empty() || line.starts_with('#')) continue;
    auto words = split(line, ' ');
    if (words.size() != 3 || words[1].size() != 64)
      return fail(Kind::corrupt, "{}:{}:1: want a name, the sha256 of a token, and groups", file().native(), number);
    Entry entry{{std::string(words[0]), {}}, std::string(words[1])};
    for (auto group : split(words[2], ',')) entry.user.groups.emplace_back(group);
    entries.push_back(std::move(entry));
  }
  return entries;
}

// What cannot be read leaves things as they were.
void Users::refresh(State& state) const {
  auto stamp = stamp_of(file());
  if (stamp == state.stamp) return;
  state.stamp = std::move(stamp);
  if (auto entries = read())
    state.entries = *std::move(entries);
  else
    LOG(error, "users.unreadable", {"error", entries.error().what()});
}

Result<std::unique_ptr<Users>> Users::open(const fs::path& data) {
  std::unique_ptr<Users> users(new Users(data));
  {
    auto state = users->state_.lock();
    state->stamp = stamp_of(users->file());
    TRY(state->entries, users->read());
  }
  auto token_file = data / "token";
  if (path_exists(token_file)) {
    TRY(auto text, read_file(token_file));
    users->admin_token_ = trim(text);
    return users;
  }
  TRY(users->admin_token_, users->add("admin", {std::string(admins)}));
  TRY_OK(write_file(token_file, users->admin_token_ + "\n", 0600, Durable::yes));
  return users;
}

Result<> Users::save(const std::vector<Entry>& entries) const {
  std::string text;
  for (const auto& entry : entries)
    text += fmt::format("{} {} {}\n", entry.user.name, entry.token_sha256, fmt::join(entry.user.groups, ","));
  return write_file(file(), text, 0600, Durable::yes);
}

Result<std::string> Users::add(std::string_view name, const std::vector<std::string>& groups) {
  if (!good_name(name))
    return fail(Kind::invalid, "user \"{}\": want letters, digits and . - _ @, at most 64", name.substr(0, 80));
  auto state = state_.lock();
  refresh(*state);
  auto* entries = &state->entries;
  auto same = [&](const Entry& entry) { return entry.user.name == name; };
  auto found = std::find_if(entries->begin(), entries->end(), same);
  if (found != entries->end() && name != "admin") return fail(Kind::conflict, "user {}: is there already", name);
  auto token = "slw_" + random_hex(20);
  Entry entry{{std::string(name), groups}, sha256_hex(token)};
  auto changed = *entries;
  std::erase_if(changed, same);
  changed.push_back(std::move(entry));
  TRY_OK(save(changed));
  *entries = std::move(changed);
  state->stamp = stamp_of(file());
  return token;
}

std::optional<User> Users::by_token(std::string_view token, std::string_view claimed_name) const {
  if (token.empty()) return std::nullopt;
  auto digest = sha256_hex(token);
  auto state = state_.lock();
  refresh(*state);
  for (const auto& entry : state->entries) {
    if (!same_secret(entry.token_sha256, digest)) continue;
    auto user = entry.user;
    if (user.name == "admin" && good_name(claimed_name)) user.name = claimed_name;
    return user;
  }
  return std::nullopt;
}

std::optional<User> Users::by_name(std::string_view name) const {
  auto state = state_.lock();
  refresh(*state);
  const auto& entries = state->entries;
  auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.user.name == name; });
  return found == entries.end() ? std::nullopt : std::optional(found->user);
}

std::optional<User> Users::by_header(std::string_view authorization) const {
  auto pair = cut(authorization, " ");
  if (!pair) return std::nullopt;
  if (iequals(pair->first, "Bearer")) return by_token(trim(pair->second));
  if (!iequals(pair->first, "Basic")) return std::nullopt;
  auto decoded = from_base64(trim(pair->second));
  if (!decoded) return std::nullopt;
  auto named = cut(*decoded, ":");
  return named ? by_token(named->second, named->first) : std::nullopt;
}

}  // namespace slipway::engine
