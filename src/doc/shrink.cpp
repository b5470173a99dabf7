#include "doc/shrink.h"

namespace slipway::doc {

Value shrunk(Value value) {
  Value out;
  if (auto* map = value.if_map()) {
    Map fresh;
    fresh.reserve(map->size());
    for (auto& [key, member] : *map) fresh.append(std::move(key), shrunk(std::move(member)));
    out = std::move(fresh);
  } else if (auto* list = value.if_list()) {
    List fresh;
    fresh.reserve(list->size());
    for (auto& item : *list) fresh.push_back(shrunk(std::move(item)));
    out = std::move(fresh);
  } else {
    return value;
  }
  out.set_mark(value.mark());
  out.set_style(value.style());
  return out;
}

}  // namespace slipway::doc
