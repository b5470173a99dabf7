#include "gitops/controller.h"

#include <thread>

#include "base/hash.h"
#include "base/keyed_queue.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

namespace slipway::gitops {
namespace {

const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};
Histogram look_seconds("slipway_gitops_look_seconds", "time to look at one Application");
Counter heals("slipway_gitops_drifts_total", "managed objects found changed or deleted by hand");

// "http://host/git/shop-config.git" and "…/shop-config" name the same repository.
std::string plain_url(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  return std::string(url);
}

}  // namespace

struct Controller::Rep {
  std::shared_ptr<kube::Client> client;
  Renderer renderer;
  Comparer comparer;
  HealPacer pacer;
  ControllerOptions options;
  KeyedQueue<kube::Key> queue;
  struct Watched {
    std::map<kube::Type, std::jthread> threads;
    std::map<std::string, std::set<kube::Key>> by_url;  // repository -> applications
    std::set<kube::Key> applications;
  };
  Guarded<Watched> watched;
  Ctx ctx;

  Rep(std::shared_ptr<kube::Client> c, Repositories& repositories, ControllerOptions o)
      : client(std::move(c)), renderer(repositories), options(std::move(o)) {}

  void follow_applications();
  void follow(const kube::Type& type);
  void watch_types(const std::vector<kube::Type>& types);
  void note_sources(const kube::Object& application);
  void work();
  Result<std::optional<Millis>> look_at(const kube::Key& key);
  template <class OnEvent, class OnGap>
  void follow_type(const kube::Type& type, const std::string& ns, const OnEvent& on_event, const OnGap& on_gap);
};

// Watches one type for ever: from the start, again after a loss with jittered back-off. A gap: events were missed.
template <class OnEvent, class OnGap>
void Controller::Rep::follow_type(const kube::Type& type, const std::string& ns, const OnEvent& on_event,
                                  const OnGap& on_gap) {
  Millis pause{50};
  std::string version;
  while (ctx.alive()) {
    auto watch = client->watch(ctx, type, {.ns = ns, .resource_version = version});
    while (watch && ctx.alive()) {
      auto event = (*watch)->next(ctx);
      if (!event) {
        if (event.error().is(Kind::conflict)) {
          version.clear();
          on_gap();
        }
        break;
      }
      pause = Millis(50);
      version = event->object.resource_version();
      if (event->type != kube::Event::Type::bookmark) on_event(*event);
    }
    auto jitter = static_cast<unsigned char>(random_bytes(1)[0]);
    if (!sleep(ctx, pause + Millis(jitter % 50))) return;
    pause = std::min(pause * 2, Millis(10000));
  }
}

void Controller::Rep::follow_applications() {
  follow_type(
      application_type, options.ns,
      [&](const kube::Event& event) {
        if (event.type == kube::Event::Type::deleted) {
          comparer.forget(event.object.key().str());
          renderer.forget(event.object.key());
          auto state = watched.lock();
          state->applications.erase(event.object.key());
          for (auto& [url, keys] : state->by_url) keys.erase(event.object.key());
          return;
        }
        note_sources(event.object);
        queue.add(event.object.key());
      },
      [] {});
}

void Controller::Rep::note_sources(const kube::Object& application) {
  auto state = watched.lock();
  state->applications.insert(application.key());
  auto note = [&](doc::View source) {
    auto url = source["repoURL"].text();
    if (!url.empty()) state->by_url[plain_url(url)].insert(application.key());
  };
  note(application["spec"]["source"]);
  for (const auto& source : application["spec"]["sources"].items()) note(source);
}

// An event of a managed object wakes the Application that its tracking id names.
void Controller::Rep::follow(const kube::Type& type) {
  auto of_event = [&](const kube::Event& event) {
    auto name = owner_of(event.object);
    if (name.empty()) return;
    auto key = application_key(name);
    if (watched.lock()->applications.contains(key)) queue.add(key);
  };
  auto all = [&] {
    auto keys = watched.lock()->applications;
    for (const auto& key : keys) queue.add(key);
  };
  follow_type(type, "", of_event, all);
}

void Controller::Rep::watch_types(const std::vector<kube::Type>& types) {
  auto state = watched.lock();
  for (const auto& type : types)
    if (!state->threads.contains(type)) state->threads.emplace(type, std::jthread([this, type] { follow(type); }));
}

Result<std::optional<Millis>> Controller::Rep::look_at(const kube::Key& key) {
  ScopedTimer timer(look_seconds);
  TRY(auto application, client->get(ctx, application_type, key));
  if (!application) return std::optional<Millis>();
  if (application->annotation("argocd.argoproj.io/skip-reconcile") == "true") return std::optional<Millis>();
  SyncContext context{*client, renderer, comparer, pacer, [&](const Drift& drift) {
                        heals.add(1, {{"healed", drift.healed ? "true" : "false"}});
                        if (options.drift) options.drift(drift);
                      }};
  TRY(auto looked, look(ctx, context, *application));
  watch_types(looked.types);
  if (looked.status.is_null()) return looked.again;
  doc::List patch;
  const auto* old = application->value().find("status");
  if (old == nullptr || *old != looked.status)
    patch.emplace_back(doc::Map{{"op", "add"}, {"path", "/status"}, {"value", looked.status}});
  // A taken request is cleared in the same write that records its operation.
  if (!looked.request_taken && application->value().find("operation") != nullptr)
    patch.emplace_back(doc::Map{{"op", "remove"}, {"path", "/operation"}});
  if (!application->annotation("argocd.argoproj.io/refresh").empty())
    patch.emplace_back(doc::Map{{"op", "remove"}, {"path", "/metadata/annotations/argocd.argoproj.io~1refresh"}});
  if (!patch.empty()) {
    auto written = client->patch(ctx, application_type, key, kube::PatchType::json, std::move(patch),
                                 {.field_manager = std::string(status_manager)});
    if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
  }
  return looked.again;
}

void Controller::Rep::work() {
  std::map<kube::Key, Millis> backoff;
  for (;;) {
    auto key = queue.pop(ctx);
    if (!key) return;
    auto again = look_at(*key);
    if (!again) {
      auto& pause = backoff.try_emplace(*key, Millis(50)).first->second;
      if (again.error().is(Kind::conflict))
        LOG(debug, "gitops.look_conflict", {"app", key->str()}, {"error", again.error().what()});
      else if (!again.error().is(Kind::cancelled))
        LOG(warn, "gitops.look_failed", {"app", key->str()}, {"error", again.error().what()},
            {"again_ms", pause.count()});
      queue.add_after(*key, pause);
      pause = std::min(pause * 2, Millis(30000));
    } else {
      backoff.erase(*key);
      auto jitter = Millis(static_cast<unsigned char>(random_bytes(1)[0]) * options.resync.count() / 1024);
      queue.add_after(*key, again->value_or(options.resync + jitter));
    }
    queue.done(*key);
  }
}

Controller::Controller(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options)
    : rep_(std::make_unique<Rep>(std::move(client), repositories, std::move(options))) {}
Controller::~Controller() = default;

Renderer& Controller::renderer() { return rep_->renderer; }

void Controller::repository_changed(const std::string& url) {
  std::set<kube::Key> keys;
  {
    auto state = rep_->watched.lock();
    if (auto found = state->by_url.find(plain_url(url)); found != state->by_url.end()) keys = found->second;
  }
  for (const auto& key : keys) rep_->queue.add(key);
}

Result<> Controller::run(const Ctx& ctx) {
  rep_->ctx = ctx;
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { rep_->follow_applications(); });
  for (std::size_t i = 0; i < rep_->options.workers; ++i) threads.emplace_back([&] { rep_->work(); });
  threads.clear();  // each ends with the context
  std::map<kube::Type, std::jthread> followers;
  followers.swap(rep_->watched.lock()->threads);
  followers.clear();
  return ctx.alive();
}

}  // namespace slipway::gitops
