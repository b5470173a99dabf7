#include "cel/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "base/encode.h"
#include "cel/detail/run.h"
#include "cel/detail/text.h"
#include "doc/json.h"

namespace slipway::cel {

Text Text::own(std::string text) {
  auto owned = std::make_shared<const std::string>(std::move(text));
  std::string_view view = *owned;
  return {std::move(owned), view};
}

List::List(Items items) : items_(std::make_shared<const Items>(std::move(items))) {}
std::size_t List::size() const { return doc_ != nullptr ? doc_->size() : items_ ? items_->size() : 0; }
Value List::at(std::size_t index) const { return doc_ != nullptr ? Value::of((*doc_)[index]) : (*items_)[index]; }

namespace {

// One hash for numbers that are equal.
struct KeyHash {
  std::size_t operator()(const Value& key) const {
    if (auto s = key.if_string()) return std::hash<std::string_view>()(*s);
    if (const auto* b = key.if_bool()) return *b ? 3 : 5;
    if (const auto* n = key.if_int()) return std::hash<std::uint64_t>()(static_cast<std::uint64_t>(*n));
    if (const auto* n = key.if_uint()) return std::hash<std::uint64_t>()(*n);
    return 0;
  }
};
struct KeyEqual {
  bool operator()(const Value& a, const Value& b) const { return detail::scalar_equal(a, b); }
};

// A double that is a whole number as the key it is equal to.
Value as_key(const Value& key) {
  const auto* d = key.if_double();
  if (d == nullptr || std::trunc(*d) != *d) return key;
  if (*d >= -0x1p63 && *d < 0x1p63) return static_cast<std::int64_t>(*d);
  if (*d >= 0 && *d < 0x1p64) return static_cast<std::uint64_t>(*d);
  return key;
}

constexpr std::size_t few = 8;  // entries that are looked through

}  // namespace

struct Map::Rep {
  std::vector<Entry> entries;
  std::unordered_map<Value, std::size_t, KeyHash, KeyEqual> index;  // empty when there are few
};

Result<Map> Map::of(std::vector<Entry> entries) {
  auto rep = std::make_shared<Rep>();
  rep->entries = std::move(entries);
  const auto& all = rep->entries;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& key = all[i].first;
    if (!std::string_view("iubs").contains(key.letter()))
      return fail(Kind::invalid, "a key of a map is {}, want a string, int, uint or bool", key.type());
    bool twice = false;
    if (all.size() > few) {
      twice = !rep->index.try_emplace(key, i).second;
    } else {
      twice = std::any_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i),
                          [&](const Entry& before) { return detail::scalar_equal(before.first, key); });
    }
    if (twice) return fail(Kind::invalid, "the key {} is there twice", print(key));
  }
  Map map;
  map.rep_ = std::move(rep);
  return map;
}

std::size_t Map::size() const { return doc_ != nullptr ? doc_->size() : rep_ ? rep_->entries.size() : 0; }
Value Map::key(std::size_t i) const {
  return doc_ != nullptr ? Value(Text::view((doc_->begin() + static_cast<std::ptrdiff_t>(i))->first))
                         : rep_->entries[i].first;
}
Value Map::value(std::size_t i) const {
  return doc_ != nullptr ? Value::of((doc_->begin() + static_cast<std::ptrdiff_t>(i))->second)
                         : rep_->entries[i].second;
}

std::optional<Value> Map::find(const Value& key) const {
  if (doc_ != nullptr) {
    auto name = key.if_string();
    const auto* found = name ? doc_->find(*name) : nullptr;
    return found != nullptr ? std::optional(Value::of(*found)) : std::nullopt;
  }
  if (!rep_) return std::nullopt;
  auto wanted = as_key(key);
  if (!rep_->index.empty()) {
    auto it = rep_->index.find(wanted);
    return it != rep_->index.end() ? std::optional(rep_->entries[it->second].second) : std::nullopt;
  }
  for (const auto& [k, value] : rep_->entries)
    if (detail::scalar_equal(k, wanted)) return value;
  return std::nullopt;
}

Value Value::of(const doc::Value& value) {
  switch (value.type()) {
    case doc::Type::null:
      return {};
    case doc::Type::boolean:
      return *value.if_bool();
    case doc::Type::integer:
      return *value.if_int();
    case doc::Type::number:
      return *value.if_double();
    case doc::Type::string:
      return Text::view(*value.if_string());
    case doc::Type::list:
      return List(*value.if_list());
    case doc::Type::map:
      return Map(*value.if_map());
  }
  return {};
}

std::optional<std::string_view> Value::if_string() const {
  const auto* text = if_a<Text>();
  return text != nullptr ? std::optional(text->str()) : std::nullopt;
}
std::optional<std::string_view> Value::if_bytes() const {
  const auto* bytes = if_a<Bytes>();
  return bytes != nullptr ? std::optional(bytes->text.str()) : std::nullopt;
}
const Object* Value::if_object() const {
  const auto* held = if_a<std::shared_ptr<const Object>>();
  return held != nullptr ? held->get() : nullptr;
}

std::string_view Value::type() const {
  constexpr std::string_view names[] = {"null_type",
                                        "bool",
                                        "int",
                                        "uint",
                                        "double",
                                        "string",
                                        "bytes",
                                        "list",
                                        "map",
                                        "google.protobuf.Timestamp",
                                        "google.protobuf.Duration",
                                        "type",
                                        "optional_type"};
  const auto* object = if_object();
  return object != nullptr ? object->type() : names[v_.index()];
}

char Value::letter() const {
  if (const auto* object = if_object()) {
    constexpr std::pair<std::string_view, char> letters[] = {
        {"kubernetes.URL", 'U'},    {"net.IP", 'P'},
        {"net.CIDR", 'C'},          {"kubernetes.Quantity", 'Q'},
        {"kubernetes.Semver", 'V'}, {"kubernetes.NamedFormat", 'F'}};
    for (auto [type, letter] : letters)
      if (type == object->type()) return letter;
    return '?';
  }
  return std::string_view("nbiudsylmtDTo")[v_.index()];
}

namespace {

struct Copier {
  std::size_t left;

  Result<doc::Value> copy(const Value& value) {
    if (left == 0) return fail(Kind::invalid, "the result has too many values");
    --left;
    switch (value.letter()) {
      case 'n':
        return doc::Value();
      case 'b':
        return *value.if_bool();
      case 'i':
        return *value.if_int();
      case 'u':
        if (auto n = *value.if_uint(); n > static_cast<std::uint64_t>(INT64_MAX)) return static_cast<double>(n);
        return static_cast<std::int64_t>(*value.if_uint());
      case 'd':
        return *value.if_double();
      case 'y':
        return to_base64(*value.if_bytes());
      case 'l':
        return list(*value.if_list());
      case 'm':
        return map(*value.if_map());
      case 'o':
        return value.if_optional()->held ? copy(*value.if_optional()->held) : Result<doc::Value>(doc::Value());
      default:
        return detail::plain_text(value);
    }
  }
  Result<doc::Value> list(const List& from) {
    doc::List to;
    for (std::size_t i = 0; i < from.size(); ++i) {
      TRY(auto item, copy(from.at(i)));
      to.push_back(std::move(item));
    }
    return doc::Value(std::move(to));
  }
  Result<doc::Value> map(const Map& from) {
    doc::Map to;
    for (std::size_t i = 0; i < from.size(); ++i) {
      auto key = from.key(i);
      auto name = key.if_string();
      if (!name) return fail(Kind::invalid, "a key of the result is {}, want a string", key.type());
      TRY(auto value, copy(from.value(i)));
      to.append(std::string(*name), std::move(value));
    }
    return doc::Value(std::move(to));
  }
};

constexpr std::size_t longest_print = 4'000;

void append(std::string& out, const Value& value) {
  if (out.size() > longest_print) return;
  auto items = [&](char open, std::size_t size, char close, auto&& one) {
    out += open;
    for (std::size_t i = 0; i < size && out.size() <= longest_print; ++i) {
      if (i > 0) out += ", ";
      one(i);
    }
    out += close;
  };
  switch (value.letter()) {
    case 's':
      out += doc::json_quote(*value.if_string());
      return;
    case 'y':
      out += 'b' + doc::json_quote(*value.if_bytes());
      return;
    case 'u':
      out += std::to_string(*value.if_uint()) + 'u';
      return;
    case 'd': {
      auto text = detail::print_double(*value.if_double());
      out += text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
      return;
    }
    case 'l':
      items('[', value.if_list()->size(), ']', [&](std::size_t i) { append(out, value.if_list()->at(i)); });
      return;
    case 'm':
      items('{', value.if_map()->size(), '}', [&](std::size_t i) {
        append(out, value.if_map()->key(i));
        out += ": ";
        append(out, value.if_map()->value(i));
      });
      return;
    case 'o':
      out += value.if_optional()->held ? "optional.of(" : "optional.none()";
      if (value.if_optional()->held) append(out, *value.if_optional()->held), out += ')';
      return;
    case 't':
      out += "timestamp(\"" + detail::plain_text(value) + "\")";
      return;
    case 'D':
      out += "duration(\"" + detail::plain_text(value) + "\")";
      return;
    default:
      out += detail::plain_text(value);
  }
}

}  // namespace

Result<doc::Value> to_doc(const Value& value, std::size_t most) { return Copier{most}.copy(value); }

std::string print(const Value& value) {
  std::string out;
  append(out, value);
  return out;
}

}  // namespace slipway::cel
