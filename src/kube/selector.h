#pragma once
// Label and field selectors (Kubernetes' grammar: =, ==, !=, in, notin, exists, !exists; comma is AND).
#include <string>
#include <string_view>
#include <vector>

#include "kube/object.h"

namespace slipway::kube {

// "app.kubernetes.io/name": an optional DNS subdomain, then at most 63 of [A-Za-z0-9._-] between alphanumerics.
bool valid_label_key(std::string_view key);
bool valid_label_value(std::string_view value);

class LabelSelector {
 public:
  static Result<LabelSelector> parse(std::string_view text);  // errors: invalid with the offset
  // From a LabelSelector object: matchLabels, matchExpressions. Null selects nothing, {} everything.
  static Result<LabelSelector> from(doc::View selector);
  bool matches(const StringMap& labels) const;
  bool everything() const { return !nothing_ && terms_.empty(); }
  std::string print() const;

 private:
  enum class Op { in, not_in, exists, absent, greater, less };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;
  };
  bool nothing_ = false;
  std::vector<Term> terms_;
};

class FieldSelector {
 public:
  static Result<FieldSelector> parse(std::string_view text);
  bool matches(const Object& object) const;  // a path like status.phase; absent reads as ""
  struct Term {
    std::string path, value;
    bool equal;
  };
  const std::vector<Term>& terms() const { return terms_; }

 private:
  std::vector<Term> terms_;
};

}  // namespace slipway::kube
