// Defaults and types.
#include <algorithm>

#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {

Rows value_rows() {
  return {
      {"default", strings_to("aa*", [](const Items& a) { return a.size() < 2 || is_empty(a[1]) ? a[0] : a[1]; })},
      {"empty", strings_to("a", [](const Items& a) { return is_empty(a[0]); })},
      {"coalesce", strings_to("a*",
                              [](const Items& a) {
                                auto found = std::find_if_not(a.begin(), a.end(), is_empty);
                                return found == a.end() ? Value(Value::Nil{}) : *found;
                              })},
      {"all", strings_to("a*", [](const Items& a) { return std::none_of(a.begin(), a.end(), is_empty); })},
      {"any", strings_to("a*", [](const Items& a) { return !std::all_of(a.begin(), a.end(), is_empty); })},
      {"ternary", strings_to("aab", [](const Items& a) { return *a[2].if_bool() ? a[0] : a[1]; })},
      {"typeOf", strings_to("a", [](const Items& a) { return go_type(a[0]); })},
      {"typeIs", strings_to("sa", [](const Items& a) { return text(a[0]) == go_type(a[1]); })},
      {"typeIsLike",
       strings_to("sa",
                  [](const Items& a) { return text(a[0]) == go_type(a[1]) || "*" + text(a[0]) == go_type(a[1]); })},
      {"kindOf", strings_to("a", [](const Items& a) { return go_kind(a[0]); })},
      {"kindIs", strings_to("sa", [](const Items& a) { return text(a[0]) == go_kind(a[1]); })},
      {"deepEqual", strings_to("aa", [](const Items& a) { return deep_equal(a[0], a[1]); })},
  };
}

}  // namespace slipway::gotemplate::sprig
