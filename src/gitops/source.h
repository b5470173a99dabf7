#pragma once
// From an Application's sources to the objects they describe.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "git/folder_cache.h"
#include "gitops/application.h"

namespace slipway::gitops {

struct ArtifactRequest {
  std::string url;            // oci://host/name
  std::string tag, digest;    // the digest wins; nothing at all: latest
  std::string range;          // of versions among the tags, before `tag`
  std::string filter;         // a regular expression (RE2) that tags of the range match
  std::string media_type;     // of the layer; "": the first
  bool copy = false;          // the layer is a file of its own, not an archive
  std::string docker_config;  // a dockerconfigjson to sign in with; "": the house's own
  bool insecure = false;      // plain HTTP
};
struct Artifact {
  std::string repository, revision, digest;  // revision: latest@sha256:...
  git::Oid commit;
};

// "http://host/git/shop-config.git" and ".../shop-config/" name the same repository.
std::string plain_url(std::string_view url);

// What names a repository that is fetched by this sign-in alone, so that no other reads what only it may: the URL and a
// fragment. Without the fragment again.
std::string url_apart(std::string_view url, const git::Access& access);
std::string_view url_of_apart(std::string_view url);
// The same for a repository that is fetched as a submodule by what signs in to another one.
std::string url_below(std::string_view url, std::string_view above);
// As errors name it: without who signs in.
std::string shown(std::string_view url);

// Nothing: no tag is a version in the range, or it is none.
Result<std::optional<std::string>> newest_tag(const git::Repository& repository, const std::string& range);
// "refs/tags/..." for a range of versions that a tag is in, other revisions as they are.
Result<std::string> plain_revision(const git::Repository& repository, const std::string& revision);
// The commit that a revision names: a ref, a tag, an id, or a range of versions (Argo CD's and Flux's semver), which
// names the newest tag in it. Nothing: unknown.
Result<std::optional<git::Oid>> revision_of(const git::Repository& repository, const std::string& revision);

// Where repositories are found; engine maps the embedded host's addresses to folders and mirrors the rest. What others
// host stands as it was brought here last.
class Repositories {
 public:
  virtual ~Repositories() = default;
  // Brings what others host up to date; nothing to do for what is hosted here. With `access`, the URL is
  // one of url_apart. Errors: as open.
  virtual Result<> refresh(const Ctx&, const std::string& /*url*/, const git::Access* /*access*/ = nullptr) {
    return {};
  }
  // The same for a commit that no branch or tag may have any more, as far as the host serves it by its id.
  virtual Result<> fetch(const Ctx& ctx, const std::string& url, const git::Oid& /*commit*/,
                         const git::Access* access) {
    return refresh(ctx, url, access);
  }
  // What signs in to it. Errors: those of the Secret that says it.
  virtual Result<git::Access> access(const Ctx&, const std::string& /*url*/) { return git::Access(); }
  // Whether Applications of this project may read it. Errors: denied.
  virtual Result<> permit(const Ctx&, const std::string& /*url*/, const std::string& /*project*/) { return {}; }
  // Errors: not_found, denied, unavailable.
  virtual Result<git::Repository> open(const Ctx& ctx, const std::string& url) = 0;
  // The repository with this commit in it: nobody is asked when it is here already.
  virtual Result<git::Repository> at(const Ctx& ctx, const std::string& url, const git::Oid& commit);
  // An OCI artifact (Flux's OCIRepository) as a commit that at() knows under its `repository`.
  virtual Result<Artifact> artifact(const Ctx& ctx, const ArtifactRequest& request);
  // What is hosted here, by name, and the URL that open() knows it by. Errors: invalid (nothing is hosted here).
  virtual Result<std::map<std::string, std::string>> hosted(const Ctx&) {
    return fail(Kind::invalid, "no repositories are hosted here");
  }
  // A single file behind a URL. Errors: not_found, denied, unavailable, invalid (files are not fetched).
  virtual Result<std::string> file(const Ctx&, const std::string& url) {
    return fail(Kind::invalid, "{}: files are not fetched from here: name a folder of a repository", url);
  }
};

// What was rendered, kept as text: the trees of a large fleet's objects would be most of its memory.
class RenderedObjects {
 public:
  explicit RenderedObjects(const doc::List& objects);
  Result<doc::List> list() const;  // made anew
  bool operator==(const RenderedObjects&) const = default;

 private:
  std::string text_;  // JSON, a line each
};

struct Rendered {
  std::vector<std::string> revisions;  // a commit a source
  std::vector<std::string> types;      // Kustomize, Directory: one a source
  // The same as before when a new commit changed nothing that was read.
  std::shared_ptr<const RenderedObjects> objects;
};

// Renders from the bare repository, without a checkout. What was rendered is remembered with the ids of the files and
// folders it read, found or not: a commit that changes none of them costs nothing, whatever else it changes. All that
// was rendered of one branch stands on one base, a commit that all of it holds for: when the branch moves, one
// difference of two trees says whose files it touches. Threads: any.
class Renderer {
 public:
  // `learned` is told what sealed files say, for a redaction set.
  explicit Renderer(Repositories& repositories, std::function<void(std::string_view)> learned = {})
      : repositories_(repositories), learned_(std::move(learned)) {}
  // Whether another repository or a file elsewhere may be read that a kustomization names. Errors: denied.
  using Permit = std::function<Result<>(const std::string& url)>;
  // Errors: invalid (file:line:col), not_found (repository, revision, path), unavailable, corrupt, denied.
  Result<std::shared_ptr<const Rendered>> render(const Ctx& ctx, const Application& app, const Permit& permit = {});
  // The commit that a revision names. Errors: not_found, those of repositories.
  Result<git::Oid> resolve(const Ctx& ctx, const std::string& url, const std::string& revision);
  Repositories& repositories() const { return repositories_; }
  // The next render reads everything anew.
  void forget(const kube::Key& application);
  // The Applications that would be rendered otherwise now than they were, or could not be.
  std::vector<kube::Key> moved(const Ctx& ctx, const std::string& url);
  // The Applications on a repository that read what differs between two of its commits or trees, or may.
  Result<std::vector<kube::Key>> concerned(const git::Repository& repository, const std::string& url,
                                           const git::Oid& from, const git::Oid& to) const;

 private:
  struct Read {
    std::map<std::string, std::string> ids;  // path -> id, "" for nothing there
    bool complete = false;                   // every read is known by its id
    std::set<std::string> submodules;        // URLs
  };
  struct Cached {
    std::string spec;
    std::vector<Read> reads;  // a source
    std::shared_ptr<const Rendered> rendered;
  };
  // A repository and the revision that Applications name of it.
  using BaseKey = std::pair<std::string, std::string>;
  struct Base {
    std::string tree;                                                 // what the readers' renders hold for
    std::map<std::string, std::set<kube::Key>, std::less<>> readers;  // path -> who read it
    std::set<kube::Key> members;                                      // all readers
    std::set<kube::Key> unsure;                                       // must look again when the branch moves
    void add_readers(const std::vector<std::string>& changed, std::set<kube::Key>& found) const;
  };
  struct State {
    std::map<kube::Key, std::shared_ptr<const Cached>> cache;  // by application
    std::map<BaseKey, Base> bases;
    void leave(const kube::Key& application);
    void join(const BaseKey& key, const std::string& tree, const kube::Key& application, const Read& read);
  };
  void advance(const git::Repository& repository, const BaseKey& key, const git::Oid& tree);
  bool stands_on(const BaseKey& key, const git::Oid& tree, const kube::Key& application) const;
  Result<bool> holds(const Read& read, const git::Repository& repository, const git::Oid& commit) const;
  Repositories& repositories_;
  std::function<void(std::string_view)> learned_;
  std::shared_ptr<git::FolderCache> folders_ = std::make_shared<git::FolderCache>();
  Guarded<State> state_;
};

}  // namespace slipway::gitops
