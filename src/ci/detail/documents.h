#pragma once
// Maps and lists of texts as documents, and back. Private to ci.
#include <map>
#include <string>
#include <vector>

#include "doc/value.h"
#include "doc/view.h"

namespace slipway::ci {

inline doc::Value texts(const std::map<std::string, std::string>& values) {
  doc::Map out;
  for (auto& [key, value] : values) out.set(key, value);
  return out;
}
inline std::map<std::string, std::string> texts_from(doc::View view) {
  std::map<std::string, std::string> out;
  for (auto& [key, value] : view.members()) out[key] = value.text();
  return out;
}
inline std::vector<std::string> list_from(doc::View view) {
  std::vector<std::string> out;
  for (auto& item : view.items()) out.push_back(item.text());
  return out;
}

}  // namespace slipway::ci
