#pragma once
// A job as a Pod: pure functions from what is wanted to API objects. Private to ci.
#include <string>
#include <vector>

#include "ci/pod/settings.h"
#include "doc/value.h"

namespace slipway::ci {

inline constexpr const char* label_house = "slipway.dev/house";  // which house it is of
inline constexpr const char* label_run = "slipway.dev/run";
inline constexpr const char* annotation_run = "slipway.dev/run";  // the same, as they are written
inline constexpr const char* annotation_job = "slipway.dev/job";
inline constexpr const char* annotation_repository = "slipway.dev/repository";
inline constexpr std::string_view agent_mount = "/slipway";
inline constexpr std::string_view job_container = "job";

struct PodService {
  std::string name, image;
  std::vector<std::string> command, args;  // empty: the image's
  std::map<std::string, std::string> env;
  std::string health_command;  // for sh -c; "" none
  Millis interval{1000};
  int retries = 10;
};
struct PodWish {
  std::string name, ns, house, run, key, repository;
  std::string url;          // of the house, as Pods reach it
  std::string agent_image;  // with /slipway in it
  std::string image;        // the job's own
  std::string user;
  std::vector<PodService> services;
  std::vector<std::string> host_names;  // further names of 127.0.0.1
  Millis timeout{0}, grace{0};
  PodProfile profile;
};
doc::Value pod_of(const PodWish& wish);
// The word by which the agent says who it is, once. `owner_uid` "": nobody's yet.
doc::Value secret_of(const PodWish& wish, const std::string& word);

// What names may be in labels and names of objects: lower-case letters, digits, dashes; at most `size` of them, cut
// ones with a digest.
std::string safe_name(std::string_view text, std::size_t size = 63);
bool is_host_name(std::string_view text);

}  // namespace slipway::ci
