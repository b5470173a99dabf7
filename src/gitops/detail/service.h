#pragma once
// The threads that serve one lane: some that look at its Applications, one a watched type, and for a cluster elsewhere
// one that asks whether it is there.
#include <thread>

#include "gitops/detail/dispatch.h"
#include "gitops/detail/follow.h"

namespace slipway::gitops::detail {

// Threads: any.
class Service {
 public:
  // `place` null: our own cluster, reached by `own`.
  Service(const Ctx& ctx, Dispatch& dispatch, std::shared_ptr<kube::Client> own,
          std::shared_ptr<const Destination> place, std::size_t workers);
  ~Service();  // stops all of them
  const std::shared_ptr<const Destination>& place() const { return place_; }

 private:
  using Followers = std::map<std::pair<kube::Type, std::string>, Follower>;  // type, namespace
  bool watch(const kube::Type& type, Clock::time_point since);
  void look();
  void ask();

  std::stop_source stop_;
  std::stop_callback<std::function<void()>> with_parent_;
  Ctx ctx_;
  Dispatch& dispatch_;
  std::shared_ptr<const Destination> place_;
  std::shared_ptr<kube::Client> client_;
  const Lane lane_;
  Guarded<Followers> followers_;
  std::vector<std::jthread> threads_;
};

}  // namespace slipway::gitops::detail
