#pragma once
// The deciding half of a push: what came, may it, do it, say so.
#include "git/detail/push_request.h"
#include "git/host.h"

namespace slipway::git {

struct RefStatus {
  std::string refused;   // "" accepted
  std::string real_ref;  // when another ref moved than was named
  Oid before, after;
};
struct Received {
  std::string unpack = "ok";
  std::vector<RefStatus> statuses;  // one a command
  std::vector<std::string> lines;   // for the person
  bool any_accepted() const;
};

// Reads the pack, checks, moves refs. `push` names repository, pusher and options; its updates are filled in here.
Received receive(const Ctx& ctx, const HostPolicy& policy, const Repository& repository, Push push,
                 const PushRequest& request, PktReader& reader);

// The answer's body, as the request's capabilities want it.
std::string print_received(const PushRequest& request, const Received& received);

}  // namespace slipway::git
