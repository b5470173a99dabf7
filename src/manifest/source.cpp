#include "manifest/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"

namespace slipway::manifest {
namespace {

constexpr std::size_t largest_file = std::size_t{64} << 20;
constexpr int most_links = 16;
constexpr std::size_t most_submodules = 128;  // of one source: each is a repository to fetch

Result<std::string> read_all(int fd, const std::string& name) {
  std::string text;
  char buffer[65536];
  while (true) {
    auto n = ::read(fd, buffer, sizeof buffer);
    if (n == 0) return text;
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, fmt::format("read {}", name));
    }
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > largest_file) return fail(Kind::invalid, "{}: larger than 64 MiB", name);
  }
}

}  // namespace

std::optional<std::string> join_path(std::string_view folder, std::string_view relative) {
  if (relative.starts_with('/')) return std::nullopt;
  std::vector<std::string_view> steps;
  for (auto part : {folder, relative}) {
    for (auto step : split(part, '/')) {
      if (step.empty() || step == ".") continue;
      if (step != "..") {
        steps.push_back(step);
      } else if (steps.empty()) {
        return std::nullopt;
      } else {
        steps.pop_back();
      }
    }
  }
  return join(steps, "/");
}

std::string DiskSource::display(const std::string& path) const { return (root_ / path).string(); }

fs::path root_around(const fs::path& absolute) {
  auto root = absolute;
  while (root.has_relative_path() && !path_exists(root / ".git")) root = root.parent_path();
  return root;
}

Result<std::optional<std::string>> DiskSource::read(const std::string& path) {
  auto fd = open_beneath(root_, path.empty() ? "." : path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (!fd) {
    if (fd.error().is(Kind::not_found)) return std::nullopt;
    return Fail(fd.error());
  }
  struct stat st{};
  if (::fstat(fd->get(), &st) != 0) return fail_errno(errno, fmt::format("stat {}", display(path)));
  if (!S_ISREG(st.st_mode)) return std::nullopt;
  TRY(auto text, read_all(fd->get(), display(path)));
  return text;
}

Result<bool> DiskSource::is_dir(const std::string& path) {
  auto fd = open_beneath(root_, path.empty() ? "." : path, O_PATH | O_CLOEXEC);
  if (!fd) {
    if (fd.error().is(Kind::not_found)) return false;
    return Fail(fd.error());
  }
  struct stat st{};
  if (::fstat(fd->get(), &st) != 0) return fail_errno(errno, fmt::format("stat {}", display(path)));
  return S_ISDIR(st.st_mode);
}

Result<std::vector<FileSource::Entry>> DiskSource::list(const std::string& folder) {
  TRY(auto fd, open_beneath(root_, folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* dir = ::fdopendir(fd.get());
  if (dir == nullptr) return fail_errno(errno, fmt::format("list {}", display(folder)));
  (void)fd.release();
  std::vector<Entry> entries;
  while (const auto* found = ::readdir(dir)) {
    std::string name = found->d_name;
    if (name == "." || name == "..") continue;
    bool is_folder = found->d_type == DT_DIR;
    if (found->d_type == DT_LNK || found->d_type == DT_UNKNOWN) {
      is_folder = is_dir(folder.empty() ? name : fmt::format("{}/{}", folder, name)).value_or(false);
    }
    entries.push_back({std::move(name), is_folder, found->d_type == DT_LNK});
  }
  ::closedir(dir);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

GitSource::GitSource(const git::Repository& repository, git::Oid commit, std::shared_ptr<git::FolderCache> cache,
                     std::unique_ptr<Submodules> submodules)
    : cache_(cache ? std::move(cache) : std::make_shared<git::FolderCache>()) {
  mounts_.push_back(std::make_unique<Mount>(repository, std::move(commit), "", 0, std::move(submodules), std::nullopt));
}

Result<GitSource::Folder> GitSource::root_of(Mount& mount) {
  TRY(auto tree, mount.repository.tree_of(mount.commit));
  TRY(auto entries, cache_->get(mount.repository, tree));
  return Folder{std::move(entries), &mount};
}

Result<GitSource::Folder> GitSource::folder(const std::string& path) {
  if (auto known = folders_.find(path); known != folders_.end()) return known->second;
  Folder found;
  if (path.empty()) {
    TRY(found, root_of(*mounts_[0]));
  } else {
    TRY(auto there, entry(path));
    if (there && there->entry.is_tree()) {
      TRY_IN(found.entries, path, cache_->get(there->in->repository, there->entry.id));
      found.in = there->in;
    } else if (there && there->entry.mode == git::submodule_mode) {
      TRY_IN(found, fmt::format("submodule {}", path), beyond(path, *there));
    }
  }
  folders_.emplace(path, found);
  return found;
}

// What .gitmodules of the same commit says of it. It is read as it is: what a link leads to is not what was reviewed.
Result<git::Submodule> GitSource::module_at(Mount& mount, const std::string& path) {
  if (!mount.gitmodules) {
    TRY(auto root, root_of(mount));
    const auto* file = root.entries->find(".gitmodules");
    if (file == nullptr) return fail(Kind::invalid, "there is no .gitmodules");
    if (file->mode != 0100644 && file->mode != 0100755) return fail(Kind::invalid, ".gitmodules: is no plain file");
    TRY_IN(auto text, ".gitmodules", mount.repository.blob(file->id, git::largest_gitmodules));
    TRY(mount.gitmodules, git::read_gitmodules(text));
  }
  const auto* module = git::submodule_at(*mount.gitmodules, path);
  if (module == nullptr) return fail(Kind::invalid, ".gitmodules says nothing of it");
  return *module;
}

Result<GitSource::Folder> GitSource::beyond(const std::string& path, const Found& gitlink) {
  auto& above = *gitlink.in;
  if (above.submodules == nullptr)
    return Folder{std::make_shared<const git::FolderCache::Folder>(std::vector<git::TreeEntry>()), &above};
  if (above.depth >= git::deepest_submodule)
    return fail(Kind::invalid, "nested more than {} deep", git::deepest_submodule);
  if (mounts_.size() > most_submodules) return fail(Kind::invalid, "more than {} submodules are read", most_submodules);
  TRY(auto module, module_at(above, above.at.empty() ? path : path.substr(above.at.size() + 1)));
  TRY(auto opened, above.submodules->open(module, gitlink.entry.id));
  auto& mount = *mounts_.emplace_back(std::make_unique<Mount>(std::move(opened.repository), gitlink.entry.id, path,
                                                              above.depth + 1, std::move(opened.below), std::nullopt));
  return root_of(mount);
}

Result<std::optional<GitSource::Found>> GitSource::entry(const std::string& path) {
  auto slash = path.rfind('/');
  TRY(auto parent, folder(slash == std::string::npos ? "" : path.substr(0, slash)));
  if (parent.entries == nullptr) return std::nullopt;
  const auto* found = parent.entries->find(slash == std::string::npos ? path : path.substr(slash + 1));
  if (found == nullptr) return std::nullopt;
  return Found{*found, parent.in};
}

Result<std::optional<git::Oid>> GitSource::id_at(const std::string& path) {
  if (path.empty()) {
    TRY(auto tree, mounts_[0]->repository.tree_of(mounts_[0]->commit));
    return std::optional(std::move(tree));
  }
  std::optional<git::Oid> gitlink;
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    auto part = path.substr(0, end);
    TRY(auto step, entry(part));
    if (!step) return gitlink ? gitlink : std::optional<git::Oid>("");
    if (step->entry.is_link()) return std::optional<git::Oid>();
    if (!gitlink && step->entry.mode == git::submodule_mode) gitlink = step->entry.id;
    if (end == std::string::npos) return gitlink ? gitlink : std::optional(step->entry.id);
    // Nothing in it was read, so no link in it was followed.
    if (step->entry.mode == git::submodule_mode && !folders_.contains(part)) return gitlink;
  }
}

Result<std::optional<std::string>> GitSource::real_path(const std::string& path, int links) {
  std::string at;
  for (auto step : split(path, '/')) {
    if (step.empty()) continue;
    auto next = at.empty() ? std::string(step) : fmt::format("{}/{}", at, step);
    TRY(auto found, entry(next));
    if (!found) return std::nullopt;
    if (found->entry.is_link()) {
      if (links >= most_links) return fail(Kind::invalid, "{}: too many links", path);
      TRY(auto target, found->in->repository.blob(found->entry.id));
      auto resolved = join_path(at, target);
      if (!resolved) return fail(Kind::denied, "{}: the link '{}' leaves the repository", path, next);
      TRY(auto real, real_path(*resolved, links + 1));
      if (!real) return std::nullopt;
      next = *std::move(real);
    }
    at = std::move(next);
  }
  return at;
}

Result<std::optional<std::string>> GitSource::read(const std::string& path) {
  TRY(auto real, real_path(path));
  if (!real || real->empty()) return std::nullopt;
  TRY(auto found, entry(*real));
  if (!found || found->entry.is_tree() || found->entry.mode == git::submodule_mode) return std::nullopt;
  TRY_IN(auto text, path, found->in->repository.blob(found->entry.id, largest_file));
  return text;
}

Result<bool> GitSource::is_dir(const std::string& path) {
  TRY(auto real, real_path(path));
  if (!real) return false;
  if (real->empty()) return true;
  TRY(auto found, entry(*real));
  return found && (found->entry.is_tree() || found->entry.mode == git::submodule_mode);
}

Result<std::string> GitSource::submodule_above(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    auto part = path.substr(0, end);
    TRY(auto found, entry(part));
    if (!found) return std::string();
    if (found->entry.mode == git::submodule_mode) return part;
    if (end == std::string::npos) return std::string();
  }
}

Result<std::vector<FileSource::Entry>> GitSource::list(const std::string& path) {
  TRY(auto real, real_path(path));
  Folder there;
  if (real) {
    TRY(there, folder(*real));
  }
  if (there.entries == nullptr)
    return fail(Kind::not_found, "{}: no such folder in {}", display(path), mounts_[0]->commit.substr(0, 12));
  std::vector<Entry> result;
  for (const auto& found : there.entries->entries()) {
    bool is_folder = found.is_tree() || found.mode == git::submodule_mode;
    if (found.is_link()) {
      auto beyond = is_dir(path.empty() ? found.path : fmt::format("{}/{}", path, found.path));
      // A link that leads outside, round in circles or into a submodule that cannot be fetched is no folder, and an
      // error when it is read; a damaged repository is one now.
      if (!beyond && (beyond.error().is(Kind::corrupt) || beyond.error().is(Kind::cancelled)))
        return Fail(std::move(beyond).error());
      is_folder = beyond && *beyond;
    }
    result.push_back({found.path, is_folder, found.is_link()});
  }
  return result;
}

Result<std::optional<std::string>> RecordingSource::read(const std::string& path) {
  paths_.insert(path);
  return source_->read(path);
}
Result<std::vector<FileSource::Entry>> RecordingSource::list(const std::string& folder) {
  paths_.insert(folder);
  return source_->list(folder);
}
Result<bool> RecordingSource::is_dir(const std::string& path) {
  paths_.insert(path);
  return source_->is_dir(path);
}

}  // namespace slipway::manifest
