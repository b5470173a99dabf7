#include "ci/run/hash_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

struct Pattern {
  bool negative = false;
  std::string text;
};

std::vector<Pattern> prepare(const std::vector<std::string>& patterns, const fs::path& root) {
  std::vector<Pattern> out;
  for (auto& several : patterns) {
    for (auto line : lines(several)) {
      auto text = trim(line);
      if (text.empty() || text.starts_with('#')) continue;
      Pattern p;
      while (text.starts_with('!')) p.negative = !p.negative, text.remove_prefix(1);
      std::string path(text);
      if (path.starts_with(root.string() + "/")) path = path.substr(root.string().size() + 1);
      if (path == root.string()) path = ".";
      path = fs::path(path).lexically_normal().string();
      while (path.ends_with('/') && path.size() > 1) path.pop_back();
      p.text = std::move(path);
      out.push_back(std::move(p));
    }
  }
  return out;
}

// A pattern that matches a folder takes all below it.
bool matches(const Pattern& p, std::string_view path) {
  if (p.text == "." || p.text == "**") return true;
  for (auto part = path;;) {
    if (glob_match(p.text, part)) return true;
    auto slash = part.rfind('/');
    if (slash == std::string_view::npos) return false;
    part = part.substr(0, slash);
  }
}

bool selected(const std::vector<Pattern>& patterns, std::string_view path) {
  bool in = false;
  for (auto& p : patterns)
    if (in == p.negative && matches(p, path)) in = !p.negative;
  return in;
}

class Walk {
 public:
  Walk(const Ctx& ctx, fs::path root, std::vector<Pattern> patterns)
      : ctx_(ctx), root_(std::move(root)), patterns_(std::move(patterns)) {}

  Result<std::vector<std::string>> run() {
    TRY_OK(folder(""));
    return std::move(found_);
  }

 private:
  Result<> folder(const std::string& relative) {
    TRY_OK(ctx_.alive());
    TRY(auto names, list_dir(root_ / relative));
    for (auto& name : names) {
      auto path = relative.empty() ? name : relative + "/" + name;
      struct stat info;
      if (::lstat((root_ / path).c_str(), &info) < 0) continue;
      if (S_ISDIR(info.st_mode)) {
        if (path == ".git" && !mentions_git_) continue;
        TRY_OK(folder(path));
      } else if (S_ISREG(info.st_mode) && selected(patterns_, path)) {
        found_.push_back(path);
      }
    }
    return {};
  }

  const Ctx& ctx_;
  fs::path root_;
  std::vector<Pattern> patterns_;
  std::vector<std::string> found_;
  bool mentions_git_ =
      std::any_of(patterns_.begin(), patterns_.end(), [](auto& p) { return p.text.starts_with(".git/"); });
};

}  // namespace

Result<std::vector<std::string>> find_files(const Ctx& ctx, const fs::path& root,
                                            const std::vector<std::string>& patterns) {
  if (!path_exists(root)) return std::vector<std::string>();
  return Walk(ctx, root, prepare(patterns, root)).run();
}

Result<std::string> hash_files(const Ctx& ctx, const fs::path& workspace, const std::vector<std::string>& patterns) {
  std::vector<std::string> wanted;
  for (auto& p : patterns)
    if (p != "--follow-symbolic-links") wanted.push_back(p);
  TRY(auto files, find_files(ctx, workspace, wanted));
  if (files.empty()) return std::string();
  Hasher all;
  for (auto& file : files) {
    TRY(auto fd, open_beneath(workspace, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    Hasher one;
    char buffer[65536];
    ssize_t n;
    while ((n = ::read(fd.get(), buffer, sizeof buffer)) > 0) one.update({buffer, static_cast<std::size_t>(n)});
    if (n < 0) return fail_errno(errno, file);
    all.update(one.finish_raw());
  }
  return all.finish_hex();
}

}  // namespace slipway::ci
