#pragma once
// A client that may do no more than somebody else may.
#include <memory>

#include "kube/client.h"

namespace slipway::gitops {

// Every call is preceded by the question whether `user` may (a SubjectAccessReview, once for each kind of call as long
// as the client lives), asked through `asks`; `acts` then does it. A service account is in its groups. Errors of calls
// beside their own: denied.
std::shared_ptr<kube::Client> restrict_to(std::shared_ptr<kube::Client> asks, std::shared_ptr<kube::Client> acts,
                                          std::string user);

// Reads through one client, which must outlive it, and writes (dry runs too) through another: what somebody may change
// is theirs to answer for, what is there is ours to know.
std::shared_ptr<kube::Client> writes_through(kube::Client& reads, std::shared_ptr<kube::Client> writes);

}  // namespace slipway::gitops
