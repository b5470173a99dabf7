#include "gotemplate/sprig/common.h"

#include <cmath>

#include "base/text.h"
#include "gotemplate/detail/parse.h"

namespace slipway::gotemplate::sprig {
namespace {

// Go's cast package takes a fraction of zeros away first.
std::int64_t integer_of(std::string_view text) {
  if (auto dot = text.find('.');
      dot != std::string_view::npos && text.find_first_not_of('0', dot + 1) == std::string_view::npos)
    text = text.substr(0, dot);
  return detail::parse_integer(text).value_or(0);
}

Value copy_at(const Value& value, int depth, std::size_t& left) {
  if (depth > 100 || left == 0) return Value::Nil{};
  --left;
  if (const auto* list = value.if_list()) {
    Items items;
    for (const auto& item : list->items) items.push_back(copy_at(item, depth + 1, left));
    return {std::move(items), list->of};
  }
  if (const auto* dict = value.if_dict()) {
    Dict out;
    for (const auto& [key, item] : *dict) out.emplace(key, copy_at(item, depth + 1, left));
    return out;
  }
  return value;
}

}  // namespace

std::int64_t to_int64(const Value& value) {
  if (const auto* n = value.if_int()) return n->n;
  if (const auto* d = value.if_float()) return std::fabs(*d) < 0x1p63 ? static_cast<std::int64_t>(*d) : 0;
  if (const auto* b = value.if_bool()) return *b ? 1 : 0;
  return value.if_string() ? integer_of(text(value)) : 0;
}

double to_float(const Value& value) {
  if (const auto* n = value.if_int()) return static_cast<double>(n->n);
  if (const auto* d = value.if_float()) return *d;
  if (const auto* b = value.if_bool()) return *b ? 1 : 0;
  return value.if_string() ? to_double(text(value)).value_or(0) : 0;
}

Value copy(const Value& value) {
  auto left = most_items;
  return copy_at(value, 0, left);
}

std::vector<std::string> to_strings(const Value& value) {
  std::vector<std::string> out;
  if (const auto* list = value.if_list()) {
    for (const auto& item : list->items)
      if (!item.nothing()) out.push_back(strval(item));
  } else if (!value.nothing()) {
    out.push_back(strval(value));
  }
  return out;
}

Result<> within(std::size_t size, std::size_t most, std::string_view what) {
  if (size > most) return wrong("{} is too large, want at most {}", what, most);
  return {};
}

Rows absent_rows() {
  Rows rows;
  for (std::string_view name : {"bcrypt", "htpasswd", "genPrivateKey", "derivePassword", "buildCustomCert", "genCA",
                                "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
                                "genSignedCertWithKey", "encryptAES", "decryptAES"})
    rows.emplace_back(
        name, Function{"a*", [](const Items&) -> Result<Value> {
                         return wrong("keys and certificates are not made by templates here: bring them as a Secret");
                       }});
  return rows;
}

}  // namespace slipway::gotemplate::sprig

namespace slipway::gotemplate {

const Functions& sprig_functions() {
  static const Functions table = [] {
    Functions all;
    using namespace sprig;
    for (auto rows : {string_rows, text_rows, number_rows, list_rows, dict_rows, value_rows, encoding_rows, regex_rows,
                      path_rows, version_rows, date_rows, absent_rows})
      for (auto& [name, function] : rows()) all.emplace(name, std::move(function));
    return all;
  }();
  return table;
}

}  // namespace slipway::gotemplate
