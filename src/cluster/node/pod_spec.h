#pragma once
// One container of a pod as the box::Spec that runs it.
#include "box/box.h"
#include "cluster/node/images.h"
#include "cluster/node/volumes.h"

namespace slipway::cluster {

struct ContainerInput {
  const kube::Object& pod;
  const PodContainer& container;
  const ReadyImage& image;
  PodFacts facts;
  kube::StringMap services;  // environment of the services
  Find find;
  const PodVolumes& volumes;
  fs::path netns;   // empty: the host's network
  fs::path folder;  // of the pod: etc/hosts, etc/resolv.conf, <container>/termination
  std::string id;
  fs::path log;
};
// Errors: not_found, invalid: CreateContainerConfigError with the message.
Result<box::Spec> container_spec(const ContainerInput& input);

// "SIGQUIT", "QUIT" or "3"; nothing for another text.
std::optional<int> signal_number(std::string_view name);
std::string hostname_of(const kube::Object& pod);
bool host_network(const kube::Object& pod);
struct ResolverInput {
  std::string server;     // the cluster's own; "" for none
  std::string host_text;  // the host's resolv.conf
};
// The pod's resolv.conf by its dnsPolicy and dnsConfig.
std::string resolv_conf(const kube::Object& pod, const ResolverInput& input);
std::string hosts_file(const kube::Object& pod, const std::string& ip);
// How oom_score_adj ranks the container (Guaranteed -997, BestEffort 1000).
int oom_score(const kube::Object& pod, doc::View container, std::int64_t node_memory);
std::string qos_class(const kube::Object& pod);

}  // namespace slipway::cluster
