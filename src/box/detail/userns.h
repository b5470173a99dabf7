#pragma once
namespace slipway::box {

// Whether root here is root of a user namespace only. Threads: any.
bool in_user_namespace();

}  // namespace slipway::box
