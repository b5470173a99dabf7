#pragma once
// From an Application's sources to the objects they describe.
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "git/repository.h"
#include "gitops/application.h"

namespace slipway::gitops {

// Where repositories are found; engine maps the embedded host's addresses to folders and mirrors the rest.
class Repositories {
 public:
  virtual ~Repositories() = default;
  // Errors: not_found, denied, unavailable.
  virtual Result<git::Repository> open(const Ctx& ctx, const std::string& url) = 0;
};

struct Rendered {
  std::vector<std::string> revisions;  // a commit a source
  std::vector<doc::Value> objects;
  std::string revision() const { return revisions.empty() ? "" : revisions.front(); }
};

// Renders from the bare repository, without a checkout. What was rendered is remembered by the tree it read from, so
// a commit that does not change the tree costs nothing. Threads: any.
class Renderer {
 public:
  explicit Renderer(Repositories& repositories) : repositories_(repositories) {}
  // Errors: invalid (file:line:col), not_found (repository, revision, path), unavailable.
  Result<std::shared_ptr<const Rendered>> render(const Ctx& ctx, const Application& app);

 private:
  struct Cached {
    std::string fingerprint;
    std::shared_ptr<const Rendered> rendered;
  };
  Repositories& repositories_;
  Guarded<std::map<std::string, Cached>> cache_;  // by application
};

}  // namespace slipway::gitops
