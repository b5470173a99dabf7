#pragma once
// image gc, image expire: what goes from the local store.
#include "cli/command.h"

namespace slipway::cli {

Result<int> collect_garbage(const Ctx& ctx, const Arguments& arguments, Io& io);
// By the rules of the running slipway (or --rules FILE); what workloads of its cluster name stays.
Result<int> expire_images(const Ctx& ctx, const Arguments& arguments, Io& io);

}  // namespace slipway::cli
