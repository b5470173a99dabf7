#pragma once
// GitRepository.spec.verify: whose signature is wanted on what is fetched. Rules, reasons and messages are
// source-controller's (1.7 and later: SSH keys too).
#include "gitops/source.h"
#include "kube/client.h"

namespace slipway::gitops::flux {

struct Verdict {
  std::string mode;  // HEAD, Tag or TagAndHEAD; "": nobody asked
  bool good = true;
  bool stalled = false;  // another commit helps no more than another look
  std::string reason, message;
};
// `tag`: refs/tags/..., when the source follows a tag, else "". Errors: invalid (a field), those of the client, of the
// repository and of GnuPG.
Result<Verdict> verify_source(const Ctx& ctx, kube::Client& home, const kube::Object& source,
                              const git::Repository& repository, const git::Oid& commit, const std::string& tag);

}  // namespace slipway::gitops::flux
