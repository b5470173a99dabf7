// RFC 7386.
#include "doc/patch.h"

namespace slipway::doc {
namespace {

void merge_into(Value& target, const Value& patch) {
  const auto* changes = patch.if_map();
  if (changes == nullptr) {
    target = patch;
    return;
  }
  if (!target.is_map()) target = Value(Map());
  auto& map = *target.if_map();
  for (const auto& [key, change] : *changes) {
    if (change.is_null()) {
      map.erase(key);
    } else {
      merge_into(map[key], change);
    }
  }
}

}  // namespace

Value merge_patch(const Value& target, const Value& patch) {
  Value merged = target;
  merge_into(merged, patch);
  return merged;
}

Value make_merge_patch(const Value& from, const Value& to) {
  const auto *before = from.if_map(), *after = to.if_map();
  if (before == nullptr || after == nullptr) return to;
  Map patch;
  for (const auto& [key, value] : *before) {
    const auto* now = after->find(key);
    if (now == nullptr) {
      patch.append(key, Value());
    } else if (!(value == *now)) {
      patch.append(key, make_merge_patch(value, *now));
    }
  }
  for (const auto& [key, value] : *after) {
    if (!before->contains(key)) patch.append(key, value);
  }
  return patch;
}

}  // namespace slipway::doc
