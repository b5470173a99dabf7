#pragma once
// One kind of object kept in sight: a list, then its changes, for ever.
#include <functional>

#include "kube/client.h"

namespace slipway::cluster {

struct Sight {
  kube::Type type;
  kube::WatchOptions options;
  // After each fresh list: everything there is now.
  std::function<void(const std::vector<kube::Object>&)> all;
  std::function<void(const kube::Event&)> event;
};
// Until the context stops. A lost watch is renewed; an expired one starts with a new list.
void keep_in_sight(const Ctx& ctx, kube::Client& client, const Sight& sight);

}  // namespace slipway::cluster
