#include "kube/validate.h"

#include <re2/re2.h>

#include <cmath>

#include "base/encode.h"
#include "base/time.h"
#include "doc/json.h"
#include "kube/quantity.h"

namespace slipway::kube {
namespace {

using Shape = Schema::Shape;

// Where the walk stands: linked frames on the stack, printed only when something is wrong.
struct Place {
  const Place* parent = nullptr;
  std::string_view key;
  std::size_t index = 0;
  bool is_index = false;
  std::string print() const {
    if (parent == nullptr) return {};
    auto before = parent->print();
    if (is_index) return fmt::format("{}[{}]", before, index);
    bool plain = key.find_first_of("./") == std::string_view::npos;
    if (!plain) return fmt::format("{}[{}]", before, key);
    return before.empty() ? std::string(key) : fmt::format("{}.{}", before, key);
  }
};

std::string_view article(doc::Type type) {
  switch (type) {
    case doc::Type::null:
      return "null";
    case doc::Type::boolean:
      return "a boolean";
    case doc::Type::integer:
      return "an integer";
    case doc::Type::number:
      return "a number";
    case doc::Type::string:
      return "a string";
    case doc::Type::list:
      return "a list";
    case doc::Type::map:
      return "a map";
  }
  return "?";
}

class Checker {
 public:
  Checker(Checked& out, const CheckOptions& options) : out_(out), options_(options) {}

  void value(doc::Value& v, const Schema& s, const Place& at, bool in_status) {
    switch (s.shape) {
      case Shape::any:
        return;
      case Shape::string:
        if (!v.is_string()) return type(v, at, "a string");
        break;
      case Shape::boolean:
        if (!v.is_bool()) return type(v, at, "a boolean");
        break;
      case Shape::int32:
      case Shape::int64:
        if (!integer(v, s.shape == Shape::int32))
          return type(v, at, s.shape == Shape::int32 ? "an integer of 32 bits" : "an integer");
        break;
      case Shape::number:
        if (!v.is_number()) return type(v, at, "a number");
        break;
      case Shape::int_or_string:
        if (!v.is_string() && !integer(v, false)) return type(v, at, "an integer or a string");
        break;
      case Shape::bytes:
        bytes(v, at);
        break;
      case Shape::time:
      case Shape::micro_time:
        time(v, at);
        break;
      case Shape::quantity:
        quantity(v, at);
        break;
      case Shape::list:
        list(v, s, at, in_status);
        break;
      case Shape::map:
      case Shape::object:
        map(v, s, at, in_status);
        break;
    }
    if (s.extras) extras(v, *s.extras, at);
  }

 private:
  void report(Problem::What what, const Place& at, std::string message) {
    out_.problems.push_back({what, at.print(), std::move(message)});
  }
  void type(const doc::Value& v, const Place& at, std::string_view want) {
    report(Problem::What::type, at, fmt::format("want {}, got {}", want, article(v.type())));
  }
  static bool integer(doc::Value& v, bool narrow) {
    if (const auto* d = v.if_double()) {
      if (std::floor(*d) != *d || std::fabs(*d) > 9e15) return false;
      v = static_cast<std::int64_t>(*d);
    }
    const auto* n = v.if_int();
    return n != nullptr && (!narrow || (*n >= INT32_MIN && *n <= INT32_MAX));
  }
  void bytes(const doc::Value& v, const Place& at) {
    if (!v.is_string()) return type(v, at, "base64 text");
    if (!from_base64(*v.if_string())) report(Problem::What::type, at, "want base64 text");
  }
  void time(const doc::Value& v, const Place& at) {
    if (!v.is_string()) return type(v, at, "a time");
    if (!parse_rfc3339(*v.if_string()))
      report(Problem::What::type, at, fmt::format("\"{}\": want a time such as 2026-01-31T12:00:00Z", *v.if_string()));
  }
  void quantity(doc::Value& v, const Place& at) {
    if (!v.is_string() && !v.is_number()) return type(v, at, "a quantity");
    auto q = Quantity::parse(doc::View(v).text());
    if (!q) return report(Problem::What::type, at, q.error().what());
    v = q->print();
  }
  void list(doc::Value& v, const Schema& s, const Place& at, bool in_status) {
    if (!v.is_list()) return type(v, at, "a list");
    auto& items = v.list();
    for (std::size_t i = 0; i < items.size(); ++i) value(items[i], *s.items, {&at, {}, i, true}, in_status);
    if (s.list == doc::MergeSchema::ListType::map && s.extras) duplicates(items, s, at);
  }
  void duplicates(const doc::List& items, const Schema& s, const Place& at) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < items.size(); ++i) {
      std::string key;
      for (const auto& name : s.keys) {
        const auto* k = items[i].find(name);
        key += (k != nullptr ? doc::print_json(*k) : "") + "\n";
      }
      if (!seen.insert(key).second) report(Problem::What::invalid, {&at, {}, i, true}, "Duplicate value");
    }
  }
  void map(doc::Value& v, const Schema& s, const Place& at, bool in_status) {
    if (!v.is_map()) return type(v, at, "a map");
    bool keep = s.preserves_unknown() || (s.extras && s.extras->embedded);
    std::vector<std::string> drop;
    for (auto& [key, member] : v.map()) {
      Place here{&at, key};
      const auto* schema = s.child(key);
      if (schema == nullptr) {
        if (keep) continue;
        out_.unknown.push_back(here.print());
        drop.push_back(key);
        continue;
      }
      if (member.is_null() && schema->shape != Shape::any) {
        if (!(schema->extras && schema->extras->nullable)) drop.push_back(key);
        continue;
      }
      value(member, *schema, here, in_status || (at.parent == nullptr && key == "status"));
    }
    if (options_.prune)
      for (const auto& key : drop) v.map().erase(key);
    if (options_.required && s.fields != nullptr && !in_status) required(v, s, at);
  }
  void required(const doc::Value& v, const Schema& s, const Place& at) {
    for (const auto& m : s.fields->members) {
      if (!m.required || v.find(m.name) != nullptr) continue;
      // Kubernetes fills absent objects and lists of its own kinds with empty ones; what must be in them is checked
      // where the kind is.
      bool custom = m.schema->extras != nullptr;
      bool composite = m.schema->shape == Shape::object || m.schema->shape == Shape::list ||
                       m.schema->shape == Shape::map || m.schema->shape == Shape::any;
      if (!custom && (composite || m.schema->shape == Shape::time || m.schema->shape == Shape::boolean)) continue;
      if (custom && m.schema->extras->fallback) continue;
      report(Problem::What::required, {&at, m.name}, {});
    }
  }
  void extras(const doc::Value& v, const Extras& e, const Place& at) {
    if (!e.allowed.empty() && std::find(e.allowed.begin(), e.allowed.end(), v) == e.allowed.end()) {
      std::string want;
      for (const auto& a : e.allowed) want += (want.empty() ? "" : ", ") + doc::print_json(a);
      report(Problem::What::not_supported, at,
             fmt::format("Unsupported value: {}: supported values: {}", doc::print_json(v), want));
    }
    auto invalid = [&](std::string text) {
      report(Problem::What::invalid, at, fmt::format("Invalid value: {}: {}", doc::print_json(v), text));
    };
    if (v.is_number()) {
      double n = v.if_int() != nullptr ? static_cast<double>(*v.if_int()) : *v.if_double();
      if (e.minimum && n < *e.minimum) invalid(fmt::format("should be greater than or equal to {}", *e.minimum));
      if (e.maximum && n > *e.maximum) invalid(fmt::format("should be less than or equal to {}", *e.maximum));
    }
    if (const auto* text = v.if_string()) {
      auto size = static_cast<std::int64_t>(text->size());
      if (e.min_length && size < *e.min_length) invalid(fmt::format("should be at least {} chars long", *e.min_length));
      if (e.max_length && size > *e.max_length) invalid(fmt::format("should be at most {} chars long", *e.max_length));
      if (!e.pattern.empty()) {
        re2::RE2 pattern(e.pattern, re2::RE2::Quiet);
        if (pattern.ok() && !re2::RE2::PartialMatch(*text, pattern))
          invalid(fmt::format("should match '{}'", e.pattern));
      }
    }
    if (const auto* items = v.if_list()) {
      auto size = static_cast<std::int64_t>(items->size());
      if (e.min_items && size < *e.min_items) invalid(fmt::format("should have at least {} items", *e.min_items));
      if (e.max_items && size > *e.max_items) invalid(fmt::format("should have at most {} items", *e.max_items));
    }
  }

  Checked& out_;
  const CheckOptions& options_;
};

}  // namespace

Checked check(doc::Value& object, const Schema& schema, const CheckOptions& options) {
  Checked out;
  Checker(out, options).value(object, schema, {}, false);
  return out;
}

void fill_defaults(doc::Value& v, const Schema& schema) {
  if (v.is_map() && schema.fields != nullptr) {
    for (const auto& m : schema.fields->members) {
      const auto* present = v.find(m.name);
      const auto* extras = m.schema->extras.get();
      bool empty = present == nullptr || (present->is_null() && extras != nullptr && !extras->nullable);
      if (empty && extras != nullptr && extras->fallback) v.map().set(m.name, *extras->fallback);
    }
  }
  if (v.is_map())
    for (auto& [key, member] : v.map())
      if (const auto* s = schema.child(key)) fill_defaults(member, *s);
  if (v.is_list() && schema.items != nullptr)
    for (auto& item : v.list()) fill_defaults(item, *schema.items);
}

}  // namespace slipway::kube
