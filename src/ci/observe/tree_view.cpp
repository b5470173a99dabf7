#include "ci/observe/tree_view.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/guarded.h"
#include "base/hash.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr int max_links = 40;
constexpr int max_depth = 200;
constexpr std::size_t max_text = 4 << 20;

std::string joined(const std::string& folder, std::string_view name) {
  return folder.empty() ? std::string(name) : folder + "/" + std::string(name);
}
std::string parent_of(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// A commit: folders are read when they are asked for, once.
class CommitView final : public TreeView {
 public:
  CommitView(const git::Repository& repository, std::string commit)
      : repository_(repository), commit_(std::move(commit)) {}

  TreeNode node(const std::string& path) const override {
    if (path.empty()) return {TreeNode::Kind::folder, false, {}};
    // How a checkout makes .git is its own matter; what is in it goes with the commit.
    if (path == ".git") return {TreeNode::Kind::folder, false, {}};
    if (path.starts_with(".git/")) return {TreeNode::Kind::other, false, "commit " + commit_};
    auto& entries = folder(parent_of(path));
    auto found = entries.find(path.substr(path.rfind('/') + 1));
    if (found == entries.end()) return {};
    auto& entry = found->second;
    if (entry.is_tree()) return {TreeNode::Kind::folder, false, {}};
    if (entry.is_link()) return {TreeNode::Kind::link, false, repository_.blob(entry.id).value_or("?")};
    if (entry.mode == 0160000) return {TreeNode::Kind::other, false, "submodule " + entry.id};
    return {TreeNode::Kind::file, entry.mode == 0100755, {}};
  }
  std::uint64_t size(const std::string& path) const override { return entry(path).size; }
  std::string digest(const std::string& path) const override { return entry(path).id; }
  std::vector<std::string> names(const std::string& path) const override {
    std::vector<std::string> out;
    for (auto& [name, ignored] : folder(path)) out.push_back(name);
    return out;
  }
  std::string text(const std::string& path) const override {
    auto found = entry(path);
    return found.size > max_text || found.id.empty() ? std::string() : repository_.blob(found.id).value_or("");
  }

 private:
  using Entries = std::map<std::string, git::TreeEntry>;
  git::TreeEntry entry(const std::string& path) const {
    auto& entries = folder(parent_of(path));
    auto found = entries.find(path.substr(path.rfind('/') + 1));
    return found == entries.end() ? git::TreeEntry{} : found->second;
  }
  // Entries of a map stay where they are.
  const Entries& folder(const std::string& path) const {
    auto folders = folders_.lock();
    auto [place, fresh] = folders->try_emplace(path);
    if (fresh)
      if (auto listed = repository_.list(commit_, path, false))
        for (auto& entry : *listed) place->second[entry.path.substr(entry.path.rfind('/') + 1)] = entry;
    return place->second;
  }
  const git::Repository& repository_;
  std::string commit_;
  mutable Guarded<std::map<std::string, Entries>> folders_;
};

class FolderView final : public TreeView {
 public:
  explicit FolderView(fs::path root) : root_(std::move(root)) {}

  TreeNode node(const std::string& path) const override {
    auto fd = open(path, O_PATH | O_NOFOLLOW);
    struct stat info;
    if (!fd || ::fstat(fd.get(), &info) < 0) return {};
    if (S_ISDIR(info.st_mode)) return {TreeNode::Kind::folder, false, {}};
    if (S_ISREG(info.st_mode)) return {TreeNode::Kind::file, (info.st_mode & 0100) != 0, {}};
    if (!S_ISLNK(info.st_mode)) return {TreeNode::Kind::other, false, "special"};
    char target[4096];
    auto n = ::readlinkat(fd.get(), "", target, sizeof target);
    return {TreeNode::Kind::link, false, std::string(target, n < 0 ? 0 : static_cast<std::size_t>(n))};
  }
  std::uint64_t size(const std::string& path) const override {
    auto fd = open(path, O_PATH | O_NOFOLLOW);
    struct stat info;
    return !fd || ::fstat(fd.get(), &info) < 0 ? 0 : static_cast<std::uint64_t>(info.st_size);
  }
  std::string digest(const std::string& path) const override {
    auto fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;
    if (!fd || ::fstat(fd.get(), &info) < 0) return "unreadable";
    Hasher hasher(Hasher::Algorithm::sha1);
    hasher.update(fmt::format("blob {}", info.st_size)).update(std::string_view("\0", 1));
    std::string buffer(1 << 16, '\0');
    for (ssize_t n; (n = ::read(fd.get(), buffer.data(), buffer.size())) > 0;)
      hasher.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
    return hasher.finish_hex();
  }
  std::vector<std::string> names(const std::string& path) const override {
    auto fd = open(path, O_PATH | O_DIRECTORY);
    auto listed = fd ? list_dir(fmt::format("/proc/self/fd/{}", fd.get())) : std::vector<std::string>();
    if (!listed) return {};
    std::sort(listed->begin(), listed->end());
    // A commit has no .git in its root; that a folder has one is not what its files say.
    if (path.empty()) std::erase(*listed, ".git");
    return *std::move(listed);
  }
  std::string text(const std::string& path) const override {
    auto fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;
    if (!fd || ::fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode)) return {};
    if (static_cast<std::size_t>(info.st_size) > max_text) return {};
    return read_all(fd.get()).value_or("");
  }

 private:
  Fd open(const std::string& path, int flags) const {
    auto fd = open_beneath(root_, path.empty() ? "." : path, flags | O_CLOEXEC);
    return fd ? *std::move(fd) : Fd();
  }
  fs::path root_;
};

}  // namespace

std::string TreeView::answer(Look look, std::string_view asked) const {
  std::vector<std::string> open;  // components still to go, last one first
  auto push = [&](std::string_view path) {
    auto parts = split(path, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
      if (!part->empty() && *part != ".") open.emplace_back(*part);
  };
  push(asked);
  std::string at, way;  // way: links met, which are part of what was seen
  TreeNode here{TreeNode::Kind::folder, false, {}};
  for (int links = 0; !open.empty();) {
    auto name = std::move(open.back());
    open.pop_back();
    if (name == "..") {
      if (at.empty()) return "? leads out of the source";
      at = parent_of(at), here = node(at);
      continue;
    }
    if (here.kind != TreeNode::Kind::folder) return way + (here.kind == TreeNode::Kind::other ? here.target : "-");
    auto next = joined(at, name);
    here = node(next);
    if (here.kind == TreeNode::Kind::none) return way + "-";
    if (here.kind != TreeNode::Kind::link) {
      at = std::move(next);
      continue;
    }
    if (here.target.starts_with('/') || ++links > max_links) return "? a link that leads out of the source";
    way += fmt::format("l {} ", here.target);
    push(here.target);
    here = node(at);
  }
  return way + final_answer(look, at, here);
}

std::string TreeView::final_answer(Look look, const std::string& path, const TreeNode& node) const {
  if (node.kind == TreeNode::Kind::other) return node.target;
  if (look == Look::presence) return std::string(1, static_cast<char>(node.kind));
  if (node.kind == TreeNode::Kind::file) {
    auto mode = node.executable ? "x" : "f";
    return look == Look::meta ? fmt::format("{} {}", mode, size(path)) : fmt::format("{} {}", mode, digest(path));
  }
  if (look == Look::meta || look == Look::content) return "d";
  return "d " + listing(path, look != Look::names, look == Look::whole, 0);
}

// One digest over a folder: its names and what they are; deep: and so on below; bytes: with what is in the files.
std::string TreeView::listing(const std::string& path, bool deep, bool bytes, int depth) const {
  if (depth > max_depth) return "too deep";
  std::string all;
  for (auto& name : names(path)) {
    auto below = joined(path, name);
    auto entry = node(below);
    all += fmt::format("{} {}{}", static_cast<char>(entry.kind), name, '\0');
    if (deep && entry.kind == TreeNode::Kind::folder) all += listing(below, deep, bytes, depth + 1);
    if (bytes && entry.kind == TreeNode::Kind::file) all += (entry.executable ? "x" : "f") + digest(below);
    if (bytes && (entry.kind == TreeNode::Kind::link || entry.kind == TreeNode::Kind::other)) all += entry.target;
  }
  return sha1_hex(all);
}

std::unique_ptr<TreeView> view_commit(const git::Repository& repository, std::string commit) {
  return std::make_unique<CommitView>(repository, std::move(commit));
}
std::unique_ptr<TreeView> view_folder(fs::path root) { return std::make_unique<FolderView>(std::move(root)); }

std::string host_answer(Look look, const std::string& path, int root) {
  open_how how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = root < 0 ? 0U : RESOLVE_IN_ROOT};
  Fd fd(static_cast<int>(::syscall(SYS_openat2, root < 0 ? AT_FDCWD : root, path.c_str(), &how, sizeof how)));
  struct stat info;
  if (!fd || ::fstat(fd.get(), &info) < 0) return "-";
  bool folder = S_ISDIR(info.st_mode);
  if (look == Look::presence) return folder ? "d" : "f";
  if (folder && (look == Look::meta || look == Look::content)) return "d";
  if (!folder && !S_ISREG(info.st_mode)) return "o";
  return fmt::format("{:o} {} {}.{}", info.st_mode, folder ? 0 : info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

}  // namespace slipway::ci
