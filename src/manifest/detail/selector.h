#pragma once
// Which objects a patch or replacement is for.
#include <memory>
#include <string>
#include <vector>

#include "manifest/detail/input.h"
#include "manifest/detail/resource.h"

namespace re2 {
class RE2;
}

namespace slipway::manifest {

// A Kubernetes label selector: "app=web,tier in (a, b),!legacy". Empty matches everything.
class LabelSelector {
 public:
  static Result<LabelSelector> parse(std::string_view text);
  bool matches(const std::vector<std::pair<std::string, std::string>>& labels) const;
  bool empty() const { return terms_.empty(); }

 private:
  struct Term {
    enum class Op { in, not_in, exists, absent, greater, less } op = Op::exists;
    std::string key;
    std::vector<std::string> values;
  };
  std::vector<Term> terms_;
};

// Parts of an object's identity, each as it is written or as a regular expression of the whole; empty parts match all.
class IdPattern {
 public:
  IdPattern() = default;
  // Errors: invalid, naming the part.
  static Result<IdPattern> of(const ResId& id);
  bool matches(const ResId& id) const;
  bool empty() const;

 private:
  struct Part {
    std::string text;
    std::shared_ptr<const re2::RE2> regex;  // null: nothing but the text itself
    bool matches(std::string_view value) const;
  };
  Part group_, version_, kind_, name_, space_;
};

struct Selector {
  ResId id;  // of a patch's target: regular expressions, whole
  std::string annotation_text, label_text;
  LabelSelector annotations, labels;
  static Result<Selector> read(const Input& in);
  static constexpr std::string_view fields[] = {
      "group", "version", "kind", "name", "namespace", "annotationSelector", "labelSelector"};
  bool matches_marks(const Resource& resource) const;
};
// The objects a target's patterns match, by the names and namespaces they have or had at first.
Result<std::vector<Resource*>> select(const ResMap& map, const Selector& selector);

}  // namespace slipway::manifest
