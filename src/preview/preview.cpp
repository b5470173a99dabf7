#include "preview/preview.h"

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

namespace slipway::preview {
namespace {

const kube::Type namespace_type{"v1", "Namespace"}, endpoints_type{"v1", "Endpoints"};

// Namespaces and configuration before what mounts them, services before workloads.
int rank(std::string_view kind) {
  constexpr std::string_view first[] = {"ServiceAccount", "Secret",      "ConfigMap", "PersistentVolumeClaim",
                                        "Role",           "RoleBinding", "Service"};
  auto at = std::find(std::begin(first), std::end(first), kind);
  return static_cast<int>(at - std::begin(first));
}

constexpr Millis longest_age = std::chrono::hours(24);

class ClusterPreviewer final : public path::Previewer {
 public:
  ClusterPreviewer(std::shared_ptr<kube::Client> client, PreviewOptions options)
      : client_(std::move(client)), options_(std::move(options)) {}

  Result<path::PreviewHandle> create(const Ctx& ctx, const path::PreviewRequest& request,
                                     const path::LogSink& log) override;
  Result<> tear_down(const Ctx& ctx, const std::string& ns, const path::LogSink& log) override;

 private:
  Result<> fill(const Ctx& ctx, const path::PreviewRequest& request, path::PreviewHandle& handle,
                std::vector<doc::Value> objects, const path::LogSink& log);
  Result<> wait_ready(const Ctx& ctx, const std::string& ns, const std::vector<doc::Value>& objects);
  Result<> wait_answering(const Ctx& ctx, const std::string& ns, const std::vector<doc::Value>& objects);
  void explain(const Ctx& ctx, const std::string& ns, const path::LogSink& log);
  Result<std::map<std::string, std::string>> addresses(const Ctx& ctx, const std::string& ns);

  std::shared_ptr<kube::Client> client_;
  PreviewOptions options_;
};

Result<path::PreviewHandle> ClusterPreviewer::create(const Ctx& ctx, const path::PreviewRequest& request,
                                                     const path::LogSink& log) {
  path::PreviewHandle handle;
  handle.ns = namespace_name(request.name);
  TRY_IN(auto rendered, "preview", options_.render(ctx, request));
  Result<> reached;
  auto objects = preview_objects(std::move(rendered), handle.ns, request.images, [&](const kube::Type& type) {
    auto resource = client_->resource(ctx, type);
    if (!resource && !resource.error().is(Kind::not_found)) reached = Fail(std::move(resource).error());
    return resource && resource->namespaced;
  });
  if (!reached) return Fail(std::move(reached).error().in(fmt::format("preview {}", handle.ns)));
  if (objects.empty()) return fail(Kind::invalid, "{}: no object that a preview could hold", request.overlay);
  TRY_OK(tear_down(ctx, handle.ns, log));  // one of an earlier try
  kube::StringMap labels{{std::string(preview_label), "true"}};
  if (request.keep) labels[std::string(kept_label)] = "true";
  kube::StringMap annotations{{std::string(expires_annotation), rfc3339(ctx.clock->wall() + request.lives)},
                              {std::string(name_annotation), request.name}};
  TRY_OK_IN(
      fmt::format("preview {}", handle.ns),
      client_->create(
          ctx, kube::make_object(namespace_type, {"", handle.ns}, std::move(labels), std::move(annotations)), {}));
  auto filled = fill(ctx, request, handle, std::move(objects), log);
  if (filled) return handle;
  // Also when the run was cancelled: what was made goes, on time of its own.
  Ctx last;
  last.clock = ctx.clock;
  if (auto gone = tear_down(last.within(Millis(30000)), handle.ns, log); !gone) {
    LOG(warn, "preview.left", {"namespace", handle.ns}, {"error", gone.error().what()});
    log(2, fmt::format("namespace {} could not be torn down and is swept later: {}\n", handle.ns, gone.error().what()));
  }
  return Fail(std::move(filled).error());
}

Result<> ClusterPreviewer::fill(const Ctx& ctx, const path::PreviewRequest& request, path::PreviewHandle& handle,
                                std::vector<doc::Value> objects, const path::LogSink& log) {
  std::stable_sort(objects.begin(), objects.end(),
                   [](const auto& a, const auto& b) { return rank(a.str_at({"kind"})) < rank(b.str_at({"kind"})); });
  for (const auto& object : objects)
    TRY_OK_IN(fmt::format("preview {}", handle.ns),
              client_->apply(ctx, object, {.field_manager = "slipway-preview", .force = true}));
  log(1, fmt::format("namespace {} has {} objects\n", handle.ns, objects.size()));
  auto limited = ctx.within(request.ready_within);
  auto ready = wait_ready(limited, handle.ns, objects);
  if (ready) ready = wait_answering(limited, handle.ns, objects);
  if (!ready) {
    if (!ready.error().is(Kind::cancelled)) explain(ctx, handle.ns, log);
    return ready;
  }
  TRY(handle.urls, addresses(ctx, handle.ns));
  return {};
}

Result<> ClusterPreviewer::wait_ready(const Ctx& ctx, const std::string& ns, const std::vector<doc::Value>& objects) {
  for (const auto& value : objects) {
    kube::Object object{doc::Value(value)};
    auto ready = kube::await(ctx, *client_, object.type(), {ns, object.name()},
                             [](const kube::Object& now) { return !now || now.deleting() || not_ready(now).empty(); });
    if (ready && *ready && !ready->deleting()) continue;
    if (ready) return fail(Kind::invalid, "preview {}: {} was deleted while it came up", ns, object.describe());
    if (!ready.error().is(Kind::timeout)) return Fail(std::move(ready).error());
    Ctx last;
    last.clock = ctx.clock;
    auto now = client_->get(last.within(Millis(1000)), object.type(), {ns, object.name()});
    return fail(Kind::invalid, "preview {}: not ready in time: {}", ns,
                now && *now ? not_ready(**now) : object.describe());
  }
  return {};
}

// Ready pods are not enough: whoever calls a service the next moment must find them behind it.
Result<> ClusterPreviewer::wait_answering(const Ctx& ctx, const std::string& ns,
                                          const std::vector<doc::Value>& objects) {
  for (const auto& service : answering_services(objects)) {
    auto answers = kube::await(ctx, *client_, endpoints_type, {ns, service}, [&](const kube::Object& now) {
      for (const auto& subset : now["subsets"].items())
        if (!subset["addresses"].items().empty() && !subset["ports"].items().empty()) return true;
      return false;
    });
    if (answers) continue;
    if (!answers.error().is(Kind::timeout)) return Fail(std::move(answers).error());
    return fail(Kind::invalid, "preview {}: not ready in time: no ready pod serves a port of Service {}", ns, service);
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
        log(2, fmt::format("pod {} container {}: {} {}\n", pod.name(), container["name"].text(),
                           waiting["reason"].text(), waiting["message"].text()));
      if (ended.present())
        log(2, fmt::format("pod {} container {}: ended with exit code {}\n", pod.name(), container["name"].text(),
                           ended["exitCode"].num_or(0)));
    }
  }
  auto events = client_->list(last.within(Millis(2000)), {"v1", "Event"}, {.ns = ns});
  if (!events) return;
  for (const auto& event : events->items)
    if (event["type"].text() == "Warning")
      log(2, fmt::format("{}: {}\n", event["involvedObject"]["name"].text(), event["message"].text()));
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
  if (!there->deleting()) {
    auto removed = client_->remove(ctx, namespace_type, {"", ns}, {.uid = there->uid()});
    if (!removed && !removed.error().is(Kind::not_found)) return removed;
  }
  auto gone = kube::await(ctx, *client_, namespace_type, {"", ns},
                          [&](const kube::Object& now) { return !now || now.uid() != there->uid(); });
  if (!gone) return Fail(std::move(gone).error().in(fmt::format("namespace {} is being deleted and not gone yet", ns)));
  log(1, fmt::format("namespace {} is gone\n", ns));
  return {};
}

}  // namespace

std::unique_ptr<path::Previewer> make_previewer(std::shared_ptr<kube::Client> client, PreviewOptions options) {
  return std::make_unique<ClusterPreviewer>(std::move(client), std::move(options));
}

std::string namespace_name(std::string_view name) {
  constexpr std::size_t longest = 63, mark = 9;
  std::string safe = "preview-";
  for (char c : lower(name)) safe += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
  bool plain = safe.substr(8) == name && safe.size() <= longest && !safe.ends_with('-');
  if (plain) return safe;
  safe.resize(std::min(safe.size(), longest - mark));
  while (safe.ends_with('-')) safe.pop_back();
  return fmt::format("{}-{}", safe, sha256_hex(name).substr(0, mark - 1));
}

Result<std::vector<std::string>> sweep(const Ctx& ctx, kube::Client& client, Sweep which) {
  TRY(auto namespaces, client.list(ctx, namespace_type, {.label_selector = fmt::format("{}=true", preview_label)}));
  std::vector<std::string> gone;
  Result<> first;
  auto now = ctx.clock->wall();
  for (const auto& ns : namespaces.items) {
    auto expires = parse_rfc3339(ns.annotation(expires_annotation));
    auto made = parse_rfc3339(ns["metadata"]["creationTimestamp"].text());
    bool expired = expires ? *expires < now : !made || now - *made > longest_age;
    bool orphan = which == Sweep::orphans && ns.label(kept_label) != "true";
    if ((!expired && !orphan) || ns.deleting()) continue;
    auto removed = client.remove(ctx, namespace_type, {"", ns.name()}, {.uid = ns.uid()});
    if (!removed && !removed.error().is(Kind::not_found)) {
      if (first) first = Fail(std::move(removed).error().in(fmt::format("namespace {}", ns.name())));
      continue;
    }
    LOG(info, "preview.swept", {"namespace", ns.name()});
    gone.push_back(ns.name());
  }
  if (!first) return Fail(std::move(first).error());
  return gone;
}

}  // namespace slipway::preview
