#pragma once
// Reaching another repository by URL: libgit2 for folders and http, git itself for ssh (keys, agents and known hosts
// are the person's own setup where nothing else is given).
#include "git/detail/http_transport.h"
#include "git/detail/libgit.h"

namespace slipway::git {

enum class Reach { folder, http, command };
struct RemoteUrl {
  Reach reach = Reach::folder;
  std::string url;            // without credentials
  std::string authorization;  // header value
  fs::path folder;
};
// Errors: invalid for what could run a command (ext::, a leading dash).
Result<RemoteUrl> remote_url(const std::string& url);

// One connection with its callbacks.
class Connection {
 public:
  Connection(const Ctx& ctx, const RemoteUrl& url, const Access& access);
  git_remote_callbacks callbacks();
  // What went wrong, in the best words there are.
  Fail failed(int code) const;
  std::vector<std::pair<std::string, std::string>> rejected;  // ref, reason

 private:
  const Ctx& ctx_;
  std::string name_;
  bool http_;
  HttpSession session_;
  std::optional<net::Client> own_;  // with certificates or a proxy of its own
  friend int connection_transport(git_transport** out, git_remote* owner, void* self);
};

struct PushSpec {
  std::string from, to;  // from "": delete
  bool force = false;
};
Result<PushSpec> parse_push_spec(std::string_view text);
// A refusal as the Kind that says whether trying again with fresh eyes can help.
Error rejection(std::string_view ref, std::string_view reason);

// All refs and HEAD, or one commit alone.
Result<> fetch_by_command(const Ctx& ctx, const std::string& url, const fs::path& bare, const Access& access,
                          const std::string& commit = {});
Result<> push_by_command(const Ctx& ctx, const std::string& url, const fs::path& bare,
                         const std::vector<std::string>& refspecs, const Access& access);
Result<> push_to_folder(const Ctx& ctx, const Repository& from, const fs::path& from_dir, const fs::path& to,
                        const std::vector<std::string>& refspecs);

}  // namespace slipway::git
