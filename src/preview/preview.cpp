#include "preview/preview.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace slipway::preview {
namespace {

const kube::Type namespace_type{"v1", "Namespace"};

// Namespaces and configuration before what mounts them, services before workloads.
int rank(std::string_view kind) {
  constexpr std::string_view first[] = {"ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding", "Service"};
  auto at = std::find(std::begin(first), std::end(first), kind);
  return static_cast<int>(at - std::begin(first));
}

std::string namespace_name(std::string_view name) {
  std::string safe = "preview-";
  for (char c : lower(name)) safe += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
  if (safe.size() > 63) safe.resize(63);
  while (safe.ends_with('-')) safe.pop_back();
  return safe;
}

class ClusterPreviewer final : public path::Previewer {
 public:
  ClusterPreviewer(std::shared_ptr<kube::Client> client, PreviewOptions options) : client_(std::move(client)), options_(std::move(options)) {}

  Result<path::PreviewHandle> create(const Ctx& ctx, const path::PreviewRequest& request, const path::LogSink& log) override;
  Result<> tear_down(const Ctx& ctx, const std::string& ns, const path::LogSink& log) override;

 private:
  Result<> wait_ready(const Ctx& ctx, const std::string& ns, const std::vector<doc::Value>& objects, const path::LogSink& log);
  void explain(const Ctx& ctx, const std::string& ns, const path::LogSink& log);
  Result<std::map<std::string, std::string>> addresses(const Ctx& ctx, const std::string& ns);

  std::shared_ptr<kube::Client> client_;
  PreviewOptions options_;
};

Result<path::PreviewHandle> ClusterPreviewer::create(const Ctx& ctx, const path::PreviewRequest& request, const path::LogSink& log) {
  path::PreviewHandle handle;
  handle.ns = namespace_name(request.name);
  TRY_IN(auto rendered, "preview", options_.render(ctx, request));
  auto objects = preview_objects(std::move(rendered), handle.ns, request.images, [&](const kube::Type& type) {
    auto resource = client_->resource(ctx, type);
    return resource && resource->namespaced;
  });
  if (objects.empty()) return fail(Kind::invalid, "{}: no object that a preview could hold", request.overlay);
  TRY_OK(tear_down(ctx, handle.ns, log));  // one of an earlier try
  auto expires = rfc3339(ctx.clock->wall() + request.lives);
  TRY_OK(client_->create(ctx, kube::make_object(namespace_type, {"", handle.ns}, {{std::string(preview_label), "true"}}, {{std::string(expires_annotation), expires}}), {}));
  std::stable_sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) { return rank(a.str_at({"kind"})) < rank(b.str_at({"kind"})); });
  for (const auto& object : objects)
    TRY_OK_IN(fmt::format("preview {}", handle.ns), client_->apply(ctx, object, {.field_manager = "slipway-preview", .force = true}));
  log(1, fmt::format("namespace {} has {} objects\n", handle.ns, objects.size()));
  if (auto ready = wait_ready(ctx.within(request.ready_within), handle.ns, objects, log); !ready) {
    explain(ctx, handle.ns, log);
    (void)tear_down(Ctx{}.within(Millis(30000)), handle.ns, log);
    return Fail(std::move(ready).error());
  }
  TRY(handle.urls, addresses(ctx, handle.ns));
  return handle;
}

Result<> ClusterPreviewer::wait_ready(const Ctx& ctx, const std::string& ns, const std::vector<doc::Value>& objects, const path::LogSink& log) {
  for (const auto& value : objects) {
    kube::Object object{doc::Value(value)};
    auto ready = kube::await(ctx, *client_, object.type(), {ns, object.name()}, [](const kube::Object& now) { return now && not_ready(now).empty(); });
    if (ready) continue;
    if (!ready.error().is(Kind::timeout)) return Fail(std::move(ready).error());
    auto now = client_->get(ctx.within(Millis(1000)), object.type(), {ns, object.name()});
    (void)log;
    return fail(Kind::invalid, "preview {}: not ready in time: {}", ns, now && *now ? not_ready(**now) : object.describe());
  }
  return {};
}

// Why a pod does not come up, as its status and events tell.
void ClusterPreviewer::explain(const Ctx& ctx, const std::string& ns, const path::LogSink& log) {
  Ctx last;
  last.clock = ctx.clock;
  auto pods = client_->list(last.within(Millis(2000)), {"v1", "Pod"}, {.ns = ns});
  if (!pods) return;
  for (const auto& pod : pods->items) {
    for (const auto& container : pod["status"]["containerStatuses"].items()) {
      auto waiting = container["state"]["waiting"], ended = container["lastState"]["terminated"];
      if (waiting.present())
        log(2, fmt::format("pod {} container {}: {} {}\n", pod.name(), container["name"].text(), waiting["reason"].text(), waiting["message"].text()));
      if (ended.present()) log(2, fmt::format("pod {} container {}: ended with exit code {}\n", pod.name(), container["name"].text(), ended["exitCode"].num_or(0)));
    }
  }
  auto events = client_->list(last.within(Millis(2000)), {"v1", "Event"}, {.ns = ns});
  if (!events) return;
  for (const auto& event : events->items)
    if (event["type"].text() == "Warning") log(2, fmt::format("{}: {}\n", event["involvedObject"]["name"].text(), event["message"].text()));
}

Result<std::map<std::string, std::string>> ClusterPreviewer::addresses(const Ctx& ctx, const std::string& ns) {
  std::map<std::string, std::string> urls;
  TRY(auto services, client_->list(ctx, {"v1", "Service"}, {.ns = ns}));
  for (const auto& service : services.items) {
    auto ip = service["spec"]["clusterIP"].text();
    auto ports = service["spec"]["ports"].items();
    if (ip.empty() || ip == "None" || ports.empty()) continue;
    auto port = ports[0]["port"].num_or(80);
    urls[service.name()] = port == 80 ? fmt::format("http://{}", ip) : fmt::format("http://{}:{}", ip, port);
  }
  return urls;
}

Result<> ClusterPreviewer::tear_down(const Ctx& ctx, const std::string& ns, const path::LogSink& log) {
  TRY(auto there, client_->get(ctx, namespace_type, {"", ns}));
  if (!there) return {};
  if (there->label(preview_label) != "true") return fail(Kind::denied, "namespace {} is not a preview, it stays", ns);
  auto removed = client_->remove(ctx, namespace_type, {"", ns}, {});
  if (!removed && !removed.error().is(Kind::not_found)) return removed;
  TRY_OK(kube::await(ctx, *client_, namespace_type, {"", ns}, [](const kube::Object& now) { return !now; }));
  log(1, fmt::format("namespace {} is gone\n", ns));
  return {};
}

}  // namespace

std::unique_ptr<path::Previewer> make_previewer(std::shared_ptr<kube::Client> client, PreviewOptions options) {
  return std::make_unique<ClusterPreviewer>(std::move(client), std::move(options));
}

Result<std::vector<std::string>> sweep(const Ctx& ctx, kube::Client& client, Sweep which) {
  TRY(auto namespaces, client.list(ctx, namespace_type, {.label_selector = fmt::format("{}=true", preview_label)}));
  std::vector<std::string> gone;
  for (const auto& ns : namespaces.items) {
    auto expires = parse_rfc3339(ns.annotation(expires_annotation));
    bool over = which == Sweep::all || (expires && *expires < ctx.clock->wall());
    if (!over || ns.deleting()) continue;
    auto removed = client.remove(ctx, namespace_type, {"", ns.name()}, {});
    if (!removed && !removed.error().is(Kind::not_found)) return Fail(std::move(removed).error());
    LOG(info, "preview.swept", {"namespace", ns.name()});
    gone.push_back(ns.name());
  }
  return gone;
}

}  // namespace slipway::preview
