#pragma once
// Server-side apply and the ownership of fields, as pure functions. Rule: structured-merge-diff v4, as the API server
// uses it: sets of fields per (manager, operation, apiVersion, subresource) in metadata.managedFields.
#include <map>
#include <string>
#include <vector>

#include "doc/patch.h"
#include "doc/value.h"

namespace slipway::kube {

// A set of field paths; keys are fieldsV1's own: "f:name", "k:{...}", "v:...". Threads: as a value.
class FieldSet {
 public:
  bool member = false;  // the path itself belongs to the set
  std::map<std::string, FieldSet, std::less<>> children;

  bool empty() const { return !member && children.empty(); }
  void add(const FieldSet& other);
  FieldSet minus(const FieldSet& other) const;
  FieldSet common(const FieldSet& other) const;
  doc::Value to_doc() const;  // fieldsV1
  static FieldSet from(const doc::Value& fields_v1);
  std::vector<std::string> paths() const;  // .spec.containers[name="web"].image, of the members
  friend bool operator==(const FieldSet&, const FieldSet&) = default;
};

// The part of an object that a set names. What is named and not there is left out; nothing below a path: all of it.
doc::Value part_of(const doc::Value& value, const FieldSet& set);

// What an applied configuration owns. Errors: invalid (a list item without its keys).
Result<FieldSet> fields_of(const doc::Value& value, const doc::MergeSchema* schema);

struct Conflict {
  std::string manager, message, field;
};
struct ApplyRequest {
  const doc::Value* live = nullptr;  // null: there is none yet
  const doc::Value* applied = nullptr;
  std::string manager, subresource, now;  // now: RFC 3339
  const doc::MergeSchema* schema = nullptr;
  bool force = false;
  std::vector<std::string> ignored = {};  // top-level fields that nobody owns here: "status"
};
struct ApplyOutcome {
  doc::Value object;                // with its managedFields
  std::vector<Conflict> conflicts;  // when there are any, nothing else counts
};
// Errors: invalid (a list item without its keys, managedFields in what is applied).
Result<ApplyOutcome> server_side_apply(const ApplyRequest& request);

// Whether applying a configuration as `manager` would leave `live` as it is: every field stands there as it is applied,
// and the manager owns these and no others. Told from the object alone, without a schema: false may also mean that only
// the server can tell (a quantity that it writes otherwise, an item whose place differs).
bool changes_nothing(const doc::Value& applied, const doc::Value& live, std::string_view manager);

struct UpdateRecord {
  const doc::Value* before = nullptr;  // null: created
  std::string manager, subresource, now;
  const doc::MergeSchema* schema = nullptr;
};
// Notes in after's managedFields what an update changed. `managedFields: [{}]` clears them; an after without any takes
// before's.
void track_update(doc::Value& after, const UpdateRecord& update);

}  // namespace slipway::kube
