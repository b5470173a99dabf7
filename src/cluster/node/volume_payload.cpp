#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "cluster/node/volumes.h"

namespace slipway::cluster {
namespace {

// A relative path without "..": keys become file names inside a folder of ours.
bool inside(const fs::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  for (const auto& part : path)
    if (part == ".." || part == ".") return false;
  return !path.begin()->string().starts_with("..");
}

std::string digest_of(const std::map<std::string, VolumeFile>& files) {
  Hasher hash;
  for (const auto& [name, file] : files)
    hash.update(fmt::format("{}\n{}\n{}\n", name, file.mode, file.text.size())).update(file.text);
  return hash.finish_hex().substr(0, 16);
}

Result<> swap_link(const fs::path& link, const std::string& target) {
  auto temp = fs::path(link.string() + ".tmp");
  ::unlink(temp.c_str());
  if (::symlink(target.c_str(), temp.c_str()) < 0 || ::rename(temp.c_str(), link.c_str()) < 0)
    return fail_errno(errno, link.string());
  return {};
}

void give_to(const fs::path& path, std::optional<std::uint32_t> group) {
  if (group) (void)::lchown(path.c_str(), static_cast<uid_t>(-1), *group);
}

Result<> write_files(const fs::path& folder, const std::map<std::string, VolumeFile>& files,
                     std::optional<std::uint32_t> group) {
  TRY_OK(make_dirs(folder));
  give_to(folder, group);
  for (const auto& [name, file] : files) {
    auto path = folder / name;
    if (path.parent_path() != folder) {
      TRY_OK(make_dirs(path.parent_path()));
    }
    // As the kubelet does: what is for the owner is for the pod's group too.
    auto mode = group ? file.mode | ((file.mode & 0400) >> 3) : file.mode;
    TRY_OK(write_file(path, file.text, mode));
    give_to(path, group);
    ::chmod(path.c_str(), mode);
  }
  return {};
}

}  // namespace

Result<> write_payload(const fs::path& folder, const std::map<std::string, VolumeFile>& files,
                       std::optional<std::uint32_t> group) {
  TRY_OK(make_dirs(folder));
  for (const auto& [name, file] : files)
    if (!inside(name)) return fail(Kind::invalid, "volume path \"{}\": want a relative path without ..", name);
  auto current = ".." + digest_of(files);
  std::error_code ignored;
  auto former = fs::read_symlink(folder / "..data", ignored).string();
  if (former == current) return {};
  TRY_OK(write_files(folder / current, files, group));
  TRY_OK(swap_link(folder / "..data", current));
  std::set<std::string> tops;
  for (const auto& [name, file] : files) tops.insert(fs::path(name).begin()->string());
  for (const auto& top : tops) {
    if (fs::read_symlink(folder / top, ignored) != fs::path("..data") / top) {
      TRY_OK(swap_link(folder / top, "..data/" + top));
    }
  }
  TRY(auto names, list_dir(folder));
  for (const auto& name : names)
    if (!name.starts_with("..") && !tops.contains(name)) ::unlink((folder / name).c_str());
  if (!former.empty() && former.starts_with("..") && fs::path(former).filename() == former)
    (void)remove_tree(folder / former);
  return {};
}

}  // namespace slipway::cluster
