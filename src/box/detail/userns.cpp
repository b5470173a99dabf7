#include "box/detail/userns.h"

#include "base/files.h"
#include "base/text.h"

namespace slipway::box {

bool in_user_namespace() {
  static const bool inside = [] {
    auto text = read_file("/proc/self/uid_map");
    if (!text) return false;
    // The first namespace maps everything onto itself.
    std::vector<std::string_view> words;
    for (auto word : split(trim(*text), ' '))
      if (!word.empty()) words.push_back(word);
    return words != std::vector<std::string_view>{"0", "0", "4294967295"};
  }();
  return inside;
}

namespace {

// Lines of "first-inside first-outside count".
bool mapped(const char* file, std::uint32_t id) {
  auto text = read_file(file);
  if (!text) return true;
  for (auto line : lines(*text)) {
    std::vector<std::int64_t> numbers;
    for (auto word : split(line, ' '))
      if (auto n = to_int(word)) numbers.push_back(*n);
    if (numbers.size() == 3 && id >= numbers[0] && id < numbers[0] + numbers[2]) return true;
  }
  return false;
}

}  // namespace

Result<> check_mapped(std::uint32_t uid, std::uint32_t gid) {
  if (!in_user_namespace() || (mapped("/proc/self/uid_map", uid) && mapped("/proc/self/gid_map", gid))) return {};
  return Fail(Error(Kind::unavailable, fmt::format("user {}:{} does not exist in this user namespace", uid, gid))
                  .with_hint("map a range of ids: unshare --map-auto --map-root-user, with a line for you in "
                             "/etc/subuid and /etc/subgid"));
}

}  // namespace slipway::box
