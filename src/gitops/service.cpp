#include "gitops/detail/service.h"

namespace slipway::gitops::detail {

Service::Service(const Ctx& ctx, Dispatch& dispatch, std::shared_ptr<kube::Client> own,
                 std::shared_ptr<const Destination> place, std::size_t workers)
    : with_parent_(ctx.stop, [this] { stop_.request_stop(); }),
      ctx_(ctx.with_stop(stop_.get_token())),
      dispatch_(dispatch),
      place_(std::move(place)),
      client_(place_ ? place_->remote->client() : std::move(own)),
      lane_(place_ ? place_->server : "") {
  if (place_) threads_.emplace_back([this] { ask(); });
  for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { look(); });
}

Service::~Service() {
  stop_.request_stop();
  threads_.clear();  // nobody starts a watch after that
  Followers last;
  last.swap(*followers_.lock());
}

// A cluster that is managed by namespaces may forbid to watch all of them.
bool Service::watch(const kube::Type& type, Clock::time_point since) {
  auto namespaces = place_ && !place_->namespaces.empty() ? place_->namespaces : std::vector<std::string>{""};
  bool certain = true;
  for (const auto& ns : namespaces) {
    auto running = followers_.lock();
    auto [one, fresh] = running->try_emplace({type, ns});
    auto beginning = one->second.beginning;
    if (fresh) {
      one->second.thread = std::jthread([this, type, ns, beginning] {
        follow(
            ctx_, *client_, type, {.ns = ns},
            [this](const kube::Event& event) { dispatch_.object_event(event, lane_); },
            [this] { dispatch_.missed_events(lane_); }, beginning.get());
      });
    }
    certain = beginning->before(since) && certain;
  }
  return certain;
}

void Service::look() {
  auto& queue = dispatch_.applications(lane_);
  while (ctx_.alive()) {
    auto key = queue.pop(ctx_);
    if (!key) return;
    dispatch_.look_at(
        ctx_, *key, [this](const kube::Type& type, Clock::time_point since) { return watch(type, since); }, lane_);
  }
}

void Service::ask() {
  while (place_->remote->await_due(ctx_)) dispatch_.check_cluster(ctx_, *place_);
}

}  // namespace slipway::gitops::detail
