#pragma once
// Actions of other repositories, from places of this house alone: repositories of its git host, folders of mirrors, and
// a base of mirrors when one is configured. Kept as trees by commit.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ctx.h"
#include "base/files.h"

namespace slipway::ci {

// One line of .github/actions.lock: "owner/name@ref commit sha256".
struct LockedAction {
  std::string commit, tree;  // 40 hex digits; sha256 over what the tree holds
};
class ActionLock {
 public:
  static constexpr const char* path = ".github/actions.lock";
  // Lines of three words; "#" begins a comment. Errors: invalid with file:line.
  static Result<ActionLock> parse(std::string_view text);
  const LockedAction* find(std::string_view repository, std::string_view ref) const;
  std::string print() const;

 private:
  std::map<std::string, LockedAction, std::less<>> entries_;  // by owner/name@ref
};

struct ActionSourceOptions {
  fs::path root;  // trees and mirrors are kept here
  // A bare repository of the git host by its name; nothing: none of that name.
  std::function<Result<std::optional<fs::path>>(const std::string& name)> hosted;
  // Folders of mirrors (FOLDER/owner/name, with or without .git), and URLs with {owner} and {name} in them.
  std::vector<std::string> places;
  Millis fresh_for{std::chrono::minutes(5)};  // how long a branch or tag of a URL is believed
};

// Threads: any.
class ActionSource {
 public:
  // Errors: invalid: a place that is neither a folder nor a URL with {name}.
  static Result<std::shared_ptr<ActionSource>> open(ActionSourceOptions options);
  ~ActionSource();
  // The files of an action's repository at a tag, branch or full commit, in a folder that is named by the commit and
  // never changes. Nothing: no place has the repository. Errors: invalid (name, ref), not_found (no such ref), denied
  // (not what the lock file says), unavailable.
  // Rule: of a tag and a branch of one name the tag is meant.
  Result<std::optional<fs::path>> folder(const Ctx& ctx, const std::string& repository, const std::string& ref,
                                         const ActionLock* lock = nullptr);
  // One file of a repository (GROUP/…/NAME) at a ref ("": HEAD; "~latest", "1", "1.2": the newest such tag). Of an URL
  // (repository ""): what a folder of mirrors has at HOST/PATH. Nothing: no such file. Errors: as folder();
  // unavailable: no place has the repository.
  Result<std::optional<std::string>> file(const Ctx& ctx, const std::string& repository, const std::string& ref,
                                          const std::string& path);

 private:
  struct Rep;
  explicit ActionSource(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::ci
