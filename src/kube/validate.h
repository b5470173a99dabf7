#pragma once
// Holding an object against its schema: unknown fields, wrong types, missing fields; pruning and defaults.
#include <string>
#include <vector>

#include "kube/schema.h"

namespace slipway::kube {

struct Problem {
  enum class What { type, required, invalid, not_supported };
  What what = What::type;
  std::string field;    // spec.template.spec.containers[0].name
  std::string message;  // want an integer, got a string
};
struct Checked {
  std::vector<std::string> unknown;  // fields the schema does not know
  std::vector<Problem> problems;
  bool ok() const { return problems.empty(); }
};
struct CheckOptions {
  bool prune = true;     // removes unknown fields and nulls
  bool required = true;  // reports missing ones outside status
};
// Brings values to their canonical form on the way: quantities, 3.0 where an integer is wanted.
Checked check(doc::Value& object, const Schema& schema, const CheckOptions& options = {});
// Fills in the defaults of a custom resource's schema.
void fill_defaults(doc::Value& object, const Schema& schema);

}  // namespace slipway::kube
