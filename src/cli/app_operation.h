#pragma once
// Applications by their names, and what is asked of them: `.operation`, as Argo CD's own clients ask.
#include "cli/command.h"

namespace slipway::cli {

inline const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

// NAME is of the namespace argocd, NAMESPACE/NAME of any. Errors: not_found.
Result<kube::Object> application_named(const Ctx& ctx, kube::Client& client, const std::string& text);
// As application_named takes it.
std::string name_of_application(const kube::Object& app);

// Waits as kube::await does. Errors: timeout, with what the Application says it waits for.
Result<kube::Object> await_application(const Ctx& ctx, kube::Client& client, const kube::Key& key,
                                       const std::function<bool(const kube::Object&)>& done);

// Where syncs are automatic, Argo CD lets nobody go elsewhere.
Error held_by_git(const kube::Object& app, std::string_view wish);

// Asks for a sync and waits for its end, which it tells; 0 when that is Succeeded. Errors: timeout, those of the API.
Result<int> sync_application(const Ctx& ctx, kube::Client& client, const kube::Object& app, doc::Map sync, Io& io);

}  // namespace slipway::cli
