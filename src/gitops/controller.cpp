// The threads of the GitOps controller: one for Applications, one for repositories, one for the Secrets of clusters,
// and the services of the lanes.
#include "gitops/controller.h"

#include "base/hash.h"
#include "base/log.h"
#include "gitops/detail/follow.h"
#include "gitops/detail/projects.h"
#include "gitops/detail/service.h"
#include "gitops/keys.h"
#include "gitops/repository_login.h"
#include "gitops/signatures.h"

namespace slipway::gitops {

struct Controller::Rep {
  std::shared_ptr<kube::Client> client;
  ControllerOptions options;
  detail::Dispatch dispatch;
  Guarded<std::map<detail::Lane, std::shared_ptr<detail::Service>>> services;
  Guarded<std::map<kube::Type, std::jthread>> orphan_followers;
  std::jthread explorer;  // runs once orphans are wanted
  Ctx ctx;

  Rep(std::shared_ptr<kube::Client> c, Repositories& repositories, ControllerOptions o)
      : client(std::move(c)), options(o), dispatch(client, repositories, std::move(o), real_clock()) {
    dispatch.serve = [this](const detail::Lane& lane, bool needed) { serve(lane, needed); };
    dispatch.when_orphans_are_wanted([this] { explorer = std::jthread([this] { follow_everything(); }); });
  }

  void serve(const detail::Lane& lane, bool needed);
  void follow_clusters();
  void follow_orphans(const std::vector<kube::Type>& types);
  void follow_everything();
  void follow_repositories();
};

// A cluster is served as the Secrets describe it now, once somebody needs it; one that they describe no more by nobody.
void Controller::Rep::serve(const detail::Lane& lane, bool needed) {
  std::shared_ptr<detail::Service> former;  // ends after the lock: its threads may be in the middle of a call
  auto running = services.lock();
  if (!needed && !running->contains(lane)) return;
  auto place = dispatch.clusters().remote(lane);
  auto& service = (*running)[lane];
  if (service && service->place() == place) return;
  former = std::move(service);
  if (place && ctx.alive())
    service = std::make_shared<detail::Service>(ctx, dispatch, client, place, options.workers_elsewhere);
  else
    running->erase(lane);
}

// All of them from the start whenever the watch was lost: they are few, and one that went meanwhile tells no event.
void Controller::Rep::follow_clusters() {
  const kube::Type secret{"v1", "Secret"};
  const std::string ns(home_namespace), labels(cluster_secrets);
  Millis pause{50};
  while (ctx.alive()) {
    auto list = client->list(ctx, secret, {.ns = ns, .label_selector = labels});
    if (list) dispatch.clusters_listed(list->items);
    auto watch = list ? client->watch(ctx, secret,
                                      {.ns = ns, .label_selector = labels, .resource_version = list->resource_version})
                      : Result<std::unique_ptr<kube::Watch>>(Fail(list.error()));
    while (watch && ctx.alive()) {
      auto event = (*watch)->next(ctx);
      if (!event) break;
      pause = Millis(50);
      if (event->type != kube::Event::Type::bookmark) dispatch.cluster_event(*event);
    }
    auto jitter = static_cast<unsigned char>(random_bytes(1)[0]);
    if (!sleep(ctx, pause + Millis(jitter % 50))) return;
    pause = std::min(pause * 2, Millis(10000));
  }
}

void Controller::Rep::follow_orphans(const std::vector<kube::Type>& types) {
  auto running = orphan_followers.lock();
  for (const auto& type : types) {
    if (running->contains(type)) continue;
    running->emplace(type, std::jthread([this, type] {
                       detail::follow(
                           ctx, *client, type, {}, [this](const kube::Event& event) { dispatch.orphan_event(event); },
                           [this, type] { dispatch.orphans_restart(type); });
                     }));
  }
}

// Every kind that may lie about: only once a project asks. Kinds may come later.
void Controller::Rep::follow_everything() {
  while (ctx.alive()) {
    auto resources = client->resources(ctx);
    if (!resources) LOG(warn, "gitops.kinds_unknown", {"error", resources.error().what()});
    if (resources) follow_orphans(Orphans::followed(*resources));
    if (!sleep(ctx, resources ? options.resync : Millis(5000))) return;
  }
}

void Controller::Rep::follow_repositories() {
  while (auto url = dispatch.repositories().pop(ctx)) dispatch.check_repository(ctx, *url);
}

Controller::Controller(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options)
    : rep_(std::make_unique<Rep>(std::move(client), repositories, std::move(options))) {}
Controller::~Controller() = default;

Renderer& Controller::renderer() { return rep_->dispatch.renderer(); }

Result<std::shared_ptr<kube::Client>> Controller::elsewhere(const kube::Object& application) const {
  TRY(auto place, rep_->dispatch.clusters().find(Target::of(application["spec"]["destination"])));
  return place->remote ? place->remote->client() : nullptr;
}

void Controller::repository_changed(const std::string& url) { rep_->dispatch.repository_changed(url); }

Result<> Controller::run(const Ctx& ctx) {
  auto& rep = *rep_;
  rep.ctx = ctx;
  {
    detail::Service own(ctx, rep.dispatch, rep.client, nullptr, rep.options.workers);
    detail::DeletedProjects projects(*rep.client);
    std::vector<std::jthread> threads;
    threads.emplace_back([&] {
      detail::follow(
          ctx, *rep.client, detail::project_type, {.ns = std::string(home_namespace)},
          [&](const kube::Event& event) {
            projects.project_event(ctx, event);
            rep.dispatch.project_event(event);
          },
          [] {});
    });
    threads.emplace_back([&] {
      detail::follow(
          ctx, *rep.client, detail::application_type, {.ns = rep.options.ns},
          [&](const kube::Event& event) {
            rep.dispatch.application_event(event);
            if (event.type == kube::Event::Type::deleted) projects.application_gone(ctx);
          },
          [&] { rep.dispatch.missed_events(); });
    });
    threads.emplace_back([&] {
      detail::follow(
          ctx, *rep.client, settings_type,
          {.ns = settings_key.ns, .field_selector = fmt::format("metadata.name={}", settings_key.name)},
          [&](const kube::Event& event) { rep.dispatch.settings_event(event); },
          [&] { rep.dispatch.settings_missed(); });
    });
    threads.emplace_back([&] {
      detail::follow(
          ctx, *rep.client, {"v1", "Secret"},
          {.ns = std::string(home_namespace), .label_selector = std::string(repository_secrets)},
          [&](const kube::Event& event) { rep.dispatch.login_event(event); }, [] {});
    });
    threads.emplace_back([&] {
      detail::follow(
          ctx, *rep.client, {"v1", "Secret"},
          {.ns = rep.options.ns, .label_selector = fmt::format("{}=true", sops_keys_label)},
          [&](const kube::Event& event) { rep.dispatch.keys_event(event); }, [] {});
    });
    threads.emplace_back([&] {
      detail::follow(
          ctx, *rep.client, {"v1", "ConfigMap"},
          {.ns = std::string(home_namespace), .field_selector = fmt::format("metadata.name={}", signing_keys_name)},
          [&](const kube::Event&) { rep.dispatch.signing_keys_event(); }, [] {});
    });
    threads.emplace_back([&] { rep.follow_clusters(); });
    threads.emplace_back([&] { rep.follow_repositories(); });
    threads.clear();  // each ends with the context
  }
  rep.explorer = {};
  std::map<kube::Type, std::jthread> orphans;
  orphans.swap(*rep.orphan_followers.lock());
  orphans.clear();
  std::map<detail::Lane, std::shared_ptr<detail::Service>> last;
  last.swap(*rep.services.lock());
  last.clear();
  return ctx.alive();
}

}  // namespace slipway::gitops
