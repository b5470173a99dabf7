#include "gotemplate/value.h"

#include <cmath>
#include <utility>

namespace slipway::gotemplate {
namespace {

thread_local DictScope* scope = nullptr;
constexpr int deepest = 100;
constexpr std::size_t most_values = 1'000'000;  // lists can share what they hold without end

Result<doc::Value> to_doc_at(const Value& value, int depth, std::size_t& left) {
  if (depth > deepest) return fail(Kind::invalid, "a value lies more than {} levels deep", deepest);
  if (left == 0) return fail(Kind::invalid, "a value holds more than {} others", most_values);
  --left;
  if (const auto* b = value.if_bool()) return doc::Value(*b);
  if (const auto* n = value.if_int()) return doc::Value(n->n);
  if (const auto* d = value.if_float()) {
    // encoding/json writes 3.0 as 3.
    if (std::trunc(*d) == *d && std::fabs(*d) < 0x1p53) return doc::Value(static_cast<std::int64_t>(*d));
    return doc::Value(*d);
  }
  if (const auto* s = value.if_string()) return doc::Value(*s);
  if (const auto* list = value.if_list()) {
    doc::List out;
    for (const auto& item : list->items) {
      TRY(auto one, to_doc_at(item, depth + 1, left));
      out.push_back(std::move(one));
    }
    return doc::Value(std::move(out));
  }
  if (const auto* dict = value.if_dict()) {
    doc::Map out;
    for (const auto& [key, item] : *dict) {
      TRY(auto one, to_doc_at(item, depth + 1, left));
      out.append(key, std::move(one));
    }
    return doc::Value(std::move(out));
  }
  if (const auto* object = value.if_object()) return doc::Value(object->print());
  return doc::Value();
}

bool equal_at(const Value& a, const Value& b, int depth, std::size_t& left) {
  if (a.nothing() || b.nothing()) return a.nothing() && b.nothing();
  if (go_type(a) != go_type(b) || depth > deepest || left == 0) return false;
  --left;
  if (a.if_bool()) return *a.if_bool() == *b.if_bool();
  if (a.if_int()) return a.if_int()->n == b.if_int()->n;
  if (a.if_float()) return *a.if_float() == *b.if_float();
  if (a.if_string()) return *a.if_string() == *b.if_string();
  if (a.same_place(b)) return true;
  if (a.if_list()) {
    const auto &x = a.if_list()->items, &y = b.if_list()->items;
    if (x.size() != y.size()) return false;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!equal_at(x[i], y[i], depth + 1, left)) return false;
    return true;
  }
  if (a.if_dict()) {
    const auto &x = *a.if_dict(), &y = *b.if_dict();
    if (x.size() != y.size()) return false;
    for (const auto& [key, value] : x) {
      auto other = y.find(key);
      if (other == y.end() || !equal_at(value, other->second, depth + 1, left)) return false;
    }
    return true;
  }
  return a.if_object()->print() == b.if_object()->print();
}

}  // namespace

DictScope::DictScope() : outer_(std::exchange(scope, this)) {}

DictScope::~DictScope() {
  scope = outer_;
  for (auto& made : made_)
    if (auto dict = made.lock()) dict->clear();
}

Value::Value(Dict dict) {
  auto held = std::make_shared<Dict>(std::move(dict));
  if (scope != nullptr) scope->made_.push_back(held);
  v_ = std::move(held);
}

std::optional<Value> Object::field(std::string_view) const { return std::nullopt; }
std::optional<Result<Value>> Object::call(std::string_view, const Items&) const { return std::nullopt; }

bool Value::same_place(const Value& other) const {
  if (if_list() != nullptr) return if_list() == other.if_list();
  if (if_dict() != nullptr) return if_dict() == other.if_dict();
  return if_object() != nullptr && if_object() == other.if_object();
}

Value strings(std::vector<std::string> list) {
  Items items;
  for (auto& text : list) items.emplace_back(std::move(text));
  return {std::move(items), List::Of::strings};
}

Value from_doc(const doc::Value& value) {
  if (const auto* b = value.if_bool()) return *b;
  if (const auto* n = value.if_int()) return static_cast<double>(*n);
  if (const auto* d = value.if_double()) return *d;
  if (const auto* s = value.if_string()) return *s;
  if (const auto* list = value.if_list()) {
    Items items;
    for (const auto& item : *list) items.push_back(from_doc(item));
    return items;
  }
  if (const auto* map = value.if_map()) {
    Dict dict;
    for (const auto& [key, item] : *map) dict.insert_or_assign(key, from_doc(item));
    return dict;
  }
  return Value::Nil{};
}

Result<doc::Value> to_doc(const Value& value) {
  auto left = most_values;
  return to_doc_at(value, 0, left);
}

bool truth(const Value& value) {
  if (const auto* b = value.if_bool()) return *b;
  if (const auto* n = value.if_int()) return n->n != 0;
  if (const auto* d = value.if_float()) return *d != 0;
  if (const auto* s = value.if_string()) return !s->empty();
  if (const auto* list = value.if_list()) return !list->items.empty();
  if (const auto* dict = value.if_dict()) return !dict->empty();
  return value.if_object() != nullptr;
}

bool is_empty(const Value& value) { return value.if_object() == nullptr && !truth(value); }

std::string go_type(const Value& value) {
  if (value.nothing()) return "<nil>";
  if (value.if_bool()) return "bool";
  if (const auto* n = value.if_int()) return n->wide ? "int64" : "int";
  if (value.if_float()) return "float64";
  if (value.if_string()) return "string";
  if (const auto* list = value.if_list())
    return list->of == List::Of::strings ? "[]string" : list->of == List::Of::ints ? "[]int" : "[]interface {}";
  if (value.if_dict()) return "map[string]interface {}";
  return value.if_object()->go_type();
}

std::string go_kind(const Value& value) {
  if (value.nothing()) return "invalid";
  if (value.if_list()) return "slice";
  if (value.if_dict()) return "map";
  if (value.if_object()) return "struct";
  return go_type(value);
}

bool deep_equal(const Value& a, const Value& b) {
  auto left = most_values;
  return equal_at(a, b, 0, left);
}

}  // namespace slipway::gotemplate
