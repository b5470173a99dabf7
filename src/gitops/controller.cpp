// The threads of the GitOps controller: one a watched type, one for repositories, some that look.
#include "gitops/controller.h"

#include <thread>

#include "base/hash.h"
#include "gitops/detail/dispatch.h"

namespace slipway::gitops {

struct Controller::Rep {
  std::shared_ptr<kube::Client> client;
  ControllerOptions options;
  detail::Dispatch dispatch;
  Guarded<std::map<kube::Type, std::jthread>> followers;
  Ctx ctx;

  Rep(std::shared_ptr<kube::Client> c, Repositories& repositories, ControllerOptions o)
      : client(std::move(c)), options(o), dispatch(client, repositories, std::move(o), real_clock()) {}

  void follow_type(const kube::Type& type, const std::string& ns, const std::function<void(const kube::Event&)>& tell);
  void watch(const kube::Type& type);
  void look();
  void follow_repositories();
};

// Watches one type for ever: from the start, again after a loss with jittered back-off. A version that is too old means
// that events were missed.
void Controller::Rep::follow_type(const kube::Type& type, const std::string& ns,
                                  const std::function<void(const kube::Event&)>& tell) {
  Millis pause{50};
  std::string version;
  auto lost = [&](const Error& error) {
    if (!error.is(Kind::conflict) || version.empty()) return;
    version.clear();
    dispatch.missed_events();
  };
  while (ctx.alive()) {
    auto watch = client->watch(ctx, type, {.ns = ns, .resource_version = version});
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
                     follow_type(type, "", [this](const kube::Event& event) { dispatch.object_event(event); });
                   }));
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
    rep_->follow_type(detail::application_type, rep_->options.ns,
                      [&](const kube::Event& event) { rep_->dispatch.application_event(event); });
  });
  threads.emplace_back([&] { rep_->follow_repositories(); });
  for (std::size_t i = 0; i < rep_->options.workers; ++i) threads.emplace_back([&] { rep_->look(); });
  threads.clear();  // each ends with the context
  std::map<kube::Type, std::jthread> followers;
  followers.swap(*rep_->followers.lock());
  followers.clear();
  return ctx.alive();
}

}  // namespace slipway::gitops
