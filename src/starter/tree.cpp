#include <algorithm>
#include <deque>
#include <set>

#include "base/text.h"
#include "starter/detail/look.h"

namespace slipway::starter::detail {
namespace {

constexpr std::size_t most_files = 20'000, largest_text = 512 << 10;
constexpr int deepest = 7;

// Folders that hold what others wrote, or what a build left.
const std::set<std::string_view> passed_over{".git",  "node_modules", "vendor",          "third_party", "target",
                                             ".venv", "venv",         "__pycache__",     ".tox",        ".gradle",
                                             "dist",  ".next",        "bower_components"};

}  // namespace

std::string folder_of(std::string_view path) {
  auto slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}
std::string base_of(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }
std::string in_folder(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}
int depth_of(std::string_view path) { return static_cast<int>(std::count(path.begin(), path.end(), '/')); }

int line_of(std::string_view text, std::string_view what) {
  auto at = text.find(what);
  if (at == std::string_view::npos) return 0;
  return static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) + 1;
}

bool is_aside(std::string_view path) {
  static const std::set<std::string, std::less<>> names{"test",    "tests",    "__tests__", "testdata",   "fixtures",
                                                        "example", "examples", "sample",    "samples",    "docs",
                                                        "doc",     "e2e",      "spec",      "benchmarks", "bench"};
  auto folder = folder_of(path);
  for (auto part : split(folder, '/'))
    if (names.contains(lower(part))) return true;
  return false;
}

Result<Tree> Tree::read(const Ctx& ctx, manifest::FileSource& source) {
  Tree tree(source);
  std::deque<std::string> todo{""};
  while (!todo.empty() && tree.files_.size() < most_files) {
    TRY_OK(ctx.alive());
    auto folder = std::move(todo.front());
    todo.pop_front();
    auto entries = source.list(folder);
    if (!entries && folder.empty()) return Fail(std::move(entries).error());
    if (!entries) continue;  // a link that leads nowhere, or out of the repository
    for (const auto& entry : *entries) {
      auto path = in_folder(folder, entry.name);
      if (!entry.folder)
        tree.files_.push_back(path);
      else if (!passed_over.contains(entry.name) && depth_of(path) < deepest)
        todo.push_back(path);
    }
  }
  std::stable_sort(tree.files_.begin(), tree.files_.end(), [](const auto& a, const auto& b) {
    return std::pair(depth_of(a), std::string_view(a)) < std::pair(depth_of(b), std::string_view(b));
  });
  return tree;
}

bool Tree::has(const std::string& path) const { return std::find(files_.begin(), files_.end(), path) != files_.end(); }

bool Tree::has_folder(const std::string& path) const {
  return std::any_of(files_.begin(), files_.end(), [&](const auto& file) { return file.starts_with(path + "/"); });
}

std::string Tree::text(const std::string& path) const {
  auto read = source_->read(path);
  if (!read || !*read || (*read)->size() > largest_text) return "";
  return **std::move(read);
}

}  // namespace slipway::starter::detail
