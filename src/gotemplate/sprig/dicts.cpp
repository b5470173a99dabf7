#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

const Dict nothing;
// A nil map reads as an empty one, as in Go.
const Dict& dict_of(const Value& value) { return value.if_dict() != nullptr ? *value.if_dict() : nothing; }

Result<Value> make_dict(const Items& a) {
  Dict dict;
  for (std::size_t i = 0; i < a.size(); i += 2)
    dict.insert_or_assign(strval(a[i]),
                          i + 1 < a.size() ? (a[i + 1].nothing() ? Value(Value::Nil{}) : a[i + 1]) : Value(""));
  return Value(std::move(dict));
}

Result<Value> set(const Items& a) {
  if (a[0].if_dict() == nullptr) return wrong("assignment to entry in nil map");
  a[0].if_dict()->insert_or_assign(text(a[1]), a[2].nothing() ? Value(Value::Nil{}) : a[2]);
  return a[0];
}

// What is empty in `into` is taken from `from`; with `overwrite` also what is not.
void merge_into(Dict& into, const Dict& from, bool overwrite, int depth) {
  if (depth > 100) return;
  for (const auto& [key, value] : from) {
    auto found = into.find(key);
    if (found == into.end()) {
      into.emplace(key, value);
    } else if (found->second.if_dict() != nullptr && value.if_dict() != nullptr) {
      if (!found->second.same_place(value))
        merge_into(*found->second.if_dict(), *value.if_dict(), overwrite, depth + 1);
    } else if (overwrite ? !is_empty(value) : is_empty(found->second)) {
      found->second = value;
    }
  }
}

Function merging(bool overwrite) {
  return {"dd*", [overwrite](const Items& a) -> Result<Value> {
            if (a[0].if_dict() == nullptr) return wrong("assignment to entry in nil map");
            for (std::size_t i = 1; i < a.size(); ++i)
              if (!a[i].same_place(a[0])) merge_into(*a[0].if_dict(), dict_of(a[i]), overwrite, 0);
            return a[0];
          }};
}

Result<Value> dig(const Items& a) {
  if (a.size() < 3) return wrong("dig needs at least three arguments");
  auto at = a.back();
  for (std::size_t i = 0; i + 2 < a.size(); ++i) {
    if (at.if_dict() == nullptr)
      return wrong("interface conversion: interface {{}} is {}, not map[string]interface {{}}",
                   at.nothing() ? "nil" : go_type(at));
    if (!a[i].if_string()) return wrong("interface conversion: interface {{}} is {}, not string", go_type(a[i]));
    auto found = at.if_dict()->find(text(a[i]));
    if (found == at.if_dict()->end()) return a[a.size() - 2];
    at = Value(found->second);
  }
  return at;
}

Result<Value> pluck(const Items& a) {
  Items out;
  for (std::size_t i = 1; i < a.size(); ++i)
    if (auto found = dict_of(a[i]).find(text(a[0])); found != dict_of(a[i]).end()) out.push_back(found->second);
  return Value(std::move(out));
}

Result<Value> picked(const Items& a, bool omit) {
  Dict out;
  if (omit) out = dict_of(a[0]);
  for (std::size_t i = 1; i < a.size(); ++i) {
    auto found = dict_of(a[0]).find(text(a[i]));
    if (found == dict_of(a[0]).end()) continue;
    if (omit)
      out.erase(text(a[i]));
    else
      out.insert(*found);
  }
  return Value(std::move(out));
}

}  // namespace

Rows dict_rows() {
  return {
      {"dict", {"a*", make_dict}},
      {"get", strings_to("ds",
                         [](const Items& a) {
                           auto found = dict_of(a[0]).find(text(a[1]));
                           return found == dict_of(a[0]).end() ? Value("") : found->second;
                         })},
      {"set", {"dsa", set}},
      {"unset", strings_to("ds",
                           [](const Items& a) {
                             if (a[0].if_dict() != nullptr) a[0].if_dict()->erase(text(a[1]));
                             return a[0];
                           })},
      {"hasKey", strings_to("ds", [](const Items& a) { return dict_of(a[0]).contains(text(a[1])); })},
      {"pluck", {"sd*", pluck}},
      // Go gives keys and values in any order; here they are sorted.
      {"keys", strings_to("d*",
                          [](const Items& a) {
                            std::vector<std::string> out;
                            for (const auto& dict : a)
                              for (const auto& [key, value] : dict_of(dict)) out.push_back(key);
                            return strings(std::move(out));
                          })},
      {"values", strings_to("d",
                            [](const Items& a) {
                              Items out;
                              for (const auto& [key, value] : dict_of(a[0])) out.push_back(value);
                              return out;
                            })},
      {"pick", {"ds*", [](const Items& a) { return picked(a, false); }}},
      {"omit", {"ds*", [](const Items& a) { return picked(a, true); }}},
      {"merge", merging(false)},
      {"mustMerge", merging(false)},
      {"mergeOverwrite", merging(true)},
      {"mustMergeOverwrite", merging(true)},
      {"deepCopy", strings_to("a", [](const Items& a) { return copy(a[0]); })},
      {"mustDeepCopy", strings_to("a", [](const Items& a) { return copy(a[0]); })},
      {"dig", {"a*", dig}},
  };
}

}  // namespace slipway::gotemplate::sprig
