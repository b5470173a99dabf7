#pragma once
// How jobs become Pods: the document that an operator writes (docs/jobs-as-pods.md).
#include <map>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "doc/value.h"

namespace slipway::ci {

// What a Pod of a job is given. Later profiles win, key by key; `patch` is merged into the finished Pod.
struct PodProfile {
  std::string image;           // of jobs that name no container
  doc::Map resources;          // of the job's container
  doc::Map service_resources;  // of each service's
  doc::Map spec;               // fields of the Pod's spec: nodeSelector, tolerations, serviceAccountName ...
  doc::Map labels, annotations;
  doc::Value patch;
  void take(const PodProfile& later);
};

struct PodSettings {
  std::string ns;  // "" whatever the program was told
  PodProfile all;
  std::map<std::string, PodProfile> runs_on;  // by the labels of `runs-on:`, in lower case
  Millis pending{std::chrono::minutes(10)};   // until a node is found and volumes are there
  Millis pull{std::chrono::minutes(2)};       // that an image which cannot be pulled is tried again
  Millis lost{std::chrono::minutes(3)};       // without a word from the agent
  PodProfile profile(const std::vector<std::string>& labels) const;
};
// "" gives what holds without one. Errors: invalid with source:line:col.
Result<PodSettings> parse_pod_settings(std::string_view yaml, std::string_view source);

}  // namespace slipway::ci
