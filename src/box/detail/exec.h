#pragma once
// Another process inside a running container.
#include "box/detail/oci_runtime.h"

namespace slipway::box {

Result<int> run_exec(const Ctx& ctx, const OciHost& host, const std::string& id, int init_pid,
                     const Container::Exec& exec, Streams streams);

}  // namespace slipway::box
