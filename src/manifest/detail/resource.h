#pragma once
// Objects on their way through a build: who they are now, who they were, and by which names they are found.
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "doc/value.h"

namespace slipway::manifest {

struct Gvk {
  std::string group, version, kind;
  bool operator==(const Gvk&) const = default;
  // Empty fields of the selector match anything.
  bool selected_by(const Gvk& selector) const {
    return (selector.group.empty() || selector.group == group) &&
           (selector.version.empty() || selector.version == version) &&
           (selector.kind.empty() || selector.kind == kind);
  }
  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  std::string print() const;  // Deployment.v1.apps
};
Gvk gvk_of(std::string_view api_version, std::string_view kind);

// kustomize's order of kinds: namespaces and definitions first, webhooks last, else by group, version, kind.
bool gvk_less(const Gvk& a, const Gvk& b);

struct ResId {
  Gvk gvk;
  std::string name, space;
  bool outside = false;  // certainly not in a namespace
  std::string_view effective_space() const;
  bool same_space(const ResId& other) const { return effective_space() == other.effective_space(); }
  bool same_name(const ResId& other) const { return name == other.name && gvk == other.gvk; }
  bool operator==(const ResId& other) const { return same_name(other) && same_space(other); }
  bool selected_by(const ResId& selector) const;
  std::string print() const;  // Deployment.v1.apps/web.prod
};

enum class Behavior { unspecified, create, replace, merge };

class Resource {
 public:
  explicit Resource(doc::Value value) : node(std::move(value)) {}
  Gvk gvk() const;
  bool is_selected_by(const Gvk& selector) const;  // as gvk() is, without making it
  bool is_kind(std::string_view kind) const;
  std::string name() const;
  std::string space() const;
  ResId id() const;
  ResId original() const { return previous.empty() ? id() : previous_id(0); }
  ResId previous_id(std::size_t i) const;
  // Remembers who the object is, before a change.
  void store_id();
  void set_name(std::string_view name);
  void set_space(std::string_view space);  // "" takes it away
  void set_kind(std::string_view kind);
  // metadata.labels or metadata.annotations as text.
  std::vector<std::pair<std::string, std::string>> strings(std::string_view field) const;
  bool empty() const { return node.is_null() || (node.is_map() && node.if_map()->empty()); }
  // Does the object carry marks of the build, which kustomize keeps as annotations?
  bool marked() const { return !previous.empty() || behavior != Behavior::unspecified || hash_name; }

  struct Previous {
    std::string name, space, kind;
  };
  doc::Value node;
  std::string source;  // the file it came from, for errors
  std::vector<Previous> previous;
  std::vector<std::string> prefixes, suffixes, vars;
  doc::Value origin;          // where it came from, when buildMetadata asks
  doc::List transformations;  // what changed it
  Behavior behavior = Behavior::unspecified;
  bool hash_name = false;
  bool may_rename = false, may_change_kind = false;  // of a patch
  std::size_t position = 0;
  bool removed = false;

 private:
  friend class ResMap;
  std::string indexed_;
};

// The objects in order, found by any name they have or had in constant time. Threads: one.
class ResMap {
 public:
  using List = std::vector<std::shared_ptr<Resource>>;
  const List& all() const { return list_; }
  std::size_t size() const { return list_.size(); }
  // Errors: conflict when an object of that id is there.
  Result<> append(std::shared_ptr<Resource> resource);
  Result<> append_all(const ResMap& other);
  // A generated object: new, or replacing or merged into the one it names.
  Result<> absorb(std::shared_ptr<Resource> resource);
  std::vector<Resource*> with_id(const ResId& id) const;  // now
  bool alone(const Resource& resource) const;             // no other has the id of this one
  std::vector<Resource*> with_any_id(const std::function<bool(const ResId&)>& match, const std::string& name) const;
  // Objects that ever bore the name, in order.
  std::vector<Resource*> named(const std::string& name) const;
  // After a change of an object's name.
  void note(const std::shared_ptr<Resource>& resource);
  void note(const Resource& resource) { note(list_[resource.position]); }
  void sync();
  void drop_empty();
  void set_order(List list);
  void remove_if(const std::function<bool(const Resource&)>& gone);

 private:
  void renumber();
  List list_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Resource>>> by_name_;
};

// The one object of an id, now or before. Errors: not_found, conflict.
Result<Resource*> one_with_id(const ResMap& map, const ResId& id);

}  // namespace slipway::manifest
