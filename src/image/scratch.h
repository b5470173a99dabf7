#pragma once
// Base images without a hub: a folder of this host becomes an image.
#include "oci/registry.h"

namespace slipway::image {

// One layer of all the folder holds, reproducible. `config` gives the rest; its diff ids and history are set here.
Result<Digest> import_folder(const Ctx& ctx, oci::Registry& registry, std::string_view repository, std::string_view tag,
                             const fs::path& folder, oci::Config config);

// A root made of some of the host's files: copied from `host_root` with the links and parents they need. A folder is
// taken whole; a program's or library's own shared libraries come along.
struct HostSelection {
  std::vector<std::string> paths;                          // "/bin/busybox", "/usr/lib/gcc"
  std::vector<std::pair<std::string, std::string>> links;  // name -> target: "/bin/sh" -> "busybox"
  std::vector<std::pair<std::string, std::string>> files;  // name -> content: "/etc/passwd"
  bool libraries = true;
};
Result<> select_host_files(const Ctx& ctx, const HostSelection& selection, const fs::path& host_root,
                           const fs::path& into);

}  // namespace slipway::image
