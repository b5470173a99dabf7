#pragma once
// The Common Expression Language, as Kubernetes and Flux use it. Rules: cel-spec's langdef.md, and Kubernetes'
// "Common Expression Language in Kubernetes" for its libraries.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cel/value.h"

namespace slipway::cel {

namespace detail {
struct Code;
}

struct Options {
  std::string source = "<expression>";  // named in errors: source:line:column
  // What an expression may name; a name may have dots. Another is an error when it is compiled.
  std::vector<std::string> variables;
  // Any name is a variable, and an error only when it is evaluated and not bound: Flux's fields of an object.
  bool any_variable = false;
  // `.a__dash__b` also selects "a-b", as in rules of a CustomResourceDefinition.
  bool escaped_fields = false;
};

// What an evaluation may use. Several evaluations may share one. What they used is taken off.
struct Budget {
  std::uint64_t steps = 1'000'000;  // nodes evaluated, items looked at, tens of characters read
  std::uint64_t bytes = 16u << 20;  // of the values made
};

// The values of variables; views of documents, which must outlive the result.
class Bindings {
 public:
  void set(std::string_view name, Value value) { values_.insert_or_assign(std::string(name), std::move(value)); }
  void set(std::string_view name, const doc::Value& value) { set(name, Value::of(value)); }
  // Every field of it is a variable. `object` must outlive this.
  void fields_of(const doc::Value& object) { object_ = &object; }
  std::optional<Value> find(std::string_view name) const;

 private:
  std::map<std::string, Value, std::less<>> values_;
  const doc::Value* object_ = nullptr;
};

// A compiled expression. Threads: any.
class Program {
 public:
  // Views in the result are of the bindings' documents and of this program. Errors: invalid ("source:line:column:
  // what"): what the expression says, or that it wants more than the budget.
  Result<Value> evaluate(const Bindings& bindings, Budget& budget) const;
  Result<Value> evaluate(const Bindings& bindings) const;
  // The same, and the result must be a bool. Errors: also invalid (another type).
  Result<bool> holds(const Bindings& bindings, Budget& budget) const;
  const std::string& text() const;

 private:
  friend Result<Program> compile(std::string_view text, const Options& options);
  explicit Program(std::shared_ptr<const detail::Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const detail::Code> code_;
};

// Errors: invalid, "source:line:column: what": its grammar, names that are not declared, functions that are not known,
// patterns that cannot be.
Result<Program> compile(std::string_view text, const Options& options = {});

}  // namespace slipway::cel
