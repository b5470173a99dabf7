#pragma once
// Temporary namespaces: the change and what it needs, deployed for a run, torn down always.
#include <functional>
#include <memory>
#include <vector>

#include "kube/client.h"
#include "path/services.h"

namespace slipway::preview {

inline constexpr std::string_view preview_label = "slipway.dev/preview";         // "true"
inline constexpr std::string_view kept_label = "slipway.dev/preview-kept";       // "true": outlives its run
inline constexpr std::string_view name_annotation = "slipway.dev/preview-name";  // as it was asked for
inline constexpr std::string_view expires_annotation = "slipway.dev/expires";

struct PreviewOptions {
  // The objects of the request's overlay. Engine renders from a folder or a repository.
  std::function<Result<std::vector<doc::Value>>(const Ctx&, const path::PreviewRequest&)> render;
};
// Cluster-scoped objects and routes of the overlay are left out: a preview touches nothing but its namespace.
std::unique_ptr<path::Previewer> make_previewer(std::shared_ptr<kube::Client> client, PreviewOptions options);

// "preview-<name>". A name that is no label as it stands gets a mark of its own, so that two of them never meet.
std::string namespace_name(std::string_view name);

// Deletes previews whose time is up (a day after they were made, when that cannot be read), and with `orphans` those
// whose run cannot be going any more (at start: what a crash left behind), but for kept ones. Gives their names.
// One that cannot be deleted does not save the others. Errors: the first one met, after all were tried.
enum class Sweep { expired, orphans };
Result<std::vector<std::string>> sweep(const Ctx& ctx, kube::Client& client, Sweep which);

// What of an overlay goes into a preview: namespace set, images replaced, the rest dropped, and nothing left that
// would take an address or a volume from elsewhere. Pure.
std::vector<doc::Value> preview_objects(std::vector<doc::Value> objects, const std::string& ns,
                                        const std::map<std::string, std::string>& images,
                                        const std::function<bool(const kube::Type&)>& namespaced);
// "" when the workload is ready, else what it waits for.
std::string not_ready(const kube::Object& workload);
// Services with ports whose selector fits pods that `objects` make: they must have an endpoint before anybody calls
// them.
std::vector<std::string> answering_services(const std::vector<doc::Value>& objects);

}  // namespace slipway::preview
