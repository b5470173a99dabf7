#include "base/text.h"
#include "ci/actions_source.h"
#include "ci/mirror/names.h"

namespace slipway::ci {
namespace {

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

bool is_commit(std::string_view ref) { return is_hex(ref, 40); }

// Rule: what GitHub takes for names; "." and ".." are none, and nothing here leads out of a folder.
bool is_action_repository(std::string_view name) {
  auto parts = split(name, '/');
  return parts.size() == 2 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           return !part.empty() && part.size() <= 100 && part != "." && part != ".." &&
                  part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                      std::string_view::npos;
         });
}

// Rule: git check-ref-format, without what means something to git where a revision stands.
bool is_action_ref(std::string_view ref) {
  if (ref.empty() || ref.size() > 255 || ref.front() == '-' || ref.front() == '/' || ref.ends_with('/')) return false;
  if (ref.contains("..") || ref.contains("//") || ref.contains("@{") || ref.contains("/.") || ref.front() == '.' ||
      ref.ends_with('.') || ref.ends_with(".lock"))
    return false;
  return std::none_of(ref.begin(), ref.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) == 0x7f ||
           std::string_view("~^:?*[\\").contains(c);
  });
}

Result<ActionLock> ActionLock::parse(std::string_view text) {
  ActionLock out;
  int number = 0;
  for (auto line : slipway::lines(text)) {
    ++number;
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    std::vector<std::string_view> words;
    for (auto word : split(line, ' '))
      if (!trim(word).empty()) words.push_back(trim(word));
    auto wrong = [&](std::string_view what) { return fail(Kind::invalid, "{}:{}: {}", path, number, what); };
    if (words.size() != 3) return wrong("want OWNER/NAME@REF COMMIT SHA256");
    auto name = cut(words[0], "@");
    if (!name || !is_action_repository(name->first) || !is_action_ref(name->second))
      return wrong(fmt::format("\"{}\": want OWNER/NAME@REF", words[0]));
    if (!is_commit(words[1])) return wrong(fmt::format("\"{}\": want a commit of 40 hex digits", words[1]));
    if (!is_hex(words[2], 64)) return wrong(fmt::format("\"{}\": want a sha256 of 64 hex digits", words[2]));
    if (is_commit(name->second) && name->second != words[1])
      return wrong(fmt::format("{} is locked to another commit, {}", words[0], words[1]));
    if (!out.entries_.emplace(words[0], LockedAction{std::string(words[1]), std::string(words[2])}).second)
      return wrong(fmt::format("{} stands here twice", words[0]));
  }
  return out;
}

const LockedAction* ActionLock::find(std::string_view repository, std::string_view ref) const {
  auto found = entries_.find(fmt::format("{}@{}", repository, ref));
  return found == entries_.end() ? nullptr : &found->second;
}

std::string ActionLock::print() const {
  std::string out;
  for (auto& [name, locked] : entries_) out += fmt::format("{}  {}  {}\n", name, locked.commit, locked.tree);
  return out;
}

}  // namespace slipway::ci
