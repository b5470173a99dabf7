#pragma once
// Field specifications: which places of which kinds a transformer touches.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "manifest/detail/resource.h"

namespace slipway::manifest {

struct FieldSpec {
  Gvk gvk;
  std::string path;  // "spec/template/spec/containers[]/image"
  bool create = false;
};
using FieldSpecs = std::vector<FieldSpec>;

// Adds what is not there yet. Errors: conflict (the same place with another `create`).
Result<> merge_specs(FieldSpecs& into, const FieldSpecs& more);

enum class Make { nothing, scalar, map };
using SetField = std::function<Result<>(doc::Value&)>;
// Calls `set` for every place of the object the spec names; absent ones are made when the spec says so.
Result<> visit_fields(Resource& resource, const FieldSpec& spec, Make make, const SetField& set);

// Many specs at once, for an object that all of them select: what their paths have in common is walked once. Of specs
// with one path the first comes first; absent places are passed over.
class FieldTree {
 public:
  using Set = std::function<Result<>(doc::Value&, std::size_t spec)>;  // its number, in the order they were added
  FieldTree();
  ~FieldTree();
  FieldTree(FieldTree&&) noexcept;
  void add(const FieldSpec& spec);
  Result<> visit(Resource& resource, const Set& set) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  std::vector<std::string> paths_;
};

// "a/b\/c/d" into a, b/c, d.
std::vector<std::string> split_path(std::string_view path, char separator);

struct NameReference {
  Gvk target;
  FieldSpecs referrers;
};

// All rules of a build: kustomize's own, and those of `configurations` and crds.
struct Rules {
  FieldSpecs name_prefix, name_suffix, space, common_labels, labels, template_labels, common_annotations, var_reference,
      images, replicas;
  std::vector<NameReference> name_reference;
};
const Rules& default_rules();
Result<> merge_rules(Rules& into, const Rules& more);
// A `configurations` file. Errors: invalid.
Result<Rules> read_rules(std::string_view text, std::string_view source);
// A `crds` file: OpenAPI definitions that mark names, labels and references to other objects.
Result<Rules> read_crd_rules(std::string_view text, std::string_view source);

}  // namespace slipway::manifest
