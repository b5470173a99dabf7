#pragma once
// What an operation asks for instead of what the Application says: options, revisions, another source.
#include "gitops/status.h"

namespace slipway::gitops::detail {

// The request that a look answers: what is asked for now, else what runs or is to be tried again; absent when there is
// none.
doc::View request_of(const kube::Object& application, const AppStatus& status);
// Whether it runs, or is to be tried again by its own rule.
bool goes_on(const Operation& op);
// The Application with the source or sources that a person asks for in their place.
kube::Object as_asked(const kube::Object& application, const AppStatus& status);
// Puts the sync options and revisions that are asked for into the Application. Errors: invalid.
Result<> take_request(const kube::Object& application, const AppStatus& status, Application& app);
// Whether a request is a person's for other revisions or another source than the Application's own: what is found then
// says nothing of whether it is in sync.
bool asks_for_other(const kube::Object& application, doc::View request);

}  // namespace slipway::gitops::detail
