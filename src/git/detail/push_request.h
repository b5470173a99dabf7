#pragma once
// What a client says before its pack. Rule: gitprotocol-pack(5), "Pushing Data To a Server".
#include <vector>

#include "git/detail/pktline.h"
#include "git/repository.h"

namespace slipway::git {

struct PushCommand {
  Oid before, after;
  std::string ref;
};
struct PushRequest {
  std::vector<PushCommand> commands;
  std::vector<std::string> options;
  bool report_status = false, report_status_v2 = false, side_band = false, atomic = false, quiet = false;
  // Deletions alone come without a pack.
  bool has_pack() const;
};
// Empty commands: a client that only asks whether it may (it sends one flush).
// Errors: invalid, naming the line.
Result<PushRequest> read_push_request(PktReader& reader);

}  // namespace slipway::git
