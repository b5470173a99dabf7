#include "gitops/remote.h"

#include "gitops/sign_in.h"
#include "kube/http_client.h"

namespace slipway::gitops {

Connect connect_by_http(std::set<std::string> programs) {
  return [programs = std::move(programs)](const kube::Kubeconfig& config) -> Result<Connection> {
    TRY(auto sign_in, sign_in_of(config, programs));
    TRY(std::shared_ptr<kube::Client> client, kube::connect(config, std::move(sign_in)));
    return Connection{client, [client](const Ctx& ctx) { return kube::reach(ctx, *client); }};
  };
}

// A watch that ends is a doubt as well: often it is the first to know.
class Remote::Watched final : public kube::Watch {
 public:
  Watched(std::weak_ptr<Remote> remote, std::unique_ptr<kube::Watch> behind)
      : remote_(std::move(remote)), behind_(std::move(behind)) {}
  Result<kube::Event> next(const Ctx& ctx) override {
    auto event = behind_->next(ctx);
    if (!event && event.error().retryable() && ctx.alive())
      if (auto remote = remote_.lock()) remote->doubt();
    return event;
  }

 private:
  std::weak_ptr<Remote> remote_;
  std::unique_ptr<kube::Watch> behind_;
};

// Every call through the door of the Remote, which may be gone before its clients are.
class Remote::Guard final : public kube::Client {
 public:
  Guard(std::weak_ptr<Remote> remote, std::shared_ptr<kube::Client> behind, Millis patience)
      : remote_(std::move(remote)), behind_(std::move(behind)), patience_(patience) {}

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->get(inner, type, key); });
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->list(inner, type, options); });
  }
  Result<std::string> for_each(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options,
                               const Visit& visit) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->for_each(inner, type, options, visit); });
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    TRY(auto watch, guarded(ctx, [&](const Ctx& inner) { return behind_->watch(inner, type, options); }));
    return std::make_unique<Watched>(remote_, std::move(watch));
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->create(inner, std::move(object), options); });
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->update(inner, std::move(object), options); });
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->patch(inner, type, key, kind, patch, options); });
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->apply(inner, std::move(object), options); });
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->remove(inner, type, key, options); });
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->resource(inner, type); });
  }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override {
    return guarded(ctx, [&](const Ctx& inner) { return behind_->resources(inner); });
  }

 private:
  template <class Call>
  auto guarded(const Ctx& ctx, const Call& call) -> decltype(call(ctx)) {
    auto remote = remote_.lock();
    if (remote) TRY_OK(remote->admit());
    auto answer = call(ctx.within(patience_));
    if (answer || !answer.error().retryable()) return answer;
    TRY_OK(ctx.alive());  // whose time was up
    if (remote) remote->doubt();
    return answer;
  }
  std::weak_ptr<Remote> remote_;
  std::shared_ptr<kube::Client> behind_;
  Millis patience_;
};

Result<std::shared_ptr<Remote>> Remote::open(std::string title, const kube::Kubeconfig& config, Connect connect,
                                             const Clock& clock, Patience patience) {
  std::shared_ptr<Remote> remote(new Remote(std::move(title), config, std::move(connect), clock, patience));
  remote->self_ = remote;
  TRY(auto connection, remote->connect_(config));
  remote->reach_ = std::move(connection.reach);
  remote->client_ = std::make_shared<Guard>(remote, std::move(connection.client), patience.call);
  return remote;
}

Result<std::shared_ptr<kube::Client>> Remote::as(const std::string& user) {
  {
    auto state = state_.lock();
    if (auto known = state->users.find(user); known != state->users.end()) return known->second;
  }
  auto config = config_;
  config.impersonate = user;
  TRY(auto connection, connect_(config));
  auto guard = std::make_shared<Guard>(self_, std::move(connection.client), patience_.call);
  return state_.lock()->users.try_emplace(user, std::move(guard)).first->second;
}

bool Remote::check(const Ctx& ctx) {
  {
    auto state = state_.lock();
    if (state->asking) return false;
    state->asking = true;
  }
  auto answered = reach_(ctx.within(patience_.answer));
  auto state = state_.lock();
  state->asking = false;
  if (!ctx.alive()) return false;
  auto why = answered ? "" : answered.error().what();
  bool changed = !state->asked || why.empty() != state->away.empty();
  state->asked = true, state->away = std::move(why), state->last = clock_.now();
  state->pause = answered ? Millis(0) : std::clamp(state->pause * 2, patience_.first, patience_.longest);
  state->next = state->last + (answered ? patience_.well : state->pause);
  return changed;
}

bool Remote::due() const { return state_.lock()->next <= clock_.now(); }

Result<> Remote::await_due(const Ctx& ctx) {
  auto state = state_.lock();
  for (;;) {
    TRY_OK(ctx.alive());
    auto next = state->next;
    if (next <= clock_.now()) return {};
    auto bounded = ctx;
    bounded.deadline = std::min(ctx.deadline, next);
    (void)state.wait(bounded, wake_, [&] { return state->next != next; });
  }
}

std::string Remote::away() const {
  auto state = state_.lock();
  return state->away.empty() ? "" : fmt::format("{} cannot be used now: {}", title_, state->away);
}

Result<> Remote::admit() const {
  if (auto why = away(); !why.empty()) return fail(Kind::unavailable, "{}", why);
  return {};
}

// A call got no answer. Whether the whole cluster is away, or a webhook of it, is check()'s to say; once a second is
// enough.
void Remote::doubt() {
  auto state = state_.lock();
  if (!state->away.empty()) return;
  state->next = std::min(state->next, std::max(clock_.now(), state->last + Millis(1000)));
  wake_.notify_all();
}

}  // namespace slipway::gitops
