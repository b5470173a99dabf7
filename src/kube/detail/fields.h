#pragma once
// The walks over typed values that server-side apply is made of. Rule: structured-merge-diff/v4/typed.
#include "kube/apply.h"

namespace slipway::kube::detail {

using ListType = doc::MergeSchema::ListType;

// Whether the value's parts are owned apart. Without a schema maps are, lists are not.
bool granular(const doc::Value& value, const doc::MergeSchema* schema);
// "k:{...}" or "v:...". Errors: invalid (a key is missing).
Result<std::string> item_key(const doc::Value& item, const doc::MergeSchema& list);

struct Comparison {
  FieldSet added, modified, removed;
  bool same() const { return added.empty() && modified.empty() && removed.empty(); }
};
Result<Comparison> compare(const doc::Value* before, const doc::Value* after, const doc::MergeSchema* schema);
Result<doc::Value> merge(const doc::Value& live, const doc::Value& applied, const doc::MergeSchema* schema);
// Removes what `last` holds and `owned` does not, and maps and lists that became empty by it.
void prune(doc::Value& value, const FieldSet& last, const FieldSet& owned, const doc::MergeSchema* schema);

}  // namespace slipway::kube::detail
