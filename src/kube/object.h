#pragma once
// A Kubernetes object: an immutable snapshot that controllers, watches and stores share without copies.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"
#include "doc/view.h"

namespace slipway::kube {

// {"apps/v1", "Deployment"}, {"v1", "Pod"}
struct Type {
  std::string api_version, kind;
  std::string group() const;    // "apps"; "" for core
  std::string version() const;  // "v1"
  auto operator<=>(const Type&) const = default;
};

struct Key {
  std::string ns, name;  // ns is "" for cluster-scoped objects
  auto operator<=>(const Key&) const = default;
  std::string str() const { return ns.empty() ? name : ns + "/" + name; }
};

struct OwnerRef {
  std::string api_version, kind, name, uid;
  bool controller = false;
};

using StringMap = std::map<std::string, std::string>;

// Threads: any. An empty Object answers every accessor with "" or nothing.
class Object {
 public:
  Object() = default;
  explicit Object(doc::Value value) : value_(std::make_shared<const doc::Value>(std::move(value))) {}
  explicit Object(std::shared_ptr<const doc::Value> value) : value_(std::move(value)) {}

  explicit operator bool() const { return value_ != nullptr; }
  const doc::Value& value() const;             // null value when empty
  doc::Value copy() const { return value(); }  // to change and write back
  doc::View view() const { return doc::View(value()); }
  doc::View operator[](std::string_view key) const { return view()[key]; }
  const std::shared_ptr<const doc::Value>& shared() const { return value_; }

  Type type() const;
  Key key() const { return {ns(), name()}; }
  std::string api_version() const;
  std::string kind() const;
  std::string name() const;
  std::string ns() const;
  std::string uid() const;
  std::string resource_version() const;
  std::int64_t generation() const;
  StringMap labels() const;
  StringMap annotations() const;
  std::string label(std::string_view key) const;  // "" when absent
  std::string annotation(std::string_view key) const;
  std::vector<OwnerRef> owners() const;
  std::optional<OwnerRef> controller() const;
  bool deleting() const;         // has deletionTimestamp
  std::string describe() const;  // "Deployment shop/web"

 private:
  std::shared_ptr<const doc::Value> value_;
};

// Building blocks for new objects.
doc::Value make_object(const Type& type, const Key& key, StringMap labels = {}, StringMap annotations = {});
doc::Value owner_reference(const Object& owner, bool controller = true);
// Sets or replaces a condition of .status.conditions by type; lastTransitionTime moves only with status.
void set_condition(doc::Value& object, std::string_view type, bool status, std::string_view reason,
                   std::string_view message, std::string_view now_rfc3339);
// "True", "False", "Unknown" or "" when there is none.
std::string condition_status(const Object& object, std::string_view type);

}  // namespace slipway::kube
