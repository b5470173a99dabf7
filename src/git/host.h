#pragma once
// The embedded git host: bare repositories below one folder, served over smart HTTP (protocol v0 and v2).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "git/repository.h"
#include "net/server.h"

namespace slipway::git {

struct RefUpdate {
  std::string ref;      // refs/heads/main, refs/tags/v1, refs/for/main
  Oid before, after;    // zero_oid: created or deleted
  bool forced = false;  // after does not contain before
  std::string asked;    // the ref that was named, when another moved: refs/for/main for refs/pull/7/head
};
struct Push {
  std::string repository;  // "shop", without .git
  std::string pusher;      // user name
  std::vector<RefUpdate> updates;
  std::vector<std::string> options;  // git push -o
};

// What the house decides. Both are called on the pushing connection's thread.
struct HostPolicy {
  // Before any ref moves, with the new objects readable in `repository` (quarantined until accepted). A refusal of
  // one update: its message, which git shows to the person ("" accepts). One entry an update.
  std::function<std::vector<std::string>(const Ctx&, const Push&, const Repository&)> check;
  // After the refs moved and are synced. Only the updates that were accepted, with the ref that really moved: a push
  // to refs/for/main comes as refs/pull/7/head. Lines returned are shown to the person as "remote: ...".
  std::function<std::vector<std::string>(const Ctx&, const Push&)> accepted;
  // refs/for/BRANCH: gives the real ref that the commit is stored under (refs/pull/7/head), or an error; the new
  // objects are readable as in `check`. One call at
  // a time for a repository, and the ref is there before the next; it must not move refs itself.
  std::function<Result<std::string>(const Ctx&, const Push&, const RefUpdate&, const Repository&)> review_ref;
  // Basic or Bearer credentials to a user; nothing: refuse with 401. Reading without credentials asks with "".
  std::function<std::optional<std::string>(const Ctx&, const std::string& user, const std::string& secret, bool write)>
      authenticate;
  bool create_on_push = true;
  std::uint64_t max_pack = std::uint64_t{4} << 30;  // bytes of one push
};

// Threads: any.
class Host {
 public:
  static Result<std::unique_ptr<Host>> open(fs::path root, HostPolicy policy);
  ~Host();
  // NAME: up to four segments of letters, digits, ".", "_", "-".
  // GET /git/NAME.git/info/refs, POST /git/NAME.git/git-upload-pack and git-receive-pack; mounted at "/git/".
  net::Handler routes();
  Result<Repository> repository(std::string_view name) const;  // not_found
  Result<Repository> create(std::string_view name);
  Result<std::vector<std::string>> list() const;
  fs::path path_of(std::string_view name) const;
  // `before` empty: whatever it is now. Errors: conflict, not_found.
  // A ref update made by the house itself (merge button, promotion): same checks skipped, same `accepted` call.
  Result<> update(const Ctx& ctx, std::string_view name, const RefUpdate& update, std::string_view who);

 private:
  struct Rep;
  explicit Host(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::git
