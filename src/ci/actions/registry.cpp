#include "base/text.h"
#include "ci/actions/actions.h"

namespace slipway::ci {
namespace {

struct Entry {
  std::string_view name;
  NativeAction run;
};
constexpr Entry entries[] = {
    {"actions/checkout", checkout},
};

}  // namespace

NativeAction find_native_action(std::string_view name) {
  for (auto& entry : entries)
    if (iequals(entry.name, name)) return entry.run;
  return nullptr;
}
std::vector<std::string> native_action_names() {
  std::vector<std::string> out;
  for (auto& entry : entries) out.emplace_back(entry.name);
  return out;
}

}  // namespace slipway::ci
