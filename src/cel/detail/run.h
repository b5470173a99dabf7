#pragma once
// One evaluation: the variables, the budget, and the walk over the tree.
#include <memory>
#include <string_view>
#include <vector>

#include "cel/cel.h"
#include "cel/detail/node.h"
#include "cel/detail/regex.h"

namespace slipway::cel::detail {

struct Code {
  std::string text, source;
  NodePtr root;
  std::uint32_t slots = 0;
  bool escaped_fields = false;
};

// Threads: one at a time.
class Run {
 public:
  Run(const Code& code, const Bindings& bindings, Budget& budget)
      : code_(code), bindings_(bindings), budget_(budget), locals_(code.slots) {}
  Result<Value> eval(const Node& node);

  // For functions. Errors: invalid (the budget is used up, which nothing in the expression can pass over).
  Result<> spend(std::uint64_t steps);
  Result<> spend_on(std::string_view text) { return spend(text.size() / 10); }  // reading it once
  Result<> make(std::uint64_t bytes);
  Result<Value> text(std::string made);
  Result<Value> list(List::Items items);
  // The last few are kept. Errors: invalid.
  Result<std::shared_ptr<const Regex>> regex(std::string_view pattern);
  // Errors: invalid (the budget).
  Result<bool> equal(const Value& a, const Value& b);

 private:
  Result<Value> select(const Node& node, const Value& of);
  Result<Value> test(const Node& node, const Value& of);
  Result<Value> index(const Node& node, const Value& of, const Value& by);
  Result<std::optional<Value>> item(const Node& node, const Value& of, const Value& by);
  std::optional<Value> field(const Node& node, const Map& map) const;
  Result<Value> call(const Node& node);
  Result<Value> op(const Node& node);
  Result<Value> sign(const Node& node);
  Result<Value> logic(const Node& node, bool decides);
  Result<Value> literal_list(const Node& node);
  Result<Value> literal_map(const Node& node);
  Result<Value> variable(const Node& node);
  Result<Value> macro(const Node& node);
  Result<Value> macro_over(const Node& node, const Value& range);
  Result<Value> macro_optional(const Node& node);
  Result<Value> quantify(const Node& node, const Value& range);
  Result<Value> one(const Node& node, const Value& range);
  Result<Value> collect(const Node& node, const Value& range);
  Result<Value> collect_map(const Node& node, const Value& range);
  // Sets the variables of a macro to its nth item.
  Result<> bind_item(const Node& node, const Value& range, std::size_t n);
  Result<bool> truth(const Node& node);
  Fail wrong(const Node& node, std::string_view what) const;

  const Code& code_;
  const Bindings& bindings_;
  Budget& budget_;
  std::vector<Value> locals_;
  std::vector<std::shared_ptr<const Regex>> regexes_;
  std::size_t next_regex_ = 0;
  bool spent_ = false;
};

// 1 + 1 and the like for values; also what sum() adds with. Errors: invalid, without a place.
Result<Value> arithmetic(Run& run, Op op, const Value& a, const Value& b);
// Below 0, 0, above 0; nothing: they cannot be compared (NaN too, with `ordered` true).
struct Order {
  bool comparable = false;
  std::partial_ordering order = std::partial_ordering::unordered;
};
Order compare(const Value& a, const Value& b);
bool scalar_equal(const Value& a, const Value& b);
Result<Value> in(Run& run, const Value& item, const Value& of);
std::string no_overload(std::string_view function, std::span<const Value> args);

}  // namespace slipway::cel::detail
