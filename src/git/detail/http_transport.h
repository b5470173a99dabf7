#pragma once
// git's smart protocol for libgit2 over net::Client: deadlines and cancelling as everywhere, proxies, HTTP/2.
#include <git2.h>
#include <git2/sys/transport.h>

#include "base/ctx.h"
#include "net/client.h"

namespace slipway::git {

// What one connection to a remote shares with libgit2's callbacks. Must outlive the remote.
struct HttpSession {
  const Ctx* ctx = nullptr;
  std::string base;           // after a redirect: where the repository is now
  std::string authorization;  // header value, "" for none
  net::Client* client = nullptr;
  std::optional<Error> error;  // the true reason, which libgit2 cannot carry
};
// For git_remote_callbacks.transport with a HttpSession as payload.
int make_http_transport(git_transport** out, git_remote* owner, void* session);

}  // namespace slipway::git
