#include <thread>

#include "base/keyed_queue.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "gitops/detail/follow.h"
#include "gitops/flux.h"
#include "gitops/flux/kustomization.h"
#include "gitops/flux/sources.h"
#include "gitops/front.h"

namespace slipway::gitops {
namespace {

using namespace flux;

Histogram look_seconds("slipway_gitops_flux_look_seconds", "time to look at one object of Flux");

const std::vector<kube::Type>& source_types() {
  static const std::vector<kube::Type> types{git_repository_type, oci_repository_type};
  return types;
}
const std::vector<kube::Type>& unsupported_types() {
  static const std::vector<kube::Type> types{{std::string(source_api), "HelmRepository"},
                                             {std::string(source_api), "HelmChart"},
                                             {std::string(source_api), "Bucket"},
                                             {"helm.toolkit.fluxcd.io/v2", "HelmRelease"},
                                             {"notification.toolkit.fluxcd.io/v1beta3", "Alert"},
                                             {"notification.toolkit.fluxcd.io/v1beta3", "Provider"},
                                             {"notification.toolkit.fluxcd.io/v1", "Receiver"},
                                             {"image.toolkit.fluxcd.io/v1", "ImageRepository"},
                                             {"image.toolkit.fluxcd.io/v1", "ImagePolicy"},
                                             {"image.toolkit.fluxcd.io/v1", "ImageUpdateAutomation"}};
  return types;
}

struct Item {
  kube::Type type;
  kube::Key key;
  auto operator<=>(const Item&) const = default;
};

// Everything of an object that is not status: what a person says.
std::string said(const kube::Object& object) {
  std::string text = fmt::format("{}|{}", object.generation(), object["metadata"]["deletionTimestamp"].text());
  for (const auto& [key, value] : object.annotations()) text += fmt::format("|{}={}", key, value);
  for (const auto& [key, value] : object.labels()) text += fmt::format("|{}:{}", key, value);
  for (const auto& f : object["metadata"]["finalizers"].items()) text += "|" + f.text();
  return text;
}
// What others wait for in it: an expression may name what a person says as well.
std::string offered(const kube::Object& object) {
  auto status = object["status"];
  return fmt::format("{}|{}|{}|{}|{}", said(object), status["artifact"]["revision"].text(),
                     status["lastAppliedRevision"].text(), kube::condition_status(object, "Ready"),
                     status["observedGeneration"].text());
}

}  // namespace

struct FluxController::Rep {
  std::shared_ptr<kube::Client> client;
  Repositories& repositories;
  Renderer renderer;
  Comparer comparer;
  HealPacer pacer;
  ControllerOptions options;
  Remotes remotes;
  KeyedQueue<Item> queue;
  struct Watched {
    std::map<kube::Type, detail::Follower> followers;
    std::map<Item, std::string> said, offered;
    std::map<Item, std::set<kube::Key>> waiting;   // source or Kustomization -> Kustomizations
    std::map<std::string, std::set<Item>> by_url;  // repository -> sources
    std::set<kube::Key> kustomizations;
  };
  Guarded<Watched> watched;
  Ctx ctx;

  Rep(std::shared_ptr<kube::Client> c, Repositories& r, ControllerOptions o)
      : client(std::move(c)),
        repositories(r),
        renderer(r, o.learned),
        options(std::move(o)),
        remotes(options.connect, options.patience) {}

  void take(const kube::Event& event);
  void note(Watched& state, const Item& item, const kube::Object& object);
  void follow(const kube::Type& type, detail::Beginning* beginning = nullptr);
  bool watch_types(const std::vector<kube::Type>& types, Clock::time_point since);
  void work();
  Result<std::optional<Millis>> look_at(const Item& item);
  Result<std::optional<Millis>> look_at_kustomization(const kube::Object& object);
  Result<> write(const kube::Object& object, const doc::Value& status);
};

void FluxController::Rep::note(Watched& state, const Item& item, const kube::Object& object) {
  if (item.type == git_repository_type) state.by_url[plain_url(object["spec"]["url"].text())].insert(item);
  if (item.type != kustomization_type) return;
  state.kustomizations.insert(item.key);
  auto ref = source_ref_of(object);
  state.waiting[{ref.type, ref.key}].insert(item.key);
  for (const auto& key : dependencies_of(object)) state.waiting[{kustomization_type, key}].insert(item.key);
}

// An object of Flux: looked at when a person changed it; whoever waits for it when what it offers changed.
void FluxController::Rep::take(const kube::Event& event) {
  Item item{event.object.type(), event.object.key()};
  auto state = watched.lock();
  if (event.type == kube::Event::Type::deleted) {
    state->said.erase(item), state->offered.erase(item);
    for (auto& [url, items] : state->by_url) items.erase(item);
    if (item.type == kustomization_type) {
      state->kustomizations.erase(item.key);
      for (auto& [other, keys] : state->waiting) keys.erase(item.key);
      comparer.forget(item.key.str());
      renderer.forget(item.key);
      remotes.forget(item.key);
    }
  } else {
    note(*state, item, event.object);
    auto text = said(event.object);
    if (state->said[item] != text) queue.add(item);
    state->said[item] = std::move(text);
  }
  auto text = event.type == kube::Event::Type::deleted ? "" : offered(event.object);
  auto [before, fresh] = state->offered.try_emplace(item, "");
  if (before->second == text) return;
  before->second = std::move(text);
  if (auto found = state->waiting.find(item); found != state->waiting.end())
    for (const auto& key : found->second) queue.add({kustomization_type, key});
}

// An event of a managed object wakes the Kustomization that its labels name.
void FluxController::Rep::follow(const kube::Type& type, detail::Beginning* beginning) {
  auto of_event = [&](const kube::Event& event) {
    auto name = event.object.label(flux_name_label);
    if (name.empty()) return;
    kube::Key key{event.object.label(flux_namespace_label), name};
    if (watched.lock()->kustomizations.contains(key)) queue.add({kustomization_type, key});
  };
  auto all = [&] {
    auto keys = watched.lock()->kustomizations;
    for (const auto& key : keys) queue.add({kustomization_type, key});
  };
  detail::follow(ctx, *client, type, {}, of_event, all, beginning);
}

// Whether all is told that happened to these types since.
bool FluxController::Rep::watch_types(const std::vector<kube::Type>& types, Clock::time_point since) {
  auto state = watched.lock();
  bool certain = true;
  for (const auto& type : types) {
    auto [one, fresh] = state->followers.try_emplace(type);
    auto beginning = one->second.beginning;
    if (fresh) one->second.thread = std::jthread([this, type, beginning] { follow(type, beginning.get()); });
    certain = beginning->before(since) && certain;
  }
  return certain;
}

Result<> FluxController::Rep::write(const kube::Object& object, const doc::Value& status) {
  const auto* old = object.value().find("status");
  if (old != nullptr && *old == status) return {};
  if (options.turned)
    for (const auto& turn : turns_of(object, doc::View(status))) options.turned(turn);
  doc::List patch{doc::Map{{"op", "add"}, {"path", "/status"}, {"value", status}}};
  auto written = client->patch(ctx, object.type(), object.key(), kube::PatchType::json, std::move(patch),
                               {.field_manager = std::string(status_manager), .subresource = "status"});
  if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
  return {};
}

Result<std::optional<Millis>> FluxController::Rep::look_at_kustomization(const kube::Object& object) {
  bool suspended = object["spec"]["suspend"].bool_or(false);
  if (suspended && !object.deleting()) return std::optional<Millis>();
  auto finalizers = object["metadata"]["finalizers"].items();
  bool marked = std::any_of(finalizers.begin(), finalizers.end(), [](doc::View f) { return f.text() == finalizer; });
  if (!marked && !object.deleting()) {
    // Before anything is applied: deleting it must find what it brought. The write wakes us again.
    auto add = [](doc::Value& value) -> Result<bool> {
      value["metadata"].map()["finalizers"].list().emplace_back(finalizer);
      return true;
    };
    TRY_OK(
        kube::modify(ctx, *client, object.type(), object.key(), {.field_manager = std::string(status_manager)}, add));
    return std::optional<Millis>();
  }
  TRY(auto interval, duration(object["spec"]["interval"], Millis(600000)));
  TRY(auto retry, duration(object["spec"]["retryInterval"], interval));
  bool elsewhere = object["spec"]["kubeConfig"].present();
  // What cannot be done at all is told where people look for it; what was begun meanwhile is not forgotten for it.
  auto refused = [&](const Error& error, std::string type) -> Result<std::optional<Millis>> {
    bool later = error.retryable() && elsewhere;
    if ((error.retryable() && !later) || error.is(Kind::cancelled) || error.is(Kind::conflict)) return Fail(error);
    TRY(auto now, client->get(ctx, object.type(), object.key()));
    if (!now) return std::optional<Millis>();
    auto status = flux_front().status_from(*now);
    status.conditions.push_back({std::move(type), error.what()});
    TRY_OK(write(*now, flux_front().to_doc(status, *now, rfc3339(ctx.clock->wall()))));
    return std::optional(later ? std::min(retry, Millis(30000)) : retry);
  };
  auto target = client_of(ctx, *client, object, options.as_user, remotes);
  // Whoever it acted as may be gone before it, with its namespace: then nothing can be deleted there any more.
  if (!target && object.deleting() && target.error().is(Kind::not_found)) {
    SyncContext home{*client, renderer, comparer, pacer, options.drift, client.get()};
    TRY(auto gone, look_without(ctx, home, object, target.error()));
    return gone.again;
  }
  if (!target) return refused(target.error(), target.error().retryable() ? "SyncError" : "InvalidSpecError");
  SyncContext context{*target ? **target : *client, renderer, comparer, pacer, options.drift, client.get()};
  auto began = ctx.clock->now();
  auto found = look(ctx, context, object);
  if (!found) return refused(found.error(), "SyncError");
  auto& looked = *found;
  // Objects of another cluster are not watched: they are compared at the interval.
  if (!elsewhere && !watch_types(looked.types, began)) interval = std::min(interval, detail::look_again);
  if (!looked.status.is_null()) TRY_OK(write(object, looked.status));
  tell(ctx, *client, object, looked.happened);
  return std::optional(looked.again ? std::min(*looked.again, interval) : interval);
}

Result<std::optional<Millis>> FluxController::Rep::look_at(const Item& item) {
  ScopedTimer timer(look_seconds);
  TRY(auto object, client->get(ctx, item.type, item.key));
  if (!object) return std::optional<Millis>();
  if (item.type == kustomization_type) return look_at_kustomization(*object);
  if (object->deleting() || (*object)["spec"]["suspend"].bool_or(false)) return std::optional<Millis>();
  auto now = rfc3339(ctx.clock->wall());
  if (std::find(source_types().begin(), source_types().end(), item.type) == source_types().end()) {
    TRY_OK(write(*object, unsupported(*object, now)));
    return std::optional<Millis>();
  }
  TRY(auto looked, look_at_source(ctx, *client, repositories, *object));
  TRY_OK(write(*object, looked.status));
  auto revision = doc::View(looked.status)["artifact"]["revision"].text();
  if (!revision.empty() && revision != (*object)["status"]["artifact"]["revision"].text())
    kube::record_event(ctx, *client, *object,
                       {"Normal", "NewArtifact", fmt::format("stored artifact for revision '{}'", revision),
                        std::string(field_manager)});
  return std::optional(looked.again);
}

void FluxController::Rep::work() {
  std::map<Item, Millis> backoff;
  for (;;) {
    auto item = queue.pop(ctx);
    if (!item) return;
    auto again = look_at(*item);
    if (!again) {
      auto& pause = backoff.try_emplace(*item, Millis(50)).first->second;
      if (!again.error().is(Kind::conflict) && !again.error().is(Kind::cancelled))
        LOG(warn, "gitops.look_failed", {"kind", item->type.kind}, {"name", item->key.str()},
            {"error", again.error().what()}, {"again_ms", pause.count()});
      queue.add_after(*item, pause);
      pause = std::min(pause * 2, Millis(30000));
    } else {
      backoff.erase(*item);
      if (*again) queue.add_after(*item, **again);
    }
    queue.done(*item);
  }
}

FluxController::FluxController(std::shared_ptr<kube::Client> client, Repositories& repositories,
                               ControllerOptions options)
    : rep_(std::make_unique<Rep>(std::move(client), repositories, std::move(options))) {}
FluxController::~FluxController() = default;

Renderer& FluxController::renderer() { return rep_->renderer; }

void FluxController::repository_changed(const std::string& url) {
  std::set<Item> items;
  {
    auto state = rep_->watched.lock();
    if (auto found = state->by_url.find(plain_url(url)); found != state->by_url.end()) items = found->second;
  }
  for (const auto& item : items) rep_->queue.add(item);
}

Result<> FluxController::run(const Ctx& ctx) {
  rep_->ctx = ctx;
  std::vector<std::jthread> threads;
  auto follow = [&](const kube::Type& type) {
    threads.emplace_back([this, type] {
      detail::follow(
          rep_->ctx, *rep_->client, type, {}, [this](const kube::Event& event) { rep_->take(event); }, [] {});
    });
  };
  follow(kustomization_type);
  for (const auto& type : source_types()) follow(type);
  for (const auto& type : unsupported_types()) follow(type);
  for (std::size_t i = 0; i < rep_->options.workers; ++i) threads.emplace_back([this] { rep_->work(); });
  threads.clear();  // each ends with the context
  decltype(Rep::Watched::followers) followers;
  followers.swap(rep_->watched.lock()->followers);
  followers.clear();
  return ctx.alive();
}

}  // namespace slipway::gitops
