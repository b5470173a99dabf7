#pragma once
// Dockerfiles to images in the registry, without a daemon.
#include <memory>

#include "box/box.h"
#include "oci/layer.h"
#include "oci/remote.h"
#include "path/services.h"

namespace slipway::image {

struct BuilderOptions {
  oci::Registry* registry = nullptr;
  oci::LayerCache* layers = nullptr;
  box::Runtime* runtime = nullptr;          // null: RUN is refused
  oci::Remote* remote = nullptr;            // null: images come from the registry only
  fs::path root;                            // step cache, cache mounts, work in progress; one process
  std::vector<std::string> registry_names;  // hosts that mean our registry: "127.0.0.1:5000"
  path::Scanner* scanner = nullptr;         // for SBOMs; null: none are made
  std::string default_host;                 // of names without one that the registry does not have; "" docker.io
};

// When nothing else is given, times in an image are this: 1980-01-02T00:00:00Z. Not 0, because ZIP knows no earlier
// year and Python's packaging fails on older files.
inline constexpr std::int64_t default_epoch = 315619200;

// Same inputs, same digest: names and contents count, times of files do not (they are clamped to the epoch), and a
// step whose inputs were seen before is answered from the cache. RUN sees the host's network unless --network=none,
// inside mount, process and IPC namespaces of its own. Threads: any; equal steps at the same time run once.
std::unique_ptr<path::ImageBuilder> make_builder(BuilderOptions options);

// Ends what RUN commands of a killed process left: containers and their mounts.
Result<> clean_up_after_crash(box::Runtime& runtime);

}  // namespace slipway::image
