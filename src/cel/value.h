#pragma once
// Values as expressions see them: CEL's types, over documents without copying them.
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "doc/value.h"

namespace slipway::cel {

class Value;

// A string or bytes: its own, or a view into what outlives it (a document, the program).
class Text {
 public:
  Text() = default;
  static Text own(std::string text);
  static Text view(std::string_view text) { return Text(nullptr, text); }
  std::string_view str() const { return view_; }

 private:
  Text(std::shared_ptr<const std::string> owned, std::string_view view) : owned_(std::move(owned)), view_(view) {}
  std::shared_ptr<const std::string> owned_;
  std::string_view view_;
};
struct Bytes {
  Text text;
};
// A point in time between the years 1 and 9999: seconds since 1970, nanoseconds in [0, 1e9).
struct Timestamp {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};
struct Duration {
  std::int64_t nanos = 0;
  friend auto operator<=>(const Duration&, const Duration&) = default;
};
// The name must be a literal.
struct TypeName {
  std::string_view name;
};

// What an extension adds: a URL, an address, a quantity. Threads: any.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string_view type() const = 0;  // a literal: "net.IP"
  virtual bool equals(const Object& other) const = 0;
  virtual std::string print() const = 0;
};

// Items of their own, or those of a document that outlives them.
class List {
 public:
  using Items = std::vector<Value>;
  List() = default;
  explicit List(const doc::List& list) : doc_(&list) {}
  explicit List(Items items);
  std::size_t size() const;
  Value at(std::size_t index) const;

 private:
  const doc::List* doc_ = nullptr;
  std::shared_ptr<const Items> items_;
};

// Entries of their own in the order they came, or those of a document. Keys are int, uint, bool or string; numbers
// that are equal are one key.
class Map {
 public:
  using Entry = std::pair<Value, Value>;
  Map() = default;
  explicit Map(const doc::Map& map) : doc_(&map) {}
  // Errors: invalid (a key of another type, or one that is there twice).
  static Result<Map> of(std::vector<Entry> entries);
  std::size_t size() const;
  Value key(std::size_t index) const;
  Value value(std::size_t index) const;
  std::optional<Value> find(const Value& key) const;

 private:
  struct Rep;
  const doc::Map* doc_ = nullptr;
  std::shared_ptr<const Rep> rep_;
};

struct Optional {
  std::shared_ptr<const Value> held;  // null: none
};

// Copies share. Threads: any (nothing changes once made).
class Value {
 public:
  Value() = default;
  Value(bool b) : v_(b) {}
  Value(int n) : v_(std::int64_t{n}) {}
  Value(std::int64_t n) : v_(n) {}
  Value(std::uint64_t n) : v_(n) {}
  Value(double n) : v_(n) {}
  Value(const char* s) : v_(Text::own(s)) {}
  Value(std::string s) : v_(Text::own(std::move(s))) {}
  Value(Text text) : v_(std::move(text)) {}
  Value(Bytes bytes) : v_(std::move(bytes)) {}
  Value(List list) : v_(std::move(list)) {}
  Value(Map map) : v_(std::move(map)) {}
  Value(Timestamp t) : v_(t) {}
  Value(Duration d) : v_(d) {}
  Value(TypeName t) : v_(t) {}
  Value(Optional o) : v_(std::move(o)) {}
  Value(std::shared_ptr<const Object> object) : v_(std::move(object)) {}
  // A view: the document must outlive it.
  static Value of(const doc::Value& value);
  static Value some(Value held) { return Optional{std::make_shared<const Value>(std::move(held))}; }
  static Value none() { return Optional{}; }

  template <class T>
  const T* if_a() const {
    return std::get_if<T>(&v_);
  }
  const bool* if_bool() const { return if_a<bool>(); }
  const std::int64_t* if_int() const { return if_a<std::int64_t>(); }
  const std::uint64_t* if_uint() const { return if_a<std::uint64_t>(); }
  const double* if_double() const { return if_a<double>(); }
  const List* if_list() const { return if_a<List>(); }
  const Map* if_map() const { return if_a<Map>(); }
  const Optional* if_optional() const { return if_a<Optional>(); }
  std::optional<std::string_view> if_string() const;
  std::optional<std::string_view> if_bytes() const;
  const Object* if_object() const;
  bool is_null() const { return v_.index() == 0; }
  bool is_number() const { return v_.index() >= 2 && v_.index() <= 4; }
  // "int", "map", "google.protobuf.Timestamp", "net.IP": what type() gives.
  std::string_view type() const;
  // The letter that signatures of functions use (detail/function.h).
  char letter() const;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, Text, Bytes, List, Map, Timestamp, Duration,
               TypeName, Optional, std::shared_ptr<const Object>>
      v_;
};

// A copy of its own. Bytes become base64, times and durations their text, numbers that fit 64 bits stay integers, an
// optional is what it holds or null. Errors: invalid (a map whose keys are no strings, more than `most` values).
Result<doc::Value> to_doc(const Value& value, std::size_t most = 1'000'000);
// For errors and tests: like the expression that makes it, cut off when long.
std::string print(const Value& value);

}  // namespace slipway::cel
