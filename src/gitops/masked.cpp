#include "gitops/masked.h"

#include <map>
#include <set>

#include "doc/view.h"

namespace slipway::gitops {
namespace {

bool is_secret(const doc::Value* object) {
  return object != nullptr && object->str_at({"kind"}) == "Secret" && object->str_at({"apiVersion"}) == "v1";
}

doc::Map* entries(doc::Value* object, std::string_view part) {
  auto* found = is_secret(object) ? object->map().find(part) : nullptr;
  return found != nullptr ? found->if_map() : nullptr;
}

void hide(doc::Map* before, doc::Map* after) {
  std::map<std::string, std::pair<const doc::Value*, const doc::Value*>> keys;
  if (before != nullptr)
    for (const auto& [key, value] : *before) keys[key].first = &value;
  if (after != nullptr)
    for (const auto& [key, value] : *after) keys[key].second = &value;
  for (const auto& [key, sides] : keys) {
    constexpr std::string_view run = "++++++++", other = "++++++++++++";
    bool differs = sides.first != nullptr && sides.second != nullptr && !(*sides.first == *sides.second);
    if (sides.first != nullptr) before->set(key, run);
    if (sides.second != nullptr) after->set(key, differs ? other : run);
  }
}

std::string id_of(const doc::Value& object) {
  return object.str_at({"metadata", "namespace"}) + "/" + object.str_at({"metadata", "name"});
}

}  // namespace

void hide_secret_values(doc::Value* before, doc::Value* after) {
  for (auto part : {"data", "stringData"}) hide(entries(before, part), entries(after, part));
}

void hide_secret_values(std::vector<doc::Value>& before, std::vector<doc::Value>& after) {
  std::map<std::string, std::pair<doc::Value*, doc::Value*>> secrets;
  for (auto& object : before)
    if (is_secret(&object)) secrets[id_of(object)].first = &object;
  for (auto& object : after)
    if (is_secret(&object)) secrets[id_of(object)].second = &object;
  for (auto& [id, sides] : secrets) hide_secret_values(sides.first, sides.second);
}

}  // namespace slipway::gitops
