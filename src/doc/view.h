#pragma once
// Reading a document without noise: absent keys give absent views, nothing throws, and an error names the path:
//   TRY(auto weight, view["spec"]["steps"][1]["setWeight"].num());
//   -> deploy/rollout.yaml:14:7: .spec.steps[1].setWeight: want an integer
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "doc/value.h"

namespace slipway::doc {

// Points into a Value that must outlive it. Threads: any (reads only).
class View {
 public:
  explicit View(const Value& root, std::string_view source = {}) : root_(&root), node_(&root), source_(source) {}
  View operator[](std::string_view key) const;
  View operator[](std::size_t index) const;
  bool exists() const { return node_ != nullptr; }  // present, null included
  bool present() const { return node_ != nullptr && !node_->is_null(); }
  explicit operator bool() const { return present(); }
  const Value& value() const;  // null when absent
  Mark mark() const;           // of the nearest parent when absent

  // Errors: invalid, with source:line:col and the path.
  Result<std::string> str() const;
  Result<std::int64_t> num() const;  // integers, also 3.0
  Result<double> real() const;
  Result<bool> boolean() const;
  Result<std::vector<View>> list() const;
  Result<std::vector<std::pair<std::string, View>>> map() const;
  Result<Millis> duration() const;                   // "30s" or a number of seconds
  Result<std::vector<std::string>> strings() const;  // list of strings

  // The default when absent, null or of another type.
  std::string str_or(std::string_view fallback) const;
  std::int64_t num_or(std::int64_t fallback) const;
  double real_or(double fallback) const;
  bool bool_or(bool fallback) const;
  // Empty when absent or of another type.
  std::vector<View> items() const;
  std::vector<std::pair<std::string, View>> members() const;
  // Scalars as text: strings as they are, 5 as "5", true as "true"; "" for the rest.
  std::string text() const;

  std::string path() const;  // .spec.steps[1].setWeight
  // "source:line:col: path: what": for callers' own findings.
  Fail wrong(std::string_view what) const;

 private:
  View(const Value* root, const Value* node, std::string_view source, std::string missing)
      : root_(root), node_(node), source_(source), missing_(std::move(missing)) {}
  const Value* root_;
  const Value* node_;
  std::string_view source_;
  std::string missing_;  // path below the nearest present parent, when absent
  const Value* parent_ = nullptr;
};

}  // namespace slipway::doc
