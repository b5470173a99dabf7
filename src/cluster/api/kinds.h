#pragma once
// The kinds the server knows: the built-in ones and those of CustomResourceDefinitions.
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "kube/object.h"
#include "kube/schema.h"

namespace slipway::cluster {

inline constexpr std::string_view metrics_group = "metrics.k8s.io";

struct Column {
  std::string name, type, format, path;
  int priority = 0;
};
struct KindInfo {
  kube::Type type, stored;  // as served; as kept
  std::string group, version, plural, singular, list_kind;
  std::string table;  // "deployments.apps": one a resource, whatever the version
  bool namespaced = true, custom = false;
  bool status = false, generation = false, scale = false;
  std::vector<std::string> short_names, categories, verbs, subresources;
  const kube::Schema* schema = nullptr;
  std::shared_ptr<const kube::Schema> owned_schema;
  std::string open_api, open_api_hash;                   // of a custom kind: its schema as JSON, for /openapi
  std::vector<Column> columns;                           // of a custom kind
  std::string scale_spec, scale_status, scale_selector;  // paths of a custom kind
  std::vector<std::string> selectable;
  std::string resource() const { return group.empty() ? plural : plural + "." + group; }
  bool has_verb(std::string_view verb) const;
};
using KindPtr = std::shared_ptr<const KindInfo>;

// Threads: any; what is returned stays valid while it is held.
class Kinds {
 public:
  Kinds();
  KindPtr by_type(const kube::Type& type) const;
  KindPtr by_path(std::string_view group, std::string_view version, std::string_view plural) const;
  KindPtr stored_kind(const KindInfo& kind) const { return by_type(kind.stored); }
  std::vector<KindPtr> all() const;  // built-in first, each in a stable order
  // From a CustomResourceDefinition object; replaces what it defined before. Errors: invalid (schema), conflict
  // (names).
  Result<> define(const kube::Object& crd);
  void forget(const std::string& crd_name);
  // A definition that is built in. When somebody brings another (Argo CD's or Flux's own), objects keep in their status
  // what our controllers put there.
  void keep_status_open(const std::string& crd_name);
  std::uint64_t generation() const;  // moves with each change: discovery and OpenAPI are cached by it
  // The kinds a definition would make. Errors: invalid.
  static Result<std::vector<KindInfo>> of_crd(const kube::Object& crd);

 private:
  mutable std::mutex mutex_;
  std::vector<KindPtr> builtin_;
  std::map<std::string, std::vector<KindPtr>> custom_;
  std::map<kube::Type, KindPtr> by_type_;
  std::set<std::string> open_;  // names of definitions
  std::uint64_t generation_ = 1;
};

}  // namespace slipway::cluster
