#pragma once
// What of a Git repository is in Flux's artifact: the files without those that .sourceignore, GitRepository.spec.ignore
// and Flux's own list leave out. Rule: source-controller's "Excluding files", patterns as in .gitignore.
#include <map>

#include "manifest/source.h"

namespace slipway::gitops::flux {

// One line of a .gitignore.
struct IgnorePattern {
  std::string glob;       // without "!" and slashes at its ends
  bool include = false;   // "!"
  bool folders = false;   // "/" at its end
  bool anchored = false;  // has a "/" elsewhere: of the whole path, else of any name in it
  // Nothing: a comment, an empty line.
  static std::optional<IgnorePattern> parse(std::string_view line);
  // Whether it is about this path below its folder, or about a folder above it.
  bool matches(std::string_view path, bool folder) const;
};
std::vector<IgnorePattern> ignore_patterns(std::string_view text);

// Threads: one.
class IgnoringSource final : public manifest::FileSource {
 public:
  // `ignore`: spec.ignore, which takes the place of Flux's own list when it is not empty.
  IgnoringSource(manifest::FileSource& source, std::string_view ignore);
  Result<std::optional<std::string>> read(const std::string& path) override;
  Result<std::vector<Entry>> list(const std::string& folder) override;
  Result<bool> is_dir(const std::string& path) override;
  std::string display(const std::string& path) const override { return source_.display(path); }

 private:
  Result<bool> ignored(const std::string& path, bool folder);
  Result<const std::vector<IgnorePattern>*> of_folder(const std::string& folder);  // its .sourceignore
  manifest::FileSource& source_;
  std::vector<IgnorePattern> all_;
  std::map<std::string, std::vector<IgnorePattern>> folders_;
};

}  // namespace slipway::gitops::flux
