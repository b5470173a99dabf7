#pragma once
// One job that runs in a Pod, as the house knows it: what its agent may have, what it has told, what is said to it.
// Private to ci.
#include <atomic>
#include <condition_variable>
#include <set>
#include <shared_mutex>

#include "ci/pod/wire.h"
#include "ci/runner.h"
#include "kube/object.h"
#include "net/server.h"

namespace slipway::ci {

// What of a job's run is reached through it. Valid until PodJob::close().
struct PodJobSide {
  const RunnerOptions* options = nullptr;
  const Event* event = nullptr;
  Guarded<std::map<std::string, RunArtifact>>* artifacts = nullptr;  // of the run
  std::string description;                                           // JSON
  std::function<void(JobEvent&)> take;                               // in order, one at a time
  // The job's right at the job services: variables, and which values are secret.
  struct Admission {
    std::map<std::string, std::string> env;
    std::vector<std::string> secrets;
  };
  std::function<Result<Admission>()> admit;
  std::function<Result<std::string>(const Ctx&, const std::string& audience)> id_token;
};

// Threads: any.
class PodJob {
 public:
  PodJob(std::string name, PodJobSide side) : name_(std::move(name)), side_(std::move(side)) {}
  const std::string& name() const { return name_; }
  const PodJobSide& side() const { return side_; }

  // Requests in work hold one; none is given after close(), which waits for those there are.
  class Use {
   public:
    explicit Use(std::shared_ptr<PodJob> job) : job_(std::move(job)), held_(job_->door_) {}
    explicit operator bool() const { return !job_->closed_; }
    PodJob* operator->() const { return job_.get(); }
    PodJob& operator*() const { return *job_; }

   private:
    std::shared_ptr<PodJob> job_;
    std::shared_lock<std::shared_mutex> held_;
  };
  void close();
  std::stop_token closing() const { return closing_.get_token(); }

  // What the agent told: lines of events. Those that came before are passed over; a gap is not taken.
  struct Taken {
    std::int64_t want = 1;  // the next one
    bool cancel = false, over = false;
  };
  Result<Taken> take(std::string_view body);
  bool knows_result() const { return state_.lock()->result.has_value(); }

  // For the side that waits.
  struct State {
    kube::Object pod;   // last seen
    bool gone = false;  // deleted
    bool greeted = false, ready = false, cancel = false, over = false;
    std::string waits_for;  // said to the agent until it is ready
    std::optional<JobResult> result;
    std::chrono::steady_clock::time_point heard = std::chrono::steady_clock::now();
    std::int64_t want = 1;
    std::shared_ptr<net::PushStream> orders;
  };
  Guarded<State>& state() { return state_; }
  std::condition_variable_any& changed() { return changed_; }
  void pod_is(const kube::Object& pod, bool gone);
  void heard();
  void cancel();
  void release();  // its result is kept: the agent may go
  void listen(std::shared_ptr<net::PushStream> stream);

  // Blobs it may read: what it put, found in caches, or was given.
  void allow(const Digest& digest);
  bool may_read(const Digest& digest) const;
  void keep(std::shared_ptr<const void> held);  // as long as the job
  // Namespaces of previews that it made: it takes down no others.
  void own_preview(const std::string& ns) { previews_.lock()->insert(ns); }
  bool owns_preview(const std::string& ns) const { return previews_.lock()->contains(ns); }
  // Begun uploads, by number.
  struct Upload {
    store::BlobStore::Writer writer;
    std::mutex mutex;
  };
  Result<std::string> begin_upload(store::BlobStore& blobs);
  std::shared_ptr<Upload> upload(const std::string& id) const;
  void end_upload(const std::string& id);

 private:
  const std::string name_;
  PodJobSide side_;
  std::shared_mutex door_;
  std::atomic<bool> closed_ = false;
  std::stop_source closing_;
  std::mutex taking_;
  Guarded<State> state_;
  std::condition_variable_any changed_;
  Guarded<std::set<Digest>> readable_;
  Guarded<std::set<std::string>> previews_;
  Guarded<std::vector<std::shared_ptr<const void>>> kept_;
  Guarded<std::map<std::string, std::shared_ptr<Upload>>> uploads_;
};

}  // namespace slipway::ci
