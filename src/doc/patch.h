#pragma once
// Patches and differences of documents.
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::doc {

// RFC 6901. Errors: invalid (syntax), not_found.
Result<Value> pointer_get(const Value& root, std::string_view pointer);
// RFC 6902: all operations or none. At most 10,000. Errors: invalid (naming the operation), not_found, conflict (test).
Result<Value> json_patch(const Value& target, const Value& operations);
// RFC 7386.
Value merge_patch(const Value& target, const Value& patch);
// The merge patch that turns `from` into `to`.
Value make_merge_patch(const Value& from, const Value& to);

// How lists merge: by key, as a set, or replaced whole. One schema node describes one value of a kind.
class MergeSchema {
 public:
  enum class ListType { atomic, map, set };
  virtual ~MergeSchema() = default;
  virtual const MergeSchema* member(std::string_view key) const = 0;  // null: unknown
  virtual const MergeSchema* element() const = 0;                     // of a list or a string map
  virtual ListType list_type() const = 0;                             // server-side apply's view
  virtual const std::vector<std::string>& map_keys() const = 0;       // x-kubernetes-list-map-keys
  virtual std::string_view patch_merge_key() const = 0;               // strategic merge's key, "" for none
  virtual bool patch_merge() const = 0;                               // x-kubernetes-patch-strategy has merge
  virtual bool retain_keys() const = 0;
  virtual bool atomic_map() const = 0;
};
// Kubernetes' strategic merge patch with its directives: $patch, $retainKeys, $deleteFromPrimitiveList,
// $setElementOrder. schema may be null (then lists are replaced, as for custom resources).
Result<Value> strategic_merge(const Value& target, const Value& patch, const MergeSchema* schema);

struct Change {
  std::string path;     // .spec.template.spec.containers[0].image
  Value before, after;  // null: absent
};
// What differs, in document order; lists of maps with a "name" are matched by it.
std::vector<Change> diff(const Value& before, const Value& after);
// A unified text difference, three lines of context; "" when equal.
std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name);

}  // namespace slipway::doc
