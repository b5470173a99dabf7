// What the API is told of a pod: phase, conditions, one entry a container.
#include "base/time.h"
#include "cluster/node/pod_spec.h"
#include "cluster/node/unit.h"

namespace slipway::cluster {
namespace {

doc::Value terminated(const Ended& e) {
  doc::Map map{{"exitCode", e.code}, {"reason", e.reason}};
  if (!e.message.empty()) map.set("message", e.message);
  map.set("startedAt", rfc3339(e.started));
  map.set("finishedAt", rfc3339(e.finished));
  if (!e.id.empty()) map.set("containerID", "slipway://" + e.id);
  return map;
}

doc::Value waiting(const Unit& unit) {
  doc::Map map{{"reason", unit.reason}};
  if (!unit.message.empty()) map.set("message", unit.message);
  return map;
}

doc::Value container_status(const StatusInput& in, const Unit& unit) {
  doc::Map state;
  // Between two lives it waits, and how the last one ended is the last state.
  bool between =
      unit.state == Unit::State::waiting || (unit.state == Unit::State::ended && !in.ending && restarts(in.pod, unit));
  if (unit.state == Unit::State::running)
    state.set("running", doc::Map{{"startedAt", rfc3339(unit.started)}});
  else if (between)
    state.set("waiting", waiting(unit));
  else if (unit.ended)
    state.set("terminated", terminated(*unit.ended));
  doc::Map last;
  const auto& previous = between && unit.ended ? unit.ended : unit.last;
  if (previous) last.set("terminated", terminated(*previous));
  doc::Map map{{"name", unit.name}, {"state", std::move(state)}, {"lastState", std::move(last)}};
  bool init_done = unit.role == Role::init && unit.ended && unit.ended->code == 0 && unit.state == Unit::State::ended;
  map.set("ready", init_done || (unit.state == Unit::State::running && unit.ready && unit.role != Role::init));
  map.set("restartCount", unit.attempt);
  map.set("image", unit.image);
  map.set("imageID", unit.image_id);
  if (!unit.id.empty()) map.set("containerID", "slipway://" + unit.id);
  map.set("started", unit.state == Unit::State::running && unit.started_ok);
  return map;
}

struct Condition {
  std::string type;
  bool status;
  std::string reason, message;
};

// Replaces ours, keeps the rest; the transition time moves only with the status.
void put(doc::List& conditions, const Condition& c, const std::string& now) {
  doc::Map map{{"type", c.type},
               {"status", c.status ? "True" : "False"},
               {"lastProbeTime", nullptr},
               {"lastTransitionTime", now}};
  if (!c.reason.empty()) map.set("reason", c.reason);
  if (!c.message.empty()) map.set("message", c.message);
  for (auto& old : conditions) {
    if (old.str_at({"type"}) != c.type) continue;
    if (old.str_at({"status"}) == (c.status ? "True" : "False"))
      map.set("lastTransitionTime", old.str_at({"lastTransitionTime"}));
    old = std::move(map);
    return;
  }
  conditions.emplace_back(std::move(map));
}

bool init_done(const Unit& unit) {
  if (unit.role == Role::init) return unit.state == Unit::State::ended && unit.ended && unit.ended->code == 0;
  return unit.state == Unit::State::running && unit.started_ok;
}

std::string names_of(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const auto& n : names) text += (text.size() > 1 ? " " : "") + n;
  return text + "]";
}

void put_conditions(doc::List& conditions, const StatusInput& in, const std::string& phase) {
  auto now = rfc3339(in.now);
  std::vector<std::string> unready, uninitialized;
  for (const auto& unit : in.units) {
    if (unit.role == Role::main && !(unit.state == Unit::State::running && unit.ready)) unready.push_back(unit.name);
    if (unit.role != Role::main && !init_done(unit) && phase != "Succeeded") uninitialized.push_back(unit.name);
  }
  bool finished = phase == "Succeeded" || phase == "Failed";
  bool gates = true;
  for (auto gate : in.pod["spec"]["readinessGates"].items())
    if (kube::condition_status(in.pod, gate["conditionType"].str_or("")) != "True") gates = false;
  auto message = fmt::format("containers with unready status: {}", names_of(unready));
  auto reason = phase == "Succeeded" ? "PodCompleted" : phase == "Failed" ? "PodFailed" : "ContainersNotReady";
  bool containers = unready.empty() && !finished && !in.ending;
  put(conditions, {"PodReadyToStartContainers", in.sandbox, "", ""}, now);
  put(conditions,
      {"Initialized", uninitialized.empty(), uninitialized.empty() ? "" : "ContainersNotInitialized",
       uninitialized.empty() ? "" : fmt::format("containers with incomplete status: {}", names_of(uninitialized))},
      now);
  put(conditions, {"ContainersReady", containers, containers ? "" : reason, containers || finished ? "" : message},
      now);
  put(conditions,
      {"Ready", containers && gates,
       containers && gates ? ""
       : containers        ? "ReadinessGatesNotReady"
                           : reason,
       containers || finished ? "" : message},
      now);
  put(conditions, {"PodScheduled", true, "", ""}, now);
}

}  // namespace

bool restarts(const kube::Object& pod, const Unit& unit) {
  if (!unit.ended) return true;
  if (unit.role == Role::sidecar) return true;
  auto policy = pod["spec"]["restartPolicy"].str_or("Always");
  bool failed = unit.ended->code != 0;
  if (unit.role == Role::init) return failed && policy != "Never";
  return policy == "Always" || (policy == "OnFailure" && failed);
}

// Rule: pkg/kubelet/kubelet_pods.go getPhase.
std::string pod_phase(const StatusInput& in) {
  if (in.failed) return "Failed";
  bool init_pending = false, init_failed = false, running = false, waiting_first = false, stopped = true,
       failed = false, again = false;
  for (const auto& unit : in.units) {
    bool ended_for_good = unit.state == Unit::State::ended && (in.ending || !restarts(in.pod, unit));
    if (unit.role == Role::init) {
      if (init_done(unit)) continue;
      if (ended_for_good)
        init_failed = true;
      else
        init_pending = true;
    } else if (unit.role == Role::sidecar) {
      if (!unit.started_ok && !unit.lived) init_pending = true;
    } else if (ended_for_good) {
      failed = failed || unit.ended->code != 0;
    } else {
      stopped = false;
      if (unit.state == Unit::State::running)
        running = true;
      else if (unit.lived)
        again = true;
      else
        waiting_first = true;
    }
  }
  if (init_failed) return "Failed";
  if (init_pending) return in.ending && stopped ? "Failed" : "Pending";
  if (stopped) return failed ? "Failed" : "Succeeded";
  if (in.ending && !running) return "Failed";
  if (waiting_first) return "Pending";
  return running || again ? "Running" : "Pending";
}

doc::Value pod_status(const StatusInput& in) {
  auto before = in.pod["status"];
  auto phase = pod_phase(in);
  doc::Map status;
  status.set("phase", phase);
  doc::List conditions;
  for (auto c : before["conditions"].items()) conditions.push_back(c.value());
  put_conditions(conditions, in, phase);
  status.set("conditions", std::move(conditions));
  if (!in.reason.empty()) status.set("reason", in.reason);
  if (!in.message.empty()) status.set("message", in.message);
  if (!in.facts.host_ip.empty()) {
    status.set("hostIP", in.facts.host_ip);
    status.set("hostIPs", doc::List{doc::Map{{"ip", in.facts.host_ip}}});
  }
  if (!in.facts.pod_ip.empty()) {
    status.set("podIP", in.facts.pod_ip);
    status.set("podIPs", doc::List{doc::Map{{"ip", in.facts.pod_ip}}});
  }
  status.set("startTime", before["startTime"].str_or(rfc3339(in.now)));
  doc::List init, main;
  for (const auto& unit : in.units) (unit.role == Role::main ? main : init).push_back(container_status(in, unit));
  if (!init.empty()) status.set("initContainerStatuses", std::move(init));
  status.set("containerStatuses", std::move(main));
  status.set("qosClass", before["qosClass"].str_or(qos_class(in.pod)));
  for (const char* kept : {"nominatedNodeName", "observedGeneration", "ephemeralContainerStatuses", "resize"})
    if (before[kept].exists()) status.set(kept, before[kept].value());
  return status;
}

}  // namespace slipway::cluster
