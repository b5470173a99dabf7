// Kubernetes' named formats: format.dns1123Label().validate(text) is none, or what is wrong.
#include <algorithm>
#include <chrono>

#include "base/encode.h"
#include "base/text.h"
#include "cel/detail/function.h"
#include "cel/detail/text.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

bool label(std::string_view s) {
  return !s.empty() && s.size() <= 63 && is_lower_or_digit(s.front()) && is_lower_or_digit(s.back()) &&
         std::ranges::all_of(s, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}
bool label_1035(std::string_view s) { return label(s) && s[0] >= 'a'; }
bool subdomain(std::string_view s) {
  return s.size() <= 253 && std::ranges::all_of(split(s, '.'), [](std::string_view part) {
           // Only the whole is limited, so that a part may be longer than a label.
           return !part.empty() && is_lower_or_digit(part.front()) && is_lower_or_digit(part.back()) &&
                  std::ranges::all_of(part, [](char c) { return is_lower_or_digit(c) || c == '-'; });
         });
}
// A prefix for generated names may end in a dash.
template <bool (*whole)(std::string_view)>
bool prefix(std::string_view s) {
  return s.ends_with('-') ? s.size() > 1 && whole(std::string(s.substr(0, s.size() - 1)) + "a") : whole(s);
}
bool name_part(std::string_view s) {
  return !s.empty() && s.size() <= 63 && is_alnum(s.front()) && is_alnum(s.back()) &&
         std::ranges::all_of(s, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}
bool qualified_name(std::string_view s) {
  auto parts = cut(s, "/");
  return parts ? subdomain(parts->first) && name_part(parts->second) : name_part(s);
}
bool label_value(std::string_view s) { return s.empty() || name_part(s); }
bool uri(std::string_view s) {
  auto colon = s.find(':');
  if (s.starts_with('/')) return !s.contains(' ');
  return colon != std::string_view::npos && colon > 0 && is_alnum(s[0]) && !s.contains(' ');
}
bool uuid(std::string_view s) {
  if (s.size() != 36) return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s[i] != '-' : !std::string_view("0123456789abcdefABCDEF").contains(s[i])) return false;
  }
  return true;
}
bool byte(std::string_view s) { return s.size() % 4 == 0 && from_base64(s).has_value(); }
bool datetime(std::string_view s) { return parse_time(s).has_value(); }
bool date(std::string_view s) { return s.size() == 10 && datetime(std::string(s) + "T00:00:00Z"); }

struct Rule {
  std::string_view name;
  bool (*holds)(std::string_view);
  std::string_view want;
};
constexpr std::string_view label_words =
    "a DNS label: at most 63 of a-z, 0-9 and -, with letters or digits at its ends";
constexpr std::string_view subdomain_words =
    "a DNS subdomain: at most 253 of a-z, 0-9, - and ., each part with letters or digits at its ends";
constexpr std::string_view label_1035_words = "a DNS label that starts with a letter: at most 63 of a-z, 0-9 and -";
constexpr Rule rules[] = {
    {"dns1123Label", label, label_words},
    {"dns1123Subdomain", subdomain, subdomain_words},
    {"dns1035Label", label_1035, label_1035_words},
    {"dns1123LabelPrefix", prefix<label>, label_words},
    {"dns1123SubdomainPrefix", prefix<subdomain>, subdomain_words},
    {"dns1035LabelPrefix", prefix<label_1035>, label_1035_words},
    {"qualifiedName", qualified_name,
     "a name of letters, digits, -, _ and ., with a DNS subdomain and / before it or not"},
    {"labelValue", label_value, "at most 63 letters, digits, -, _ and ., or nothing"},
    {"uri", uri, "a URI"},
    {"uuid", uuid, "a UUID"},
    {"byte", byte, "base64"},
    {"date", date, "a date like 2006-01-02"},
    {"datetime", datetime, "a time like 2006-01-02T15:04:05Z"},
};

class Format final : public Object {
 public:
  explicit Format(const Rule& rule) : rule_(rule) {}
  std::string_view type() const override { return "kubernetes.NamedFormat"; }
  bool equals(const Object& other) const override { return &rule_ == &static_cast<const Format&>(other).rule_; }
  std::string print() const override { return std::string(rule_.name); }
  const Rule& rule() const { return rule_; }

 private:
  const Rule& rule_;
};

Value made(const Rule& rule) { return Value(std::shared_ptr<const Object>(std::make_shared<Format>(rule))); }

Result<Value> named(Run&, Args a) {
  const auto* found = std::ranges::find(rules, *a[0].if_string(), &Rule::name);
  return found == std::end(rules) ? Value::none() : Value::some(made(*found));
}
template <std::size_t n>
Result<Value> one(Run&, Args) {
  return made(rules[n]);
}
Result<Value> validate(Run& run, Args a) {
  const auto& rule = static_cast<const Format*>(a[0].if_object())->rule();
  TRY_OK(run.spend_on(*a[1].if_string()));
  if (rule.holds(*a[1].if_string())) return Value::none();
  TRY(auto list, run.list({Value(std::string("want ") + std::string(rule.want))}));
  return Value::some(std::move(list));
}

constexpr Overload all[] = {
    {"format.named", "s", named},
    {"format.dns1123Label", "", one<0>},
    {"format.dns1123Subdomain", "", one<1>},
    {"format.dns1035Label", "", one<2>},
    {"format.dns1123LabelPrefix", "", one<3>},
    {"format.dns1123SubdomainPrefix", "", one<4>},
    {"format.dns1035LabelPrefix", "", one<5>},
    {"format.qualifiedName", "", one<6>},
    {"format.labelValue", "", one<7>},
    {"format.uri", "", one<8>},
    {"format.uuid", "", one<9>},
    {"format.byte", "", one<10>},
    {"format.date", "", one<11>},
    {"format.datetime", "", one<12>},
    {"validate", ".Fs", validate},
};

}  // namespace

Overloads format_functions() { return all; }

}  // namespace slipway::cel::detail
