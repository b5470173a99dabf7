#include "ci/language/data.h"

#include <locale.h>
#include <charconv>
#include <cmath>
#include <cwctype>
#include <limits>

#include "base/text.h"
#include "doc/json.h"

namespace slipway::ci {

const Data* Object::find(std::string_view key) const {
  for (auto& [name, value] : entries)
    if (case_sensitive ? name == key : iequals(name, key)) return &value;
  return nullptr;
}

void Object::set(std::string_view key, Data value) {
  for (auto& [name, old] : entries)
    if (case_sensitive ? name == key : iequals(name, key)) {
      old = std::move(value);
      return;
    }
  entries.emplace_back(std::string(key), std::move(value));
}

Data::Data(Array a) : v_(std::make_shared<const Array>(std::move(a))) {}
Data::Data(Object o) : v_(std::make_shared<const Object>(std::move(o))) {}

Data Data::from(const doc::Value& value) {
  if (auto* b = value.if_bool()) return *b;
  if (auto* n = value.if_int()) return static_cast<double>(*n);
  if (auto* d = value.if_double()) return *d;
  if (auto* s = value.if_string()) return *s;
  if (auto* list = value.if_list()) {
    Array array;
    array.items.reserve(list->size());
    for (auto& item : *list) array.items.push_back(from(item));
    return array;
  }
  if (auto* map = value.if_map()) {
    Object object;
    object.entries.reserve(map->size());
    for (auto& [key, item] : *map) object.entries.emplace_back(key, from(item));
    return object;
  }
  return {};
}

const Array* Data::if_array() const {
  auto* p = std::get_if<std::shared_ptr<const Array>>(&v_);
  return p ? p->get() : nullptr;
}
const Object* Data::if_object() const {
  auto* p = std::get_if<std::shared_ptr<const Object>>(&v_);
  return p ? p->get() : nullptr;
}
Data Data::member(std::string_view key) const {
  auto* object = if_object();
  auto* found = object ? object->find(key) : nullptr;
  return found ? *found : Data();
}

bool Data::truthy() const {
  switch (type()) {
    case Type::null:
      return false;
    case Type::boolean:
      return *if_bool();
    case Type::number:
      return *if_number() != 0 && !std::isnan(*if_number());
    case Type::string:
      return !if_string()->empty();
    default:
      return true;
  }
}

double Data::number() const {
  switch (type()) {
    case Type::null:
      return 0;
    case Type::boolean:
      return *if_bool() ? 1 : 0;
    case Type::number:
      return *if_number();
    case Type::string:
      return parse_number(*if_string());
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

std::string Data::text() const {
  switch (type()) {
    case Type::null:
      return {};
    case Type::boolean:
      return *if_bool() ? "true" : "false";
    case Type::number:
      return print_number(*if_number());
    case Type::string:
      return *if_string();
    case Type::array:
      return "Array";
    case Type::object:
      return "Object";
  }
  return {};
}

doc::Value Data::to_doc() const {
  switch (type()) {
    case Type::null:
      return {};
    case Type::boolean:
      return *if_bool();
    case Type::number: {
      double n = *if_number();
      if (n == std::floor(n) && std::abs(n) < 9e15) return static_cast<std::int64_t>(n);
      return n;
    }
    case Type::string:
      return *if_string();
    case Type::array: {
      doc::List list;
      for (auto& item : if_array()->items) list.push_back(item.to_doc());
      return list;
    }
    case Type::object: {
      doc::Map map;
      for (auto& [key, item] : if_object()->entries) map.set(key, item.to_doc());
      return map;
    }
  }
  return {};
}

namespace {

void put_json(std::string& out, const Data& value, std::size_t indent) {
  auto line = [&](std::size_t depth) { out += '\n', out.append(depth * 2, ' '); };
  if (auto* array = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < array->items.size(); ++i) {
      if (i > 0) out += ',';
      line(indent + 1);
      put_json(out, array->items[i], indent + 1);
    }
    if (!array->items.empty()) line(indent);
    out += ']';
  } else if (auto* object = value.if_object()) {
    out += '{';
    for (std::size_t i = 0; i < object->entries.size(); ++i) {
      if (i > 0) out += ',';
      line(indent + 1);
      out += doc::json_quote(object->entries[i].first) + ": ";
      put_json(out, object->entries[i].second, indent + 1);
    }
    if (!object->entries.empty()) line(indent);
    out += '}';
  } else if (auto* s = value.if_string()) {
    out += doc::json_quote(*s);
  } else if (value.is_null()) {
    out += "null";
  } else {
    out += value.text();
  }
}

// One code point of well-formed UTF-8; a broken byte stands for itself.
char32_t next_point(std::string_view text, std::size_t& i) {
  auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  unsigned lead = byte(i++);
  int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  if (lead < 0x80 || more == 0) return lead;
  char32_t point = lead & (0x3fU >> more);
  for (int k = 0; k < more; ++k) {
    if ((byte(i) & 0xc0) != 0x80) return lead;
    point = (point << 6) | (byte(i++) & 0x3f);
  }
  return point;
}

char32_t upper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  auto up = utf8 ? static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), utf8)) : c;
  return up < 0x80 ? c : up;  // ordinal comparison keeps the dotless i apart from I
}

void put_point(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

}  // namespace

std::string Data::json() const {
  std::string out;
  put_json(out, *this, 0);
  return out;
}
std::string Data::print() const { return if_string() ? fmt::format("'{}'", *if_string()) : text(); }

int compare_ignoring_case(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    char32_t x = upper(next_point(a, i)), y = upper(next_point(b, j));
    if (x != y) return x < y ? -1 : 1;
  }
  return i < a.size() ? 1 : j < b.size() ? -1 : 0;
}

std::string upper_text(std::string_view utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size();) put_point(out, upper(next_point(utf8, i)));
  return out;
}

bool loose_equal(const Data& a, const Data& b) {
  if (a.type() == b.type()) {
    switch (a.type()) {
      case Data::Type::null:
        return true;
      case Data::Type::boolean:
        return *a.if_bool() == *b.if_bool();
      case Data::Type::number:
        return *a.if_number() == *b.if_number();
      case Data::Type::string:
        return compare_ignoring_case(*a.if_string(), *b.if_string()) == 0;
      case Data::Type::array:
        return a.if_array() == b.if_array();
      case Data::Type::object:
        return a.if_object() == b.if_object();
    }
  }
  return a.number() == b.number();
}

bool loose_less(const Data& a, const Data& b, bool or_equal) {
  if (a.type() == b.type() && a.if_string()) {
    int order = compare_ignoring_case(*a.if_string(), *b.if_string());
    return or_equal ? order <= 0 : order < 0;
  }
  if (a.type() == b.type() && !a.is_primitive()) return or_equal && loose_equal(a, b);
  double x = a.number(), y = b.number();
  return or_equal ? x <= y : x < y;
}

double parse_number(std::string_view text) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  text = trim(text);
  if (text.empty()) return 0;
  for (auto [prefix, base] : {std::pair<std::string_view, int>{"0x", 16}, {"0o", 8}}) {
    if (!text.starts_with(prefix)) continue;
    std::uint32_t n = 0;  // as the reference: 32 bits, two's complement
    auto digits = text.substr(2);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n, base);
    return error == std::errc() && end == digits.data() + digits.size() && !digits.empty()
               ? static_cast<std::int32_t>(n)
               : nan;
  }
  bool negative = text.front() == '-';
  auto rest = text.front() == '+' || negative ? text.substr(1) : text;
  if (rest == "Infinity") return negative ? -infinity : infinity;
  // from_chars also takes "inf", "nan" and a second sign: a number starts with a digit or a dot.
  if (rest.empty() || !((rest[0] >= '0' && rest[0] <= '9') || rest[0] == '.')) return nan;
  if (rest == ".") return nan;
  double n = 0;
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), n);
  if (end != rest.data() + rest.size()) return nan;
  if (error == std::errc::result_out_of_range)
    n = strtod(std::string(rest).c_str(), nullptr);
  else if (error != std::errc())
    return nan;
  return negative ? -n : n;
}

std::string print_number(double n) {
  if (std::isnan(n)) return "NaN";
  if (std::isinf(n)) return n < 0 ? "-Infinity" : "Infinity";
  if (n == 0) return "0";
  return fmt::format("{:.15G}", n);
}

}  // namespace slipway::ci
