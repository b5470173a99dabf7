#pragma once
// Fetches and clones: git's own upload-pack as a child, both ways streamed.
#include "git/repository.h"
#include "net/server.h"

namespace slipway::git {

struct UploadRequest {
  fs::path repository;
  std::string protocol;  // of the Git-Protocol header
  bool advertise = false;
};
// `body` is what the client asks (already unpacked; not used to advertise).
Result<net::StreamBody> upload_pack(const UploadRequest& request, std::string_view body);
// "version=2" and the like, or "" when it is not.
std::string safe_protocol(std::string_view header);

}  // namespace slipway::git
