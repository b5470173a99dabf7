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

Result<git::FolderCache::FolderPtr> GitSource::folder(const std::string& path) {
  if (auto known = folders_.find(path); known != folders_.end()) return known->second;
  git::FolderCache::FolderPtr found;
  if (path.empty()) {
    TRY(auto tree, repository_->tree_of(commit_));
    TRY(found, cache_->get(*repository_, tree));
  } else {
    TRY(auto there, entry(path));
    if (there && there->is_tree()) {
      TRY_IN(found, path, cache_->get(*repository_, there->id));
    }
  }
  folders_.emplace(path, found);
  return found;
}

Result<std::optional<git::TreeEntry>> GitSource::entry(const std::string& path) {
  auto slash = path.rfind('/');
  TRY(auto parent, folder(slash == std::string::npos ? "" : path.substr(0, slash)));
  if (parent == nullptr) return std::nullopt;
  const auto* found = parent->find(slash == std::string::npos ? path : path.substr(slash + 1));
  if (found == nullptr) return std::nullopt;
  return *found;
}

Result<std::optional<git::Oid>> GitSource::id_at(const std::string& path) {
  if (path.empty()) {
    TRY(auto tree, repository_->tree_of(commit_));
    return std::optional(std::move(tree));
  }
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    TRY(auto step, entry(path.substr(0, end)));
    if (!step) return std::optional<git::Oid>("");
    if (step->is_link()) return std::optional<git::Oid>();
    if (end == std::string::npos) return std::optional(step->id);
  }
}

Result<std::optional<std::string>> GitSource::real_path(const std::string& path, int links) {
  std::string at;
  for (auto step : split(path, '/')) {
    if (step.empty()) continue;
    auto next = at.empty() ? std::string(step) : fmt::format("{}/{}", at, step);
    TRY(auto found, entry(next));
    if (!found) return std::nullopt;
    if (found->is_link()) {
      if (links >= most_links) return fail(Kind::invalid, "{}: too many links", path);
      TRY(auto target, repository_->blob(found->id));
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
  if (!found || found->is_tree() || found->mode == 0160000) return std::nullopt;
  TRY_IN(auto text, path, repository_->blob(found->id, largest_file));
  return text;
}

Result<bool> GitSource::is_dir(const std::string& path) {
  TRY(auto real, real_path(path));
  if (!real) return false;
  if (real->empty()) return true;
  TRY(auto found, entry(*real));
  return found && found->is_tree();
}

Result<std::string> GitSource::submodule_above(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    auto part = path.substr(0, end);
    TRY(auto found, entry(part));
    if (!found) return std::string();
    if (found->mode == 0160000) return part;
    if (end == std::string::npos) return std::string();
  }
}

Result<std::vector<FileSource::Entry>> GitSource::list(const std::string& path) {
  TRY(auto real, real_path(path));
  git::FolderCache::FolderPtr entries;
  if (real) {
    TRY(entries, folder(*real));
  }
  if (entries == nullptr)
    return fail(Kind::not_found, "{}: no such folder in {}", display(path), commit_.substr(0, 12));
  std::vector<Entry> result;
  for (const auto& found : entries->entries()) {
    bool is_folder = found.is_tree();
    if (found.is_link()) {
      auto beyond = is_dir(path.empty() ? found.path : fmt::format("{}/{}", path, found.path));
      // A link that leads outside or round in circles is no folder; a damaged repository is an error.
      if (!beyond && !beyond.error().is(Kind::denied) && !beyond.error().is(Kind::invalid))
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
