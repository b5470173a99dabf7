#pragma once
// From an Application's sources to the objects they describe.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "git/repository.h"
#include "gitops/application.h"

namespace slipway::gitops {

struct ArtifactRequest {
  std::string url;            // oci://host/name
  std::string tag, digest;    // the digest wins; neither: latest
  std::string media_type;     // of the layer; "": the first
  bool copy = false;          // the layer is a file of its own, not an archive
  std::string docker_config;  // a dockerconfigjson to sign in with; "": the house's own
  bool insecure = false;      // plain HTTP
};
struct Artifact {
  std::string repository, revision, digest;  // revision: latest@sha256:...
  git::Oid commit;
};

// Where repositories are found; engine maps the embedded host's addresses to folders and mirrors the rest.
class Repositories {
 public:
  virtual ~Repositories() = default;
  // Errors: not_found, denied, unavailable.
  virtual Result<git::Repository> open(const Ctx& ctx, const std::string& url) = 0;
  // The repository with this commit in it: nobody is asked when it is here already.
  virtual Result<git::Repository> at(const Ctx& ctx, const std::string& url, const git::Oid& commit);
  // An OCI artifact (Flux's OCIRepository) as a commit that at() knows under its `repository`.
  virtual Result<Artifact> artifact(const Ctx& ctx, const ArtifactRequest& request);
};

struct Rendered {
  std::vector<std::string> revisions;  // a commit a source
  std::vector<std::string> types;      // Kustomize, Directory: one a source
  // The same list as before when a new commit changed nothing that was read.
  std::shared_ptr<const std::vector<doc::Value>> objects;
};

// Renders from the bare repository, without a checkout. What was rendered is remembered with the ids of the files and
// folders it read, found or not: a commit that changes none of them costs nothing, whatever else it changes. Threads:
// any.
class Renderer {
 public:
  // `learned` is told what sealed files say, for a redaction set.
  explicit Renderer(Repositories& repositories, std::function<void(std::string_view)> learned = {})
      : repositories_(repositories), learned_(std::move(learned)) {}
  // Errors: invalid (file:line:col), not_found (repository, revision, path), unavailable.
  Result<std::shared_ptr<const Rendered>> render(const Ctx& ctx, const Application& app);
  // The next render reads everything anew.
  void forget(const kube::Key& application);

 private:
  struct Read {
    std::string tree;                        // of the commit
    std::map<std::string, std::string> ids;  // path -> id, "" for nothing there
    bool complete = false;                   // every read is known by its id
  };
  struct Cached {
    std::string spec;
    std::vector<Read> reads;  // a source
    std::shared_ptr<const Rendered> rendered;
  };
  static Result<bool> holds(const Read& read, const git::Repository& repository, const git::Oid& commit,
                            const git::Oid& tree);
  Repositories& repositories_;
  std::function<void(std::string_view)> learned_;
  Guarded<std::map<kube::Key, Cached>> cache_;  // by application
};

}  // namespace slipway::gitops
