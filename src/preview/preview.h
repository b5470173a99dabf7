#pragma once
// Temporary namespaces: the change and what it needs, deployed for a run, torn down always.
#include <functional>
#include <memory>
#include <vector>

#include "kube/client.h"
#include "path/services.h"

namespace slipway::preview {

inline constexpr std::string_view preview_label = "slipway.dev/preview";
inline constexpr std::string_view expires_annotation = "slipway.dev/expires";

struct PreviewOptions {
  // The objects of the request's overlay. Engine renders from a folder or a repository.
  std::function<Result<std::vector<doc::Value>>(const Ctx&, const path::PreviewRequest&)> render;
};
// Cluster-scoped objects and routes of the overlay are left out: a preview touches nothing but its namespace.
std::unique_ptr<path::Previewer> make_previewer(std::shared_ptr<kube::Client> client, PreviewOptions options);

// Deletes previews whose time is up, and with `all` every one (at start: what a crash left behind). Gives their names.
enum class Sweep { expired, all };
Result<std::vector<std::string>> sweep(const Ctx& ctx, kube::Client& client, Sweep which);

// What of an overlay goes into a preview: namespace set, images replaced, the rest dropped. Pure.
std::vector<doc::Value> preview_objects(std::vector<doc::Value> objects, const std::string& ns, const std::map<std::string, std::string>& images,
                                        const std::function<bool(const kube::Type&)>& namespaced);
// "" when the workload is ready, else what it waits for.
std::string not_ready(const kube::Object& workload);

}  // namespace slipway::preview
