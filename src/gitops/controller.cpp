// The threads of the GitOps controller: one a watched type, one for repositories, some that look.
#include "gitops/controller.h"

#include <thread>

#include "base/hash.h"
#include "base/log.h"
#include "gitops/detail/dispatch.h"

namespace slipway::gitops {

struct Controller::Rep {
  std::shared_ptr<kube::Client> client;
  ControllerOptions options;
  detail::Dispatch dispatch;
  Guarded<std::map<kube::Type, std::jthread>> followers, orphan_followers;
  std::jthread explorer;  // runs once orphans are wanted
  Ctx ctx;

  Rep(std::shared_ptr<kube::Client> c, Repositories& repositories, ControllerOptions o)
      : client(std::move(c)), options(o), dispatch(client, repositories, std::move(o), real_clock()) {
    dispatch.when_orphans_are_wanted([this] { explorer = std::jthread([this] { follow_everything(); }); });
  }

  void follow_type(const kube::Type& type, const kube::WatchOptions& which,
                   const std::function<void(const kube::Event&)>& tell, const std::function<void()>& missed);
  void follow_orphans(const std::vector<kube::Type>& types);
  void follow_everything();
  void watch(const kube::Type& type);
  void look();
  void follow_repositories();
};

// Watches one type for ever: from the start, again after a loss with jittered back-off. A version that is too old means
// that events were missed.
void Controller::Rep::follow_type(const kube::Type& type, const kube::WatchOptions& which,
                                  const std::function<void(const kube::Event&)>& tell,
                                  const std::function<void()>& missed) {
  Millis pause{50};
  std::string version;
  auto lost = [&](const Error& error) {
    if (!error.is(Kind::conflict) || version.empty()) return;
    version.clear();
    missed();
  };
  while (ctx.alive()) {
    auto from = which;
    from.resource_version = version;
    auto watch = client->watch(ctx, type, from);
    if (!watch) lost(watch.error());
    while (watch && ctx.alive()) {
      auto event = (*watch)->next(ctx);
      if (!event) {
        lost(event.error());
        break;
      }
      pause = Millis(50);
      version = event->object.resource_version();
      if (event->type != kube::Event::Type::bookmark) tell(*event);
    }
    auto jitter = static_cast<unsigned char>(random_bytes(1)[0]);
    if (!sleep(ctx, pause + Millis(jitter % 50))) return;
    pause = std::min(pause * 2, Millis(10000));
  }
}

void Controller::Rep::watch(const kube::Type& type) {
  auto running = followers.lock();
  if (running->contains(type)) return;
  running->emplace(type, std::jthread([this, type] {
                     follow_type(
                         type, {}, [this](const kube::Event& event) { dispatch.object_event(event); },
                         [this] { dispatch.missed_events(); });
                   }));
}

void Controller::Rep::follow_orphans(const std::vector<kube::Type>& types) {
  auto running = orphan_followers.lock();
  for (const auto& type : types) {
    if (running->contains(type)) continue;
    running->emplace(type, std::jthread([this, type] {
                       follow_type(
                           type, {}, [this](const kube::Event& event) { dispatch.orphan_event(event); },
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

void Controller::Rep::look() {
  while (auto key = dispatch.applications().pop(ctx))
    dispatch.look_at(ctx, *key, [this](const kube::Type& type) { watch(type); });
}

void Controller::Rep::follow_repositories() {
  while (auto url = dispatch.repositories().pop(ctx)) dispatch.check_repository(ctx, *url);
}

Controller::Controller(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options)
    : rep_(std::make_unique<Rep>(std::move(client), repositories, std::move(options))) {}
Controller::~Controller() = default;

Renderer& Controller::renderer() { return rep_->dispatch.renderer(); }

void Controller::repository_changed(const std::string& url) { rep_->dispatch.repository_changed(url); }

Result<> Controller::run(const Ctx& ctx) {
  rep_->ctx = ctx;
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    rep_->follow_type(
        detail::application_type, {.ns = rep_->options.ns},
        [&](const kube::Event& event) { rep_->dispatch.application_event(event); },
        [&] { rep_->dispatch.missed_events(); });
  });
  threads.emplace_back([&] {
    rep_->follow_type(
        settings_type, {.ns = settings_key.ns, .field_selector = fmt::format("metadata.name={}", settings_key.name)},
        [&](const kube::Event& event) { rep_->dispatch.settings_event(event); },
        [&] { rep_->dispatch.settings_missed(); });
  });
  threads.emplace_back([&] { rep_->follow_repositories(); });
  for (std::size_t i = 0; i < rep_->options.workers; ++i) threads.emplace_back([&] { rep_->look(); });
  threads.clear();  // each ends with the context
  rep_->explorer = {};
  for (auto* all : {&rep_->followers, &rep_->orphan_followers}) {
    std::map<kube::Type, std::jthread> ended;
    ended.swap(*all->lock());
  }
  return ctx.alive();
}

}  // namespace slipway::gitops
