#include "kube/object.h"

#include "base/time.h"

namespace slipway::kube {
namespace {

std::string meta(const Object& o, std::string_view key) { return o.value().str_at({"metadata", key}); }

StringMap string_map(const doc::Value* value) {
  StringMap out;
  if (value == nullptr || !value->is_map()) return out;
  for (const auto& [key, v] : *value->if_map())
    if (const auto* s = v.if_string()) out.emplace(key, *s);
  return out;
}

doc::Value to_map(StringMap from) {
  doc::Map map;
  for (auto& [key, value] : from) map.set(key, std::move(value));
  return map;
}

}  // namespace

std::string Type::group() const {
  auto slash = api_version.find('/');
  return slash == std::string::npos ? std::string() : api_version.substr(0, slash);
}
std::string Type::version() const {
  auto slash = api_version.find('/');
  return slash == std::string::npos ? api_version : api_version.substr(slash + 1);
}

const doc::Value& Object::value() const {
  static const doc::Value none;
  return value_ ? *value_ : none;
}
Type Object::type() const { return {api_version(), kind()}; }
std::string Object::api_version() const { return value().str_at({"apiVersion"}); }
std::string Object::kind() const { return value().str_at({"kind"}); }
std::string Object::name() const { return meta(*this, "name"); }
std::string Object::ns() const { return meta(*this, "namespace"); }
std::string Object::uid() const { return meta(*this, "uid"); }
std::string Object::resource_version() const { return meta(*this, "resourceVersion"); }
std::int64_t Object::generation() const {
  const auto* n = value().find_path({"metadata", "generation"});
  return n != nullptr && n->if_int() != nullptr ? *n->if_int() : 0;
}
StringMap Object::labels() const { return string_map(value().find_path({"metadata", "labels"})); }
StringMap Object::annotations() const { return string_map(value().find_path({"metadata", "annotations"})); }
std::string Object::label(std::string_view key) const { return value().str_at({"metadata", "labels", key}); }
std::string Object::annotation(std::string_view key) const { return value().str_at({"metadata", "annotations", key}); }

std::vector<OwnerRef> Object::owners() const {
  std::vector<OwnerRef> out;
  const auto* refs = value().find_path({"metadata", "ownerReferences"});
  if (refs == nullptr || !refs->is_list()) return out;
  for (const auto& ref : *refs->if_list()) {
    const auto* controller = ref.find("controller");
    const bool* yes = controller != nullptr ? controller->if_bool() : nullptr;
    out.push_back({ref.str_at({"apiVersion"}), ref.str_at({"kind"}), ref.str_at({"name"}), ref.str_at({"uid"}),
                   yes != nullptr && *yes});
  }
  return out;
}
std::optional<OwnerRef> Object::controller() const {
  for (auto& owner : owners())
    if (owner.controller) return owner;
  return std::nullopt;
}
bool Object::deleting() const {
  const auto* at = value().find_path({"metadata", "deletionTimestamp"});
  return at != nullptr && !at->is_null();
}
std::string Object::describe() const {
  return value_ ? fmt::format("{} {}", kind(), key().str()) : std::string("no object");
}

doc::Value make_object(const Type& type, const Key& key, StringMap labels, StringMap annotations) {
  doc::Map metadata;
  if (!key.name.empty()) metadata.set("name", key.name);
  if (!key.ns.empty()) metadata.set("namespace", key.ns);
  if (!labels.empty()) metadata.set("labels", to_map(std::move(labels)));
  if (!annotations.empty()) metadata.set("annotations", to_map(std::move(annotations)));
  return doc::Map{{"apiVersion", type.api_version}, {"kind", type.kind}, {"metadata", std::move(metadata)}};
}

doc::Value owner_reference(const Object& owner, bool controller) {
  doc::Map ref{
      {"apiVersion", owner.api_version()}, {"kind", owner.kind()}, {"name", owner.name()}, {"uid", owner.uid()}};
  if (controller) {
    ref.set("controller", true);
    ref.set("blockOwnerDeletion", true);
  }
  return ref;
}

void set_condition(doc::Value& object, std::string_view type, bool status, std::string_view reason,
                   std::string_view message, std::string_view now) {
  auto& conditions = object["status"]["conditions"];
  if (!conditions.is_list()) conditions = doc::List{};
  std::string_view word = status ? "True" : "False";
  doc::Value* found = nullptr;
  for (auto& condition : conditions.list())
    if (condition.str_at({"type"}) == type) found = &condition;
  if (found == nullptr) {
    conditions.list().push_back(doc::Map{{"type", type}});
    found = &conditions.list().back();
  }
  bool moved = found->str_at({"status"}) != word;
  (*found)["status"] = word;
  if (moved || found->str_at({"lastTransitionTime"}).empty()) (*found)["lastTransitionTime"] = now;
  auto put = [&](std::string_view key, std::string_view text) {
    if (text.empty())
      found->map().erase(key);
    else
      (*found)[key] = text;
  };
  put("reason", reason);
  put("message", message);
}

std::string condition_status(const Object& object, std::string_view type) {
  const auto* conditions = object.value().find_path({"status", "conditions"});
  if (conditions == nullptr || !conditions->is_list()) return {};
  for (const auto& condition : *conditions->if_list())
    if (condition.str_at({"type"}) == type) return condition.str_at({"status"});
  return {};
}

}  // namespace slipway::kube
