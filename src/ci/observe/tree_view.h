#pragma once
// A source as something that can be asked: a commit, without checking it out, or a folder. Both answer alike.
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "ci/observe/observation.h"
#include "git/repository.h"

namespace slipway::ci {

// What stands at one path, links not followed.
struct TreeNode {
  enum class Kind : char { none = '-', file = 'f', folder = 'd', link = 'l', other = 'o' };
  Kind kind = Kind::none;
  bool executable = false;
  std::string target;  // of a link; of other: what it is
};

// Threads: any.
class TreeView {
 public:
  virtual ~TreeView() = default;
  // A short text, equal as long as what was looked at is. Links are followed within the tree; where one leads out of
  // it, or in a circle, the answer says so: it begins with '?' and holds for nobody (never is equal to a later one's).
  std::string answer(Look look, std::string_view path) const;

  // Of one path, no component a link. Paths are relative to the root, "" is the root.
  virtual TreeNode node(const std::string& path) const = 0;
  virtual std::uint64_t size(const std::string& path) const = 0;              // of a file
  virtual std::string digest(const std::string& path) const = 0;              // of a file: its id as a git blob
  virtual std::vector<std::string> names(const std::string& path) const = 0;  // of a folder, sorted
  virtual std::string text(const std::string& path) const = 0;                // of a file; "" when it is not to be had

 private:
  std::string final_answer(Look look, const std::string& path, const TreeNode& node) const;
  std::string listing(const std::string& path, bool deep, bool bytes, int depth) const;
};

// `repository` outlives the view.
std::unique_ptr<TreeView> view_commit(const git::Repository& repository, std::string commit);
// Nothing in it leads out, whoever writes to it meanwhile.
std::unique_ptr<TreeView> view_folder(fs::path root);

// The same questions of the machine itself, by size and time of the file: what a package manager changes. `root`: of a
// container, a descriptor of its root folder; -1: ours.
std::string host_answer(Look look, const std::string& path, int root = -1);

}  // namespace slipway::ci
