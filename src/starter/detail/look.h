#pragma once
// The parts of look(): each fills in what it finds and says why.
#include <functional>

#include "starter/starter.h"

namespace slipway::starter::detail {

// The files of a repository that people wrote, by path; texts are read when asked for.
class Tree {
 public:
  static Result<Tree> read(const Ctx& ctx, manifest::FileSource& source);
  const std::vector<std::string>& files() const { return files_; }  // shallow ones first, then by name
  bool has(const std::string& path) const;
  bool has_folder(const std::string& path) const;
  // "" when it is not there, cannot be read or is larger than a source file.
  std::string text(const std::string& path) const;

 private:
  explicit Tree(manifest::FileSource& source) : source_(&source) {}
  manifest::FileSource* source_;
  std::vector<std::string> files_;
};

std::string folder_of(std::string_view path);  // "" for a file of the root
std::string base_of(std::string_view path);
std::string in_folder(std::string_view folder, std::string_view name);
int depth_of(std::string_view path);
// The line (from 1) on which `what` first stands, 0 when nowhere.
int line_of(std::string_view text, std::string_view what);
// A path under test, or an example of use: no part of what runs.
bool is_aside(std::string_view path);

// What a Compose file says of the service that the Dockerfile builds. `file` is "" when none does.
struct Composed {
  std::string file, context = ".", target, healthcheck;
  int port = 0;  // in the container
};
Composed look_at_compose(const Tree& tree, const std::string& dockerfile);

Result<> look_at_dockerfile(const Tree& tree, Facts& facts, int& port, std::string& health);
void look_at_modules(const Tree& tree, Facts& facts);
// Probes of manifests in the repository, then routes in its sources.
void look_at_probes(const Tree& tree, Facts& facts, int& port, std::string& health);
void look_at_workflows(const Tree& tree, Facts& facts);

// Per language; nothing when the file is no manifest of it.
std::optional<Module> module_of(const Tree& tree, const std::string& manifest, std::vector<Reason>& reasons);

}  // namespace slipway::starter::detail
