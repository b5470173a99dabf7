#include "gitops/flux/ignoring.h"

#include "base/text.h"

namespace slipway::gitops::flux {
namespace {

constexpr std::string_view of_git = ".git/\n.gitignore\n.gitmodules\n.gitattributes\n";
// Flux's own list: what is no manifest, and what other tools read.
constexpr std::string_view by_default =
    "*.jpg\n*.jpeg\n*.gif\n*.png\n*.wmv\n*.flv\n*.tar.gz\n*.zip\n"
    ".github/\n.circleci/\n.travis.yml\n.gitlab-ci.yml\nappveyor.yml\n.drone.yml\ncloudbuild.yaml\n"
    "codeship-services.yml\ncodeship-steps.yml\n"
    "**/.goreleaser.yml\n**/.sops.yaml\n**/.flux.yaml\n";

std::string child(const std::string& folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

}  // namespace

std::optional<IgnorePattern> IgnorePattern::parse(std::string_view line) {
  while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
  if (line.empty() || line.starts_with('#')) return std::nullopt;
  IgnorePattern pattern;
  if (line.starts_with('!')) pattern.include = true, line.remove_prefix(1);
  if (line.ends_with('/')) pattern.folders = true, line.remove_suffix(1);
  pattern.anchored = line.find('/') != std::string_view::npos;
  if (line.starts_with('/')) line.remove_prefix(1);
  if (line.empty()) return std::nullopt;
  pattern.glob = line;
  return pattern;
}

bool IgnorePattern::matches(std::string_view path, bool folder) const {
  for (std::size_t begin = 0, end = path.find('/');; begin = end + 1, end = path.find('/', end + 1)) {
    bool last = end == std::string_view::npos;
    bool is_folder = !last || folder;
    auto what = anchored ? path.substr(0, end) : path.substr(begin, last ? end : end - begin);
    if ((is_folder || !folders) && glob_match(glob, what)) return true;
    if (last) return false;
  }
}

std::vector<IgnorePattern> ignore_patterns(std::string_view text) {
  std::vector<IgnorePattern> patterns;
  for (auto line : lines(text))
    if (auto pattern = IgnorePattern::parse(line)) patterns.push_back(*std::move(pattern));
  return patterns;
}

IgnoringSource::IgnoringSource(manifest::FileSource& source, std::string_view ignore)
    : source_(source), all_(ignore_patterns(fmt::format("{}{}", of_git, ignore.empty() ? by_default : ignore))) {}

Result<const std::vector<IgnorePattern>*> IgnoringSource::of_folder(const std::string& folder) {
  if (auto known = folders_.find(folder); known != folders_.end()) return &known->second;
  TRY(auto text, source_.read(child(folder, ".sourceignore")));
  return &folders_.emplace(folder, ignore_patterns(text.value_or(""))).first->second;
}

// The last pattern that is about it says; a folder's own come after those above it.
Result<bool> IgnoringSource::ignored(const std::string& path, bool folder) {
  if (path.empty()) return false;
  bool out = false;
  auto ask = [&](const std::vector<IgnorePattern>& patterns, std::string_view below) {
    for (const auto& pattern : patterns)
      if (pattern.matches(below, folder)) out = !pattern.include;
  };
  ask(all_, path);
  for (std::size_t end = 0; end != std::string::npos; end = path.find('/', end + 1)) {
    TRY(const auto* patterns, of_folder(path.substr(0, end)));
    ask(*patterns, std::string_view(path).substr(end == 0 ? 0 : end + 1));
  }
  return out;
}

Result<std::optional<std::string>> IgnoringSource::read(const std::string& path) {
  TRY(auto out, ignored(path, false));
  return out ? std::optional<std::string>() : source_.read(path);
}

Result<std::vector<manifest::FileSource::Entry>> IgnoringSource::list(const std::string& folder) {
  TRY(auto entries, source_.list(folder));
  std::vector<Entry> kept;
  for (auto& entry : entries) {
    if (entry.folder) {
      kept.push_back(std::move(entry));
      continue;
    }
    TRY(auto out, ignored(child(folder, entry.name), false));
    if (!out) kept.push_back(std::move(entry));
  }
  return kept;
}

// Folders stay: one that is left out may have files in it that are not.
Result<bool> IgnoringSource::is_dir(const std::string& path) { return source_.is_dir(path); }

}  // namespace slipway::gitops::flux
