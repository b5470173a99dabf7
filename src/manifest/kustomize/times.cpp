// kustomize reads what looks like a time as one, and prints it as RFC 3339.
#include "doc/yaml.h"
#include "manifest/detail/overlay.h"

namespace slipway::manifest {

using doc::Value;

void print_times(Value& node) {
  if (auto* map = node.if_map()) {
    for (auto& [key, value] : *map) print_times(value);
  } else if (auto* list = node.if_list()) {
    for (auto& item : *list) print_times(item);
  } else if (auto* text = node.if_string(); text != nullptr && node.style() == Value::Style::plain) {
    if (auto time = doc::yaml_time(*text)) node = Value(*std::move(time));
  }
}

}  // namespace slipway::manifest
