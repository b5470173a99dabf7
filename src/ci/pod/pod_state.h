#pragma once
// What a Pod's status means for the job in it. Private to ci.
#include <string>
#include <vector>

#include "kube/object.h"

namespace slipway::ci {

struct PodLook {
  enum class What : std::uint8_t { unscheduled, starting, running, ended, leaving } what = What::unscheduled;
  std::string why;                     // why it waits, or how it ended: "" when there is nothing to say
  bool stuck = false;                  // it waits for what the node tries again: an image, a container
  bool hopeless = false;               // it will not start, however long one waits
  bool user_fault = false;             // ended by what the job did (memory), not by the cluster
  std::vector<std::string> not_ready;  // services that run and do not say they are well
  std::vector<std::string> dead;       // services that have ended: "redis (exit code 1)"
};
PodLook look_at(const kube::Object& pod);

}  // namespace slipway::ci
