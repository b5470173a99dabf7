#pragma once
// Whether what Git says of a service runs, and well: its workloads, and the Application that brings them.
#include "engine/places.h"

namespace slipway::engine {

struct House;

struct Seen {
  enum class State { coming, healthy, failed } state = State::coming;
  std::string why;         // what is waited for, or what failed
  bool at_commit = false;  // of an Application: it has done what Git says
};

// How far everything in the namespace is that carries an image by this digest. A CronJob's last run counts when it
// began `since` then: before, it was of another image. Errors: those of the client.
Result<Seen> look_at_carriers(const Ctx& ctx, House& house, kube::Client& client, const std::string& ns,
                              const std::string& digest, WallTime since);
// How far the Application of the Release's environment is: it has to be Synced and Healthy at the Release's commit, or
// at a later one that says the same image. A sync that failed, and is not tried again, has failed. Healthy when the
// environment names none. Errors: those of the client and the repository.
Result<Seen> look_at_application(const Ctx& ctx, House& house, const Lead& lead, const kube::Object& release);

}  // namespace slipway::engine
