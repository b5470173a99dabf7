#pragma once
// The inside of JobPods. Private to ci.
#include <set>
#include <thread>

#include "ci/pod/desk.h"
#include "ci/pod/pod_spec.h"
#include "ci/pod/pods.h"

namespace slipway::ci {

struct JobPods::Rep {
  JobPodsOptions options;
  std::stop_token house_stops;

  struct Guest {  // who a token is of
    std::shared_ptr<PodJob> job;
    std::string ns;
    bool word = false;  // good for a greeting alone
  };
  Guarded<std::map<std::string, Guest>> guests;                            // by sha256 of the token
  Guarded<std::map<std::string, std::shared_ptr<PodJob>>> jobs;            // by the Pod's name
  Guarded<std::map<std::string, kube::Key>> to_go;                         // "run\nkey": told how they came out
  Guarded<std::map<std::string, std::unique_ptr<std::jthread>>> watchers;  // by namespace

  // Who is expected under a Pod's name: digests of the word, and of the token it was changed for.
  struct Expected {
    std::string word, session;
  };
  std::optional<Expected> expected(const std::string& name) const;
  Result<> expect(const std::string& name, const Expected& who) const;
  void forget(const std::string& name) const;

  std::string selector() const { return fmt::format("{}={}", label_house, options.house); }
  Result<> make_namespace(const Ctx& ctx, const std::string& ns) const;
  Result<> sweep(const Ctx& ctx, const std::string& ns);
  void watch(const std::string& ns);
  void follow(const Ctx& ctx, const std::string& ns);
  void see(const kube::Object& pod, bool gone);

  // run.cpp
  struct Begun {
    std::shared_ptr<PodJob> job;
    bool adopted = false;
  };
  Result<Begun> begin(const Ctx& ctx, const Work& work);
  Result<> create(const Ctx& ctx, const PodWish& wish, const std::string& word);
  Result<> clear(const Ctx& ctx, const PodWish& wish);
  Result<bool> goes_on(const Ctx& ctx, const PodWish& wish);
  Result<JobResult> await(const Ctx& ctx, const Work& work, const Begun& begun, const PodSettings& settings);
  void remove(const kube::Key& key, std::int64_t grace) const;
  void leave(const std::shared_ptr<PodJob>& job);

  // desk.cpp
  net::Response answer(const Ctx& ctx, net::Request& request);
  Result<net::Response> greet(const Ctx& ctx, Visit& visit, const Guest& guest);
  std::optional<Guest> who(const net::Request& request) const;
};

inline const kube::Type pod_type{"v1", "Pod"}, secret_type{"v1", "Secret"};

}  // namespace slipway::ci
