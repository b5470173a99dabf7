#include "ci/run/host_view.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"

namespace slipway::ci {
namespace {

bool is_folder(const fs::path& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void hide_host(box::Spec& spec, const std::vector<fs::path>& hide) {
  auto cover = [&](const fs::path& folder, std::vector<std::string> options) {
    if (is_folder(folder))
      spec.mounts.push_back({.source = {}, .target = folder, .type = "tmpfs", .options = std::move(options)});
  };
  for (auto* folder : {"/root", "/home", "/run", "/mnt", "/media", "/srv"}) cover(folder, {"mode=755"});
  for (auto* folder : {"/tmp", "/var/tmp"}) cover(folder, {"mode=1777"});
  for (auto& folder : hide) cover(folder, {"mode=700"});
  spec.masked_paths = {"/etc/shadow",    "/etc/gshadow", "/etc/shadow-",    "/etc/gshadow-",
                       "/etc/sudoers.d", "/etc/ssh",     "/etc/ssl/private"};
}

// Whether something is mounted below: the kernel then gives the folder only with all of it, and not to an overlay.
bool has_mounts_below(const fs::path& folder) {
  auto prefix = folder.string() + "/";
  auto mounts = read_file("/proc/self/mountinfo").value_or("");
  for (auto line : lines(mounts)) {
    auto words = split(line, ' ');
    if (words.size() > 4 && words[4].starts_with(prefix)) return true;
  }
  return false;
}

// The runtime's own, and what hide_host covers anyway.
bool stays_empty(const std::string& name) {
  static const std::vector<std::string> names{"proc",  "sys",  "dev",  "run", "tmp",       "mnt",
                                              "media", "home", "root", "srv", "lost+found"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<> show_by_folder(box::Spec& spec, const fs::path& scratch) {
  auto root = scratch / "root";
  TRY_OK(make_dirs(root));
  TRY(auto names, list_dir("/"));
  for (const auto& name : names) {
    fs::path from = fs::path("/") / name;
    std::error_code ignored;
    if (fs::is_symlink(fs::symlink_status(from, ignored))) {
      fs::copy_symlink(from, root / name, ignored);
      continue;
    }
    if (!is_folder(from)) continue;
    TRY_OK(make_dirs(root / name));
    if (stays_empty(name)) continue;
    if (has_mounts_below(from)) {
      spec.mounts.push_back({.source = from, .target = from, .type = "bind", .read_only = true, .options = {"rbind"}});
      continue;
    }
    auto upper = scratch / name / "upper", work = scratch / name / "work";
    TRY_OK(remove_tree(work));  // of an earlier mount: says that nothing was synced
    TRY_OK(make_dirs(upper));
    TRY_OK(make_dirs(work));
    spec.mounts.push_back({.source = "overlay",
                           .target = from,
                           .type = "overlay",
                           .options = {"lowerdir=" + from.string(), "upperdir=" + upper.string(),
                                       "workdir=" + work.string(), "userxattr", "volatile"}});
  }
  spec.layers = {root};
  return {};
}

}  // namespace

Result<> show_host(box::Spec& spec, const std::vector<fs::path>& hide, bool rootless, const fs::path& scratch) {
  spec.layers = {"/"};
  if (rootless) {
    TRY_OK_IN("view of the host", show_by_folder(spec, scratch));
  }
  hide_host(spec, hide);
  return {};
}

}  // namespace slipway::ci
