#pragma once
// Values as templates see them: Go's, by reference where Go has references, so that `set` changes what others hold.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "doc/value.h"

namespace slipway::gotemplate {

class Value;
using Items = std::vector<Value>;
using Dict = std::map<std::string, Value, std::less<>>;  // Go prints and ranges over maps by sorted key

// A thing with fields and methods of its own (Helm's .Files, a time). Threads: as its maker says.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string go_type() const = 0;
  virtual std::string print() const = 0;
  virtual std::optional<Value> field(std::string_view name) const;
  // Nothing: no such method. Errors: what the method says.
  virtual std::optional<Result<Value>> call(std::string_view name, const Items& arguments) const;
};

struct Int {
  std::int64_t n = 0;
  bool wide = false;  // int64, else int
};
// A slice: its items and what Go calls their type.
struct List {
  enum class Of { any, strings, ints };
  Items items;
  Of of = Of::any;
};

// Copies share lists and dicts. Threads: one at a time for values that share.
class Value {
 public:
  // None is Go's invalid value (a key that is not there), Nil an interface that holds nothing.
  struct None {};
  struct Nil {};
  Value() = default;
  Value(None) {}
  Value(Nil nil) : v_(nil) {}
  Value(bool b) : v_(b) {}
  Value(int n) : v_(Int{n, false}) {}
  Value(Int n) : v_(n) {}
  Value(double d) : v_(d) {}
  Value(const char* s) : v_(std::string(s)) {}
  Value(std::string_view s) : v_(std::string(s)) {}
  Value(std::string s) : v_(std::move(s)) {}
  Value(Items items, List::Of of = List::Of::any) : v_(std::make_shared<List>(List{std::move(items), of})) {}
  Value(Dict dict);
  Value(std::shared_ptr<const Object> object) : v_(std::move(object)) {}

  bool is_none() const { return std::holds_alternative<None>(v_); }
  bool is_nil() const { return std::holds_alternative<Nil>(v_); }
  bool nothing() const { return is_none() || is_nil(); }
  const bool* if_bool() const { return std::get_if<bool>(&v_); }
  const Int* if_int() const { return std::get_if<Int>(&v_); }
  const double* if_float() const { return std::get_if<double>(&v_); }
  const std::string* if_string() const { return std::get_if<std::string>(&v_); }
  const List* if_list() const { return get<List>(); }
  Dict* if_dict() const { return get<Dict>(); }
  const Object* if_object() const {
    auto* held = std::get_if<std::shared_ptr<const Object>>(&v_);
    return held != nullptr ? held->get() : nullptr;
  }
  // Came out of a map or list, whose items Go knows as interface {}: what an error calls its type.
  bool boxed = false;
  // The same list or dict, not an equal one.
  bool same_place(const Value& other) const;

 private:
  template <class T>
  T* get() const {
    auto* held = std::get_if<std::shared_ptr<T>>(&v_);
    return held != nullptr ? held->get() : nullptr;
  }
  std::variant<None, Nil, bool, Int, double, std::string, std::shared_ptr<List>, std::shared_ptr<Dict>,
               std::shared_ptr<const Object>>
      v_;
};

// Dicts that this thread makes while it lives are emptied when it goes: one that was put into itself (`set $d "d" $d`)
// would hold itself for ever. What is to outlast it must be no Value. Threads: goes on the one that made it, innermost
// first.
class DictScope {
 public:
  DictScope();
  ~DictScope();
  DictScope(const DictScope&) = delete;
  DictScope& operator=(const DictScope&) = delete;

 private:
  friend class Value;
  std::vector<std::weak_ptr<Dict>> made_;
  DictScope* outer_;
};

Value strings(std::vector<std::string> list);
inline Value int64(std::int64_t n) { return Int{n, true}; }

// As Go's JSON decoder gives documents: every number is a float64.
Value from_doc(const doc::Value& value);
// Objects become their text. Errors: invalid (deeper than documents may be, which is how a dict in itself shows).
Result<doc::Value> to_doc(const Value& value);

bool truth(const Value& value);           // what `if` takes it for
bool is_empty(const Value& value);        // what sprig's `default` takes it for
std::string go_type(const Value& value);  // int, []interface {}, map[string]interface {} ...
std::string go_kind(const Value& value);  // int, slice, map ...
bool deep_equal(const Value& a, const Value& b);
// %v. Values within themselves are cut off.
std::string print(const Value& value);
// Go's fmt.Sprintf.
std::string format(std::string_view pattern, const Items& arguments);
// fmt.Sprint and Sprintln.
std::string print_all(const Items& values);
std::string print_line(const Items& values);
std::string print_float(double value, char verb = 'g', int precision = -1);  // strconv.FormatFloat
std::string go_quote(std::string_view text);                                 // strconv.Quote

}  // namespace slipway::gotemplate
