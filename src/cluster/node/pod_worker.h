#pragma once
// Makes one pod run: a thread that reacts to new versions of the object, to ends of containers, to results of probes
// and pulls, and to time.
#include <sys/eventfd.h>

#include <deque>
#include <thread>

#include "base/pool.h"
#include "cluster/node/pod_spec.h"
#include "cluster/node/services.h"
#include "cluster/node/unit.h"

namespace slipway::cluster {

// What all pods of the node share; outlives every worker.
struct NodeShared {
  kube::Client& client;
  const NodeOptions& options;
  Images images;
  ServiceTable services;
  Pool pool{64, "node"};
  PodFacts facts;  // of the node
  std::string dns_server, host_resolv;
  std::set<std::string> survivors;  // container ids found at the start
  NodeShared(kube::Client& c, const NodeOptions& o) : client(c), options(o), images(o), services(o.network) {}

  void event(const kube::Object& about, std::string_view type, std::string_view reason, std::string message);
  Result<std::optional<kube::Object>> find(const Ctx& ctx, const std::string& ns, const kube::Type& type,
                                           const std::string& name);
  Result<std::string> token(const Ctx& ctx, const kube::Object& pod, const std::string& audience, std::int64_t seconds);
  fs::path pod_folder(const std::string& uid) const { return options.root / "pods" / uid; }
  fs::path log_folder(const kube::Object& pod) const {
    return options.root / "logs" / fmt::format("{}_{}_{}", pod.ns(), pod.name(), pod.uid());
  }
};

inline constexpr std::string_view kContainerPrefix = "pod-";

class PodWorker {
 public:
  PodWorker(NodeShared& node, kube::Object pod);
  // Containers go on running.
  ~PodWorker();
  PodWorker(const PodWorker&) = delete;
  PodWorker& operator=(const PodWorker&) = delete;

  void update(kube::Object pod);
  void removed();                      // the object is gone from the API
  void refresh();                      // a ConfigMap or Secret of its namespace changed
  void end();                          // ends the containers; the object stays (slipway down)
  bool over() const { return over_; }  // nothing of it is left on this node
  Result<> wait_over(const Ctx& ctx);

  // For logs, exec, port-forward. Threads: any.
  struct View {
    kube::Object pod;
    std::string ip;
    fs::path netns;
    struct Container {
      std::string name;
      int attempt = 0;
      bool lived = false;
      std::shared_ptr<box::Container> box;  // null unless it runs
      WallTime started{};
    };
    std::vector<Container> containers;
  };
  View view() const;

 private:
  // Calls for the pod's thread. It outlives the worker, so that late results find a closed door and not a ghost.
  struct Inbox {
    std::mutex mutex;
    std::deque<std::move_only_function<void()>> calls;
    bool closed = false;
    Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

    void push(std::move_only_function<void()> call) {
      std::lock_guard lock(mutex);
      if (closed) return;
      calls.push_back(std::move(call));
      (void)::eventfd_write(wake.get(), 1);
    }
  };
  void post(std::move_only_function<void()> call);
  void run(const std::stop_token& stop);
  void sleep_until_something(const std::stop_token& stop);

  // The steps of the loop (pod_worker.cpp).
  void step();
  void step_end();
  void finish_end();
  void retire();
  bool ensure_sandbox();
  void drop_sandbox();
  bool ensure_volumes();
  void publish();
  void write_status();
  Result<> put_status();
  bool only_begun();
  bool silent() const { return asked_to_end_ && !gone_ && !pod_.deleting(); }
  bool past_deadline();

  // One container (pod_units.cpp).
  void restore();
  void drive(Unit& unit);
  void start(Unit& unit);
  void pull(Unit& unit, const doc::View& spec);
  void pulled(Unit& unit, Result<ReadyImage> image, Millis took);
  void launch(Unit& unit, const doc::View& spec);
  void started(Unit& unit, std::shared_ptr<box::Container> box);
  void post_start(Unit& unit, const doc::View& hook);
  void on_exit(Unit& unit);
  void set_ended(Unit& unit, Ended ended);
  void wait_with(Unit& unit, std::string reason, std::string message, Millis again);
  void start_probes(Unit& unit);
  void tick_probes(Unit& unit);
  void probed(Unit& unit, ProbeKind kind, const Result<>& result);
  void stop(Unit& unit, Millis grace, const std::string& why);
  void send_term(Unit& unit);
  void tick_kill(Unit& unit);
  doc::View spec_of(const Unit& unit) const;
  Unit* unit_named(const std::string& name, int attempt);
  Millis grace() const;
  Clock::time_point now() const { return ctx_.clock->now(); }
  void wake_at(Clock::time_point when) { next_ = std::min(next_, when); }
  StatusInput status_input() const;

  NodeShared& node_;
  Ctx ctx_;
  std::shared_ptr<Inbox> inbox_;
  kube::Object pod_;
  std::vector<Unit> units_;
  fs::path folder_;
  PodVolumes volumes_;
  PodFacts facts_;
  fs::path netns_;
  bool sandbox_ = false, volumes_ready_ = false, retired_ = false, gone_ = false, asked_to_end_ = false,
       status_final_ = false;
  std::string reason_, message_;
  bool failed_ = false;
  std::optional<Clock::time_point> ending_, kill_at_;
  Clock::time_point next_{}, sandbox_retry_{}, volumes_retry_{}, born_{};
  Clock::time_point tokens_due_ = Clock::time_point::max();  // projected tokens are made anew
  kube::Object written_;                                     // as the API last confirmed it
  std::atomic<bool> over_ = false;
  mutable std::mutex view_mutex_;
  View view_;
  std::condition_variable_any over_wake_;
  std::jthread thread_;
};

}  // namespace slipway::cluster
