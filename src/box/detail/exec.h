#pragma once
// Another process inside a running container.
#include "box/detail/oci_runtime.h"

namespace slipway::box {

// `init`: the container's first process and its start time.
struct FirstProcess {
  int pid = 0;
  std::uint64_t started = 0;
};
Result<int> run_exec(const Ctx& ctx, const OciHost& host, const std::string& id, FirstProcess init,
                     const Container::Exec& exec, Streams streams);

}  // namespace slipway::box
