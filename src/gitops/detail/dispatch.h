#pragma once
// Who is looked at and when: events of watches and repositories in, one look at a time out. The controller's threads
// and the simulation's dice call the same functions. All of it may be lost at any time: a new one starts from the
// watches' first events.
//
// Applications wait in lanes, one a cluster, "" for our own: who is slow or away has his own queue, his own workers and
// holds up nobody else. An Application whose destination names no cluster is in our own lane: all there is to do is to
// say so.
#include <atomic>
#include <functional>

#include "base/keyed_queue.h"
#include "gitops/controller.h"
#include "gitops/orphans.h"
#include "gitops/sync.h"

namespace slipway::gitops::detail {

using Lane = std::string;  // a server's address

inline const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

// Threads: any.
class Dispatch {
 public:
  Dispatch(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options,
           const Clock& clock);

  // Told of a lane that has Applications to look at, and (needed: no) of one that has none and whose cluster is
  // described otherwise than before. Set before events come.
  std::function<void(const Lane&, bool needed)> serve;

  void application_event(const kube::Event& event);
  // An event of a managed object wakes the Application that its tracking id names, unless a look has seen that version.
  void object_event(const kube::Event& event, const Lane& lane = {});
  void missed_events();                  // of any kind
  void missed_events(const Lane& lane);  // of objects of one cluster
  // Of the ConfigMap that customizations are in.
  void settings_event(const kube::Event& event);
  void settings_missed();
  // Of kinds that are followed for AppProject.spec.orphanedResources alone.
  void orphan_event(const kube::Event& event);
  void orphans_restart(const kube::Type& type);
  // Told once, when the first project asks for them. Before any look.
  void when_orphans_are_wanted(std::function<void()> call) { orphans_wanted_ = std::move(call); }
  void repository_changed(const std::string& url);
  // The Secrets that describe clusters: all there are, and one that is made, changed or gone.
  void clusters_listed(const std::vector<kube::Object>& secrets);
  void cluster_event(const kube::Event& event);
  // A Secret that signs in to repositories: those that it may be about are asked anew.
  void login_event(const kube::Event& event);
  // An AppProject says something else than before: its Applications are looked at again.
  void project_event(const kube::Event& event);
  // A Secret with keys for sealed files: what could not be opened may be now.
  void keys_event(const kube::Event& event);
  // The ConfigMap with the keys of signatures: those of projects that demand some are looked at again.
  void signing_keys_event();
  // Asks whether the cluster answers; its Applications are looked at when that is news.
  void check_cluster(const Ctx& ctx, const Destination& place);
  const Clusters& clusters() const { return clusters_; }

  KeyedQueue<kube::Key>& applications(const Lane& lane = {});
  KeyedQueue<std::string>& repositories() { return urls_; }
  // Looks at an Application that the lane's queue gave, and gives it back. What is to be watched goes to `watch`.
  // Follows a type from now on. Whether all is told that happened to it since.
  using Watcher = std::function<bool(const kube::Type&, Clock::time_point since)>;
  void look_at(const Ctx& ctx, const kube::Key& key, const Watcher& watch, const Lane& lane = {});
  // Brings a repository that the queue gave up to date, wakes the Applications whose files it changed.
  void check_repository(const Ctx& ctx, const std::string& plain_url);
  Renderer& renderer() { return renderer_; }

 private:
  // Why an Application is in the queue. Nothing: its time has come.
  struct Wake {
    bool certain = false;                                      // something that no look has seen yet
    std::vector<std::string> versions;                         // of the Application, seen by its watch
    std::vector<std::pair<std::string, std::string>> objects;  // Task::id() and version, seen by theirs
  };
  struct Known {
    Wake wake;
    std::set<std::string> own;  // versions that our last look wrote
    std::string project;
    std::string orphans_of;   // the namespace whose orphaned objects it is told of
    Clock::time_point again;  // when to look though nothing happens
    Target target;
    Lane lane;
    bool busy = false, missed = false;  // somebody looks at it; it came up meanwhile, in another lane
    Millis pause{50};                   // before the next try after an error
  };
  struct Source {
    std::string url;          // as it was written
    std::string unreachable;  // why, "" when it is not
    Millis pause{1000};       // before the next try after an error
  };
  struct State {
    std::map<kube::Key, Known> applications;
    std::map<std::string, Source> sources;                      // by plain_url
    std::map<std::string, std::set<kube::Key>> orphan_readers;  // by namespace
    bool orphans_asked = false;
  };
  // Where it waits, when it is ours; null else.
  KeyedQueue<kube::Key>* wake(const kube::Key& key, const std::function<void(Wake&)>& note, const Lane* only = nullptr);
  void wake_all(const std::function<bool(const kube::Key&, const Known&)>& which);
  Lane lane_of(const Target& target) const;
  bool note_target(const kube::Object& application);  // whether it was not known yet
  void redirect(const Clusters::Changed& changed, bool all);
  bool claim(const kube::Key& key, const Lane& lane);
  void release(const kube::Key& key);
  void forget(const kube::Key& key);
  std::vector<InventoryEntry> orphans_of(const Application& app, bool wanted);
  void read_orphans_no_more(State& state, const kube::Key& key);
  void wake_orphan_readers(const std::string& ns);  // "": all
  void note_sources(const kube::Object& application);
  Result<> refresh(const Ctx& ctx, const std::string& url);
  void refresh_sources(const Ctx& ctx, const kube::Object& application);
  Result<> update_repository(const Ctx& ctx, const std::string& plain_url);
  std::optional<Millis> nothing_new(const kube::Key& key);
  void look_and_plan(const Ctx& ctx, const kube::Key& key, const Watcher& watch, KeyedQueue<kube::Key>& queue);
  Result<std::optional<Millis>> look_once(const Ctx& ctx, const kube::Key& key, const Watcher& watch);
  SyncContext context_for(std::shared_ptr<const Destination> place, std::shared_ptr<const Customizations> customized);
  Result<Looked> look_there(const Ctx& ctx, const kube::Object& application);
  Result<std::shared_ptr<const Customizations>> customizations(const Ctx& ctx);
  Tracking tracking() const;  // by what is read of them
  Result<> write_status(const Ctx& ctx, const kube::Object& application, Looked& looked);
  Millis resync_pause(std::string_view of) const;
  void count();

  std::shared_ptr<kube::Client> client_;
  Repositories& repositories_;
  Renderer renderer_;
  Comparer comparer_;
  HealPacer pacer_;
  Orphans orphans_;
  std::function<void()> orphans_wanted_;
  ControllerOptions options_;
  const Clock& clock_;
  Clusters clusters_;
  KeyedQueue<kube::Key> queue_;                                          // of our own lane
  Guarded<std::map<Lane, std::unique_ptr<KeyedQueue<kube::Key>>>> far_;  // of the others; never taken away
  KeyedQueue<std::string> urls_;  // repositories that moved or are to be polled, by plain_url
  Guarded<State> state_;
  Guarded<std::shared_ptr<const Customizations>> customizations_;  // null: not read yet
  Guarded<std::map<std::string, doc::Value>> projects_;            // spec by name
  std::atomic<std::int64_t> counted_at_ = 0;
};

}  // namespace slipway::gitops::detail
