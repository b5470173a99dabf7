#pragma once
// One document tree for YAML and JSON, with the place each value came from.
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace slipway::doc {

// Where a value stands in its source: line and column from 1 (0: made by the program), bytes [begin, end) from 0.
struct Mark {
  std::uint32_t line = 0, column = 0, begin = 0, end = 0;
};

class Value;
using List = std::vector<Value>;

// String keys in the order they were written. Look-up is linear below 16 entries and by an index above.
class Map {
 public:
  using Entry = std::pair<std::string, Value>;
  Map() = default;
  Map(std::initializer_list<Entry> entries);
  Map(const Map& other);
  Map(Map&& other) noexcept = default;
  Map& operator=(const Map& other);
  Map& operator=(Map&& other) noexcept = default;
  ~Map() = default;
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  Value& operator[](std::string_view key);      // null is added when absent
  void set(std::string_view key, Value value);  // in place, or at the end
  void append(std::string key, Value value);    // a key known to be new
  bool erase(std::string_view key);
  void clear();
  // Defined below, where a Value's size is known.
  inline std::size_t size() const;
  inline bool empty() const;
  // Values may be changed through an iterator, keys not.
  inline std::vector<Entry>::iterator begin();
  inline std::vector<Entry>::iterator end();
  inline std::vector<Entry>::const_iterator begin() const;
  inline std::vector<Entry>::const_iterator end() const;
  void reserve(std::size_t n);
  void shrink_to_fit();
  void sort_keys();  // by bytes, this level only
  // The key's own place in the source, when it was parsed.
  Mark key_mark(std::string_view key) const;
  void set_key_mark(std::string_view key, Mark mark);

 private:
  // Apart, so that a Value stays within one cache line.
  struct Extra {
    std::vector<Mark> key_marks;       // parallel to entries_ when parsed, else empty
    std::vector<std::uint32_t> slots;  // open addressing: position + 1, 0 free; empty for small maps
  };
  std::size_t position(std::string_view key) const;  // size() when absent
  void added();
  void rebuild();
  Extra& extra();
  std::vector<Entry> entries_;
  std::unique_ptr<Extra> extra_;
};

enum class Type : std::uint8_t { null, boolean, integer, number, string, list, map };
std::string_view to_string(Type type);  // "null", "bool", "integer", "number", "string", "list", "map"

// A value of a document. Equality is by content: marks do not count, 1 and 1.0 are equal, map order does not
// count. Deep copies; share through std::shared_ptr<const Value>. Threads: as a value.
class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool b) : v_(b) {}
  Value(int n) : v_(std::int64_t{n}) {}
  Value(unsigned n) : v_(std::int64_t{n}) {}
  Value(std::int64_t n) : v_(n) {}
  Value(std::uint64_t n) : v_(static_cast<std::int64_t>(n)) {}
  Value(double n) : v_(n) {}
  Value(const char* s) : v_(std::string(s)) {}
  Value(std::string_view s) : v_(std::string(s)) {}
  Value(std::string s) : v_(std::move(s)) {}
  Value(List list) : v_(std::move(list)) {}
  Value(Map map) : v_(std::move(map)) {}

  Type type() const { return static_cast<Type>(v_.index()); }
  bool is_null() const { return type() == Type::null; }
  bool is_bool() const { return type() == Type::boolean; }
  bool is_int() const { return type() == Type::integer; }
  bool is_number() const { return type() == Type::integer || type() == Type::number; }
  bool is_string() const { return type() == Type::string; }
  bool is_list() const { return type() == Type::list; }
  bool is_map() const { return type() == Type::map; }

  // The held value, or nothing when the type is another.
  const bool* if_bool() const { return std::get_if<bool>(&v_); }
  const std::int64_t* if_int() const { return std::get_if<std::int64_t>(&v_); }
  const double* if_double() const { return std::get_if<double>(&v_); }
  const std::string* if_string() const { return std::get_if<std::string>(&v_); }
  const List* if_list() const { return std::get_if<List>(&v_); }
  const Map* if_map() const { return std::get_if<Map>(&v_); }
  std::string* if_string() { return std::get_if<std::string>(&v_); }
  List* if_list() { return std::get_if<List>(&v_); }
  Map* if_map() { return std::get_if<Map>(&v_); }

  // For building: null turns into a map or list; another type is a broken invariant.
  Map& map();
  List& list();
  Value& operator[](std::string_view key) { return map()[key]; }
  // For reading: the member, or null.
  const Value* find(std::string_view key) const;
  // Walks map keys: find_path({"metadata", "labels"}).
  const Value* find_path(std::initializer_list<std::string_view> keys) const;
  // The string at a path, or "" when absent or no string.
  std::string str_at(std::initializer_list<std::string_view> keys) const;

  const Mark& mark() const { return mark_; }
  void set_mark(Mark mark) { mark_ = mark; }
  // How a YAML scalar was written; print_yaml keeps it when asked to (PrintOptions::keep_style).
  enum class Style : std::uint8_t { any, plain, single_quoted, double_quoted, literal, folded, flow };
  Style style() const { return style_; }
  void set_style(Style style) { style_ = style; }

  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map> v_;
  Mark mark_;
  Style style_ = Style::any;
};

std::size_t Map::size() const { return entries_.size(); }
bool Map::empty() const { return entries_.empty(); }
std::vector<Map::Entry>::iterator Map::begin() { return entries_.begin(); }
std::vector<Map::Entry>::iterator Map::end() { return entries_.end(); }
std::vector<Map::Entry>::const_iterator Map::begin() const { return entries_.begin(); }
std::vector<Map::Entry>::const_iterator Map::end() const { return entries_.end(); }

}  // namespace slipway::doc
