#pragma once
// kustomize's strategic merge: close to Kubernetes', but with its own rules for order, nulls and directives.
#include <optional>

#include "doc/value.h"
#include "manifest/detail/schema.h"

namespace slipway::manifest {

struct OverlayOptions {
  bool prepend = true;                   // items new to a merged list stand before the old ones
  bool infer = false;                    // lists of maps with "name" merge by it where nothing is known of the kind
  const SchemaTable* schemas = nullptr;  // null: Kubernetes' own kinds
};
// `target` with `patch` laid over it; nothing when the patch deletes the whole.
// Errors: invalid (a value of another shape).
Result<std::optional<doc::Value>> overlay(doc::Value target, const doc::Value& patch,
                                          const OverlayOptions& options = {});

// kustomize prints and reads every object once before its final form, and folded texts (">") do not survive that as
// they were: a line break before an indented line is doubled. What must be equal to its output goes through this.
void fold_once(doc::Value& node);

// That, and what was written without quotes and reads as a time becomes one: 2020-01-01 is 2020-01-01T00:00:00Z.
void as_printed(doc::Value& node);

// The text of a scalar as it stands in YAML; "" for null, lists, maps.
std::string scalar_text(const doc::Value& value);

}  // namespace slipway::manifest
