#pragma once
// The volumes of one pod, as folders of the host that containers bind.
#include "box/box.h"
#include "cluster/node/pod.h"

namespace slipway::cluster {

struct VolumeInput {
  const kube::Object& pod;
  PodFacts facts;
  Find find;
  // A token for the pod's service account; absent: none can be had.
  std::function<Result<std::string>(const std::string& audience, std::int64_t seconds)> token;
  std::string ca_pem;
};

// Under <pod folder>/volumes. Threads: one.
class PodVolumes {
 public:
  explicit PodVolumes(fs::path folder, fs::path claims) : folder_(std::move(folder)), claims_(std::move(claims)) {}
  // Makes what is missing and brings ConfigMaps, Secrets and the rest up to date (by swapping ..data, so readers see
  // the old files or the new). Errors: not_found (missing ConfigMap ...), invalid, those of files.
  Result<> prepare(const VolumeInput& input);
  // The binds of one container. Errors: not_found (no such volume), invalid.
  Result<std::vector<box::Mount>> mounts(const kube::Object& pod, doc::View container,
                                         const kube::StringMap& env) const;
  // Unmounts and removes; host paths and claims stay.
  Result<> remove();

 private:
  Result<> prepare_one(const VolumeInput& input, doc::View volume);
  fs::path folder_, claims_;
  std::map<std::string, fs::path> sources_;
};

// Whether the pod is given a service account volume although it lists none (and so gets ours).
bool wants_token(const kube::Object& pod, doc::View container);
inline constexpr std::string_view kTokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::int64_t own_token_seconds = 3607;  // as the kubelet asks for

// Files with their modes, written as Kubernetes does: a dated folder, ..data points at it, names point into ..data.
struct VolumeFile {
  std::string text;
  unsigned mode = 0644;
};
Result<> write_payload(const fs::path& folder, const std::map<std::string, VolumeFile>& files,
                       std::optional<std::uint32_t> group);

}  // namespace slipway::cluster
