#include "ci/pod/pod_state.h"

#include <algorithm>

#include "base/text.h"
#include "ci/pod/pod_spec.h"

namespace slipway::ci {
namespace {

constexpr std::string_view never[] = {"InvalidImageName", "ErrImageNeverPull"};
// What the node tries again: for a while that is to be expected.
constexpr std::string_view again[] = {"ErrImagePull",         "ImagePullBackOff",  "RegistryUnavailable",
                                      "CreateContainerError", "RunContainerError", "CreateContainerConfigError",
                                      "ImageInspectError",    "CrashLoopBackOff"};

bool is_one_of(std::string_view word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string said(const std::string& reason, const std::string& message) {
  return message.empty() ? reason : reason.empty() ? message : fmt::format("{}: {}", reason, message);
}

void look_waiting(const std::string& who, doc::View status, PodLook& out) {
  auto reason = status["state"]["waiting"]["reason"].text();
  if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") return;
  auto message = status["state"]["waiting"]["message"].text();
  out.why = fmt::format("{}: {}", who, said(reason, message));
  out.stuck = is_one_of(reason, again);
  out.hopeless = is_one_of(reason, never);
}

std::string limit_of(const kube::Object& pod) {
  for (const auto& container : pod["spec"]["containers"].items())
    if (container["name"].text() == job_container) return container["resources"]["limits"]["memory"].text();
  return {};
}

void look_job(const kube::Object& pod, doc::View status, PodLook& out) {
  look_waiting("the job's container", status, out);
  if (status["state"]["running"].present()) out.what = PodLook::What::running;
  auto ended = status["state"]["terminated"];
  if (!ended.present()) return;
  out.what = PodLook::What::ended;
  auto reason = ended["reason"].text();
  if (reason == "OOMKilled") {
    auto limit = limit_of(pod);
    out.why = fmt::format("the job ran out of memory{}", limit.empty() ? "" : fmt::format(" (its limit is {})", limit));
    out.user_fault = true;
  } else {
    out.why =
        fmt::format("the agent ended with exit code {} before it told how the job came out{}",
                    ended["exitCode"].num_or(0), ended["message"].present() ? ": " + ended["message"].text() : "");
  }
}

void look_service(doc::View status, PodLook& out) {
  auto name = status["name"].text().substr(4);
  look_waiting("service " + name, status, out);
  auto ended = status["state"]["terminated"];
  if (ended.present())
    out.dead.push_back(fmt::format("{} (exit code {}{})", name, ended["exitCode"].num_or(0),
                                   ended["reason"].text() == "OOMKilled" ? ", out of memory" : ""));
  else if (!status["ready"].bool_or(false))
    out.not_ready.push_back(name);
}

void look_whole(const kube::Object& pod, PodLook& out) {
  auto reason = pod["status"]["reason"].text(), message = pod["status"]["message"].text();
  auto node = pod["spec"]["nodeName"].text();
  if (reason == "Evicted")
    out.why = fmt::format("the Pod was evicted from node {}: {}", node, message);
  else if (reason == "DeadlineExceeded")
    out.why = "the Pod ran longer than its time";
  else if (!reason.empty())
    out.why = fmt::format("the Pod failed on node {}: {}", node, said(reason, message));
}

}  // namespace

PodLook look_at(const kube::Object& pod) {
  PodLook out;
  auto status = pod["status"];
  bool scheduled = !pod["spec"]["nodeName"].text().empty();
  if (scheduled) out.what = PodLook::What::starting;
  for (const auto& condition : status["conditions"].items())
    if (condition["type"].text() == "PodScheduled" && condition["status"].text() == "False")
      out.why = fmt::format("no node takes it: {}", said(condition["reason"].text(), condition["message"].text()));
  for (const auto& one : status["initContainerStatuses"].items()) {
    look_waiting("the agent's image", one, out);
    if (auto code = one["state"]["terminated"]["exitCode"].num_or(0); code != 0)
      out.hopeless = true, out.why = fmt::format("the agent could not be put into the Pod (exit code {}): {}", code,
                                                 one["state"]["terminated"]["message"].text());
  }
  for (const auto& one : status["containerStatuses"].items()) {
    if (one["name"].text() == job_container)
      look_job(pod, one, out);
    else if (one["name"].text().starts_with("svc-"))
      look_service(one, out);
  }
  auto phase = status["phase"].text();
  if (phase == "Failed" || phase == "Succeeded") {
    out.what = PodLook::What::ended;
    if (phase == "Failed") look_whole(pod, out);
  }
  if (pod.deleting()) {
    out.what = PodLook::What::leaving;
    auto node = pod["spec"]["nodeName"].text();
    out.why = fmt::format("the Pod was deleted by somebody else{}",
                          node.empty() ? "" : fmt::format(": is node {} being drained, or gone?", node));
  }
  return out;
}

}  // namespace slipway::ci
