#pragma once
// What a kustomization names that is elsewhere: a folder of another repository at a revision, or a file behind a URL.
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"
#include "git/repository.h"
#include "manifest/source.h"

namespace slipway::manifest {

struct RemoteFolder {
  std::string url;       // as git reaches it
  std::string folder;    // in the repository; "" its root
  std::string revision;  // branch, tag or commit; "" what the repository's HEAD names
  Millis timeout{27000};
  bool submodules = true;  // as far as something in them is read
};
// Not a path of this repository.
bool is_remote(std::string_view text);
// A single file, by the end of its path: .yaml, .yml or .json over http or https, without git's own delimiters.
bool is_remote_file(std::string_view text);
// https://host/org/repo//path?ref=v1&timeout=60s, git@host:org/repo.git, github.com/org/repo/path ... Where neither
// "//" nor ".git" says where the repository ends it is the first two segments, as kustomize has it. Errors: invalid.
Result<RemoteFolder> remote_folder(std::string_view text);

// Threads: any.
class Remotes {
 public:
  virtual ~Remotes() = default;
  // A repository that has the revision if anybody has. Errors: denied (not a host that may be asked), unavailable.
  virtual Result<git::Repository> repository(const Ctx& ctx, const RemoteFolder& folder) = 0;
  virtual Result<std::string> file(const Ctx& ctx, const std::string& url) = 0;
  // Of that repository, while `ctx` and this live; null: its submodules are empty folders.
  virtual std::unique_ptr<Submodules> submodules(const Ctx&, const RemoteFolder&) { return nullptr; }
};

// Mirrors below a folder, which later builds share: a commit that is there already is not fetched again.
class MirroredRemotes final : public Remotes {
 public:
  using Get = std::function<Result<std::string>(const Ctx&, const std::string& url)>;
  // `hosts` that may be asked, globs; empty: all. Files come by `get`; empty: none do.
  MirroredRemotes(fs::path folder, std::vector<std::string> hosts, Get get = {})
      : folder_(std::move(folder)), hosts_(std::move(hosts)), get_(std::move(get)) {}
  Result<git::Repository> repository(const Ctx& ctx, const RemoteFolder& folder) override;
  Result<std::string> file(const Ctx& ctx, const std::string& url) override;
  std::unique_ptr<Submodules> submodules(const Ctx& ctx, const RemoteFolder& folder) override;

 private:
  Result<> permit(std::string_view url) const;
  fs::path folder_;
  std::vector<std::string> hosts_;
  Get get_;
  std::mutex one_;  // fetches at a time
};

bool is_commit_id(std::string_view revision);  // 40 hex digits
// "example.org" of https://ada@example.org:8443/x and git@example.org:x; "" for a folder.
std::string host_of(std::string_view url);

}  // namespace slipway::manifest
