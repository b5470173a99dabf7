#pragma once
// kube::Client over HTTP: a real cluster's API server.
#include <memory>

#include "kube/client.h"
#include "kube/kubeconfig.h"

namespace slipway::kube {

// Contacts nothing yet: the first call does. What the server serves is asked once and again when a kind is unknown.
// Signs in by `sign_in`, or else by the kubeconfig's program: what it gives is used until its time is over or the
// server refuses it. Threads: any; each watch has a thread of its own while it is open. Errors: invalid.
Result<std::unique_ptr<Client>> connect(const Kubeconfig& config, SignIn sign_in = {});

// Whether the server behind such a client answers us, by its cheapest question.
Result<> reach(const Ctx& ctx, Client& client);

}  // namespace slipway::kube
