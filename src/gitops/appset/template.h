#pragma once
// Parameters put into an ApplicationSet's template: by Go templates, or by {{name}} as Argo CD first had it.
#include <string>
#include <vector>

#include "doc/value.h"
#include "doc/view.h"

namespace slipway::gitops::appset {

// How the templates of one ApplicationSet are written.
class Renderer {
 public:
  // goTemplate and goTemplateOptions. Errors: invalid (an option that is none).
  static Result<Renderer> from(doc::View spec);
  bool go() const { return go_; }
  // Errors: invalid, in Go's words. Without goTemplate a name that is no parameter stays as it is written.
  Result<std::string> text(std::string_view text, const doc::Map& params) const;
  // Every text in a document, keys included.
  Result<doc::Value> document(const doc::Value& value, const doc::Map& params) const;

 private:
  bool go_ = false, missing_zero_ = false, missing_error_ = false;
};

// {"a": {"b": 1}, "l": [x]} as {"a.b": "1", "l.0": "x"}: parameters without goTemplate, and what selectors see.
doc::Map flattened(const doc::Map& params);
// What Kubernetes takes as a name: lower case, other characters than letters, digits, - and . made to -.
std::string normalized(std::string_view text);
// A name cut to `most` characters, at a - if asked: Argo CD's slugify.
std::string slug(std::string_view text, std::size_t most, bool smart);

}  // namespace slipway::gitops::appset
