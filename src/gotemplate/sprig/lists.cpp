#include <algorithm>

#include "base/text.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

// A function of a list: `word` is how its error names what it does. Every one has a must- form that says the same.
using OfList = std::function<Result<Value>(const Items& items, const Items& arguments)>;
Function of_list(std::string_view parameters, std::size_t which, std::string_view words, OfList f) {
  return {parameters, [which, words, f](const Items& a) -> Result<Value> {
            const auto* list = a[which].if_list();
            if (list == nullptr) return wrong("{} {}", words, go_kind(a[which]));
            return f(list->items, a);
          }};
}

bool in(const Items& items, const Value& value) {
  return std::any_of(items.begin(), items.end(), [&](const Value& item) { return deep_equal(item, value); });
}

Result<Value> chunks(const Items& items, const Items& a) {
  if (num(a[0]) <= 0) return wrong("chunk size of {}, want 1 or more", num(a[0]));
  auto size = static_cast<std::size_t>(num(a[0]));
  Items out;
  for (std::size_t i = 0; i < items.size(); i += size)
    out.emplace_back(Items(items.begin() + static_cast<std::ptrdiff_t>(i),
                           items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), i + size))));
  return Value(std::move(out));
}

Result<Value> sliced(const Items& items, const Items& a) {
  if (items.empty()) return Value(Value::Nil{});
  auto size = static_cast<std::int64_t>(items.size());
  auto from = a.size() > 1 ? to_int64(a[1]) : 0, to = a.size() > 2 ? to_int64(a[2]) : size;
  if (from < 0 || to > size || from > to) return wrong("reflect.Value.Slice: slice index out of bounds");
  return Value(Items(items.begin() + from, items.begin() + to), a[0].if_list()->of);
}

Result<Value> concat(const Items& a) {
  Items out;
  for (const auto& value : a) {
    if (!value.if_list()) return wrong("Cannot concat type {} as list", go_kind(value));
    const auto& more = value.if_list()->items;
    out.insert(out.end(), more.begin(), more.end());
    TRY_OK(within(out.size(), most_items, "the list"));
  }
  return Value(std::move(out));
}

Result<Value> kept(const Items& items, const std::function<bool(const Value&, const Items&)>& keep) {
  Items out;
  for (const auto& item : items)
    if (keep(item, out)) out.push_back(item);
  return Value(std::move(out));
}

}  // namespace

Rows list_rows() {
  auto list = strings_to("a*", [](const Items& a) { return a; });
  auto push = of_list("aa", 0, "Cannot push on type", [](const Items& items, const Items& a) -> Result<Value> {
    auto out = items;
    out.push_back(a[1]);
    return Value(std::move(out));
  });
  auto has = Function{"aa", [](const Items& a) -> Result<Value> {
                        if (a[1].nothing()) return Value(false);
                        if (!a[1].if_list()) return wrong("Cannot find has on type {}", go_kind(a[1]));
                        return Value(in(a[1].if_list()->items, a[0]));
                      }};
  Rows must{
      {"append", push},
      {"push", push},
      {"prepend", of_list("aa", 0, "Cannot prepend on type",
                          [](const Items& items, const Items& a) -> Result<Value> {
                            auto out = items;
                            out.insert(out.begin(), a[1]);
                            return Value(std::move(out));
                          })},
      {"first", of_list("a", 0, "Cannot find first on type",
                        [](const Items& items, const Items&) -> Result<Value> {
                          return items.empty() ? Value(Value::Nil{}) : items.front();
                        })},
      {"last", of_list("a", 0, "Cannot find last on type",
                       [](const Items& items, const Items&) -> Result<Value> {
                         return items.empty() ? Value(Value::Nil{}) : items.back();
                       })},
      {"rest", of_list("a", 0, "Cannot find rest on type",
                       [](const Items& items, const Items&) -> Result<Value> {
                         if (items.empty()) return Value(Value::Nil{});
                         return Value(Items(items.begin() + 1, items.end()));
                       })},
      {"initial", of_list("a", 0, "Cannot find initial on type",
                          [](const Items& items, const Items&) -> Result<Value> {
                            if (items.empty()) return Value(Value::Nil{});
                            return Value(Items(items.begin(), items.end() - 1));
                          })},
      {"reverse", of_list("a", 0, "Cannot find reverse on type",
                          [](const Items& items, const Items&) -> Result<Value> {
                            return Value(Items(items.rbegin(), items.rend()));
                          })},
      {"compact", of_list("a", 0, "Cannot compact on type",
                          [](const Items& items, const Items&) {
                            return kept(items, [](const Value& v, const Items&) { return !is_empty(v); });
                          })},
      {"uniq", of_list("a", 0, "Cannot find uniq on type",
                       [](const Items& items, const Items&) -> Result<Value> {
                         TRY_OK(within(items.size(), 10'000, "the list"));
                         return kept(items, [](const Value& v, const Items& so_far) { return !in(so_far, v); });
                       })},
      {"without", of_list("aa*", 0, "Cannot find without on type",
                          [](const Items& items, const Items& a) {
                            Items omitted(a.begin() + 1, a.end());
                            return kept(items, [&](const Value& v, const Items&) { return !in(omitted, v); });
                          })},
      {"has", has},
      {"slice", of_list("aa*", 0, "list should be type of slice or array but", sliced)},
      {"chunk", of_list("ia", 1, "Cannot chunk type", chunks)},
  };
  Rows rows{
      {"list", list}, {"tuple", list}, {"concat", {"a*", concat}}, {"sortAlpha", strings_to("a", [](const Items& a) {
                                                                      auto sorted = to_strings(a[0]);
                                                                      if (a[0].if_list())
                                                                        std::sort(sorted.begin(), sorted.end());
                                                                      return strings(std::move(sorted));
                                                                    })}};
  // Names live as long as the program.
  static const std::map<std::string_view, std::string_view> long_names{
      {"append", "mustAppend"},   {"push", "mustPush"},  {"prepend", "mustPrepend"}, {"first", "mustFirst"},
      {"last", "mustLast"},       {"rest", "mustRest"},  {"initial", "mustInitial"}, {"reverse", "mustReverse"},
      {"compact", "mustCompact"}, {"uniq", "mustUniq"},  {"without", "mustWithout"}, {"has", "mustHas"},
      {"slice", "mustSlice"},     {"chunk", "mustChunk"}};
  for (auto& [name, function] : must) {
    rows.emplace_back(long_names.at(name), function);
    rows.emplace_back(name, std::move(function));
  }
  return rows;
}

}  // namespace slipway::gotemplate::sprig
