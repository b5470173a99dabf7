#pragma once
// Names of actions, read strictly: they become parts of paths and URLs. Private to ci.
#include <string_view>

namespace slipway::ci {

bool is_commit(std::string_view ref);              // 40 lower-case hex digits
bool is_action_repository(std::string_view name);  // owner/name
bool is_action_ref(std::string_view ref);

}  // namespace slipway::ci
