#pragma once
// One container of a pod over its lives, and what is remembered of it on disk.
#include "box/box.h"
#include "cluster/node/images.h"
#include "cluster/node/probe.h"

namespace slipway::cluster {

struct Ended {
  int code = 0;
  std::string reason, message, id;
  WallTime started, finished;
};

// Threads: one (the pod's).
struct Unit {
  std::string name;
  Role role = Role::main;
  enum class State { waiting, running, ended } state = State::waiting;
  std::string reason = "ContainerCreating", message;  // while waiting
  std::shared_ptr<box::Container> box;                // while running
  std::string id, image, image_id, stop_signal;
  int attempt = 0;     // of the current life; restarts so far
  bool lived = false;  // has been started at all
  WallTime started{};
  std::optional<Ended> ended, last;
  // Image.
  std::shared_ptr<const ReadyImage> ready_image;
  bool pulling = false;
  Millis pull_backoff{0};
  // Restarts.
  Millis backoff{0};
  Clock::time_point retry_at{};
  // Health.
  std::optional<ProbeSchedule> probes[3];
  bool started_ok = false, ready = false, hook_running = false;
  // An end under way: TERM was sent (or preStop runs), KILL follows.
  std::optional<Clock::time_point> kill_at;
  bool term_sent = false;
};

// <folder>/record: enough to take the container over after a restart of ours.
Result<> save_unit(const fs::path& folder, const Unit& unit);
// Fills what was saved; false: nothing there.
bool load_unit(const fs::path& folder, Unit& unit);

// The termination message: the file, or by policy the end of the log.
std::string termination_message(const fs::path& file, const fs::path& log, bool from_log);

struct StatusInput {
  const kube::Object& pod;
  const std::vector<Unit>& units;
  PodFacts facts;
  bool sandbox = false, ending = false;
  std::string reason, message;  // of the whole pod: DeadlineExceeded ...
  bool failed = false;          // whatever the containers say
  WallTime now;
};
// The whole .status; conditions of others are kept.
doc::Value pod_status(const StatusInput& input);
std::string pod_phase(const StatusInput& input);
bool restarts(const kube::Object& pod, const Unit& unit);  // after the end it has come to

}  // namespace slipway::cluster
