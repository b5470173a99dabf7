#pragma once
// The values that expressions work with. Rule: GitHub Actions' expression types and coercions ("Evaluate
// expressions in workflows and actions"): null, boolean, number (a double), string, array, object; arrays and
// objects are compared by identity, object keys ignoring case.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "doc/value.h"

namespace slipway::ci {

class Data;
struct Array {
  std::vector<Data> items;
  bool filtered = false;  // made by `.*`: a further index goes into every item
};
struct Object {
  std::vector<std::pair<std::string, Data>> entries;
  bool case_sensitive = false;  // the env context on Linux
  const Data* find(std::string_view key) const;
  void set(std::string_view key, Data value);  // replaces, or adds at the end
};

// Cheap to copy: strings by value, arrays and objects shared and immutable. Threads: as a value.
class Data {
 public:
  enum class Type : std::uint8_t { null, boolean, number, string, array, object };
  Data() = default;
  Data(std::nullptr_t) {}
  Data(bool b) : v_(b) {}
  Data(int n) : v_(static_cast<double>(n)) {}
  Data(std::int64_t n) : v_(static_cast<double>(n)) {}
  Data(double n) : v_(n) {}
  Data(const char* s) : v_(std::string(s)) {}
  Data(std::string_view s) : v_(std::string(s)) {}
  Data(std::string s) : v_(std::move(s)) {}
  Data(Array a);
  Data(Object o);
  static Data from(const doc::Value& value);

  Type type() const { return static_cast<Type>(v_.index()); }
  bool is_null() const { return type() == Type::null; }
  bool is_primitive() const { return type() < Type::array; }
  const bool* if_bool() const { return std::get_if<bool>(&v_); }
  const double* if_number() const { return std::get_if<double>(&v_); }
  const std::string* if_string() const { return std::get_if<std::string>(&v_); }
  const Array* if_array() const;
  const Object* if_object() const;
  // The member of an object, or null.
  Data member(std::string_view key) const;

  // Coercions.
  bool truthy() const;       // false: null, false, 0, NaN, ''
  double number() const;     // NaN when there is none
  std::string text() const;  // '', 'true', 0.5, 'Array', 'Object'
  doc::Value to_doc() const;
  std::string json() const;   // toJSON: indented by two, "{}" and "[]" when empty
  std::string print() const;  // for messages: strings quoted

  // The loose comparison of `==`: ignores case, coerces between kinds, NaN equals nothing.
  friend bool loose_equal(const Data& a, const Data& b);
  friend bool loose_less(const Data& a, const Data& b, bool or_equal);

 private:
  std::variant<std::monostate, bool, double, std::string, std::shared_ptr<const Array>, std::shared_ptr<const Object>>
      v_;
};
bool loose_equal(const Data& a, const Data& b);
bool loose_less(const Data& a, const Data& b, bool or_equal);

// '' is 0; decimal, 0x and 0o forms, Infinity; NaN for the rest. Blanks around are skipped.
double parse_number(std::string_view text);
// As .NET prints G15: 15 significant digits, -0 as 0, 1E+18.
std::string print_number(double n);
// Compares ignoring case, ordinally, beyond ASCII as well: <0, 0, >0.
int compare_ignoring_case(std::string_view a, std::string_view b);
std::string upper_text(std::string_view utf8);

}  // namespace slipway::ci
