// Functions of strings: the language's own and those of the strings extension. Positions count code points.
#include <algorithm>

#include "cel/detail/format.h"
#include "cel/detail/function.h"
#include "cel/detail/utf8.h"

namespace slipway::cel::detail {
namespace {

using Args = std::span<const Value>;
std::string_view str(const Value& v) { return *v.if_string(); }

// As many steps as searching may take.
Result<> pay_search(Run& run, Args a) { return run.spend((str(a[0]).size() + str(a[1]).size()) / 10); }

Result<Value> contains(Run& run, Args a) {
  TRY_OK(pay_search(run, a));
  return Value(str(a[0]).contains(str(a[1])));
}
Result<Value> starts_with(Run& run, Args a) {
  TRY_OK(run.spend_on(str(a[1])));
  return Value(str(a[0]).starts_with(str(a[1])));
}
Result<Value> ends_with(Run& run, Args a) {
  TRY_OK(run.spend_on(str(a[1])));
  return Value(str(a[0]).ends_with(str(a[1])));
}

Result<std::u32string> points(Run& run, std::string_view text) {
  TRY_OK(run.spend_on(text));
  return decode(text);
}
Fail out_of_range(std::int64_t at) { return fail(Kind::invalid, "index out of range: {}", at); }

Result<Value> char_at(Run& run, Args a) {
  TRY(auto text, points(run, str(a[0])));
  auto at = *a[1].if_int();
  if (at < 0 || static_cast<std::size_t>(at) > text.size()) return out_of_range(at);
  return run.text(encode(std::u32string_view(text).substr(static_cast<std::size_t>(at), 1)));
}

// Where it is, from the front at or after a position.
Result<Value> index_of(Run& run, Args a) {
  TRY(auto text, points(run, str(a[0])));
  TRY(auto wanted, points(run, str(a[1])));
  std::int64_t from = a.size() == 3 ? *a[2].if_int() : 0;
  if (from < 0) return out_of_range(from);
  if (static_cast<std::size_t>(from) > text.size()) return Value(-1);
  auto found = text.find(wanted, static_cast<std::size_t>(from));
  return Value(found == std::u32string::npos ? std::int64_t{-1} : static_cast<std::int64_t>(found));
}
// From the back at or before a position.
Result<Value> last_index_of(Run& run, Args a) {
  TRY(auto text, points(run, str(a[0])));
  TRY(auto wanted, points(run, str(a[1])));
  std::size_t from = std::u32string::npos;
  if (a.size() == 3) {
    auto given = *a[2].if_int();
    if (given < 0) return out_of_range(given);
    if (static_cast<std::size_t>(given) > text.size()) return Value(-1);
    from = static_cast<std::size_t>(given);
  }
  auto found = text.rfind(wanted, from);
  return Value(found == std::u32string::npos ? std::int64_t{-1} : static_cast<std::int64_t>(found));
}

Result<Value> substring(Run& run, Args a) {
  TRY(auto text, points(run, str(a[0])));
  auto size = static_cast<std::int64_t>(text.size());
  auto from = *a[1].if_int(), to = a.size() == 3 ? *a[2].if_int() : size;
  if (from < 0 || from > size) return out_of_range(from);
  if (to < 0 || to > size) return out_of_range(to);
  if (from > to) return fail(Kind::invalid, "invalid substring range. start: {}, end: {}", from, to);
  return run.text(
      encode(std::u32string_view(text).substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from))));
}

template <char first, char last, int by>
Result<Value> change_case(Run& run, Args a) {
  TRY_OK(run.spend_on(str(a[0])));
  std::string out(str(a[0]));
  for (char& c : out)
    if (c >= first && c <= last) c = static_cast<char>(c + by);
  return run.text(std::move(out));
}

Result<Value> reverse(Run& run, Args a) {
  TRY(auto text, points(run, str(a[0])));
  std::ranges::reverse(text);
  return run.text(encode(text));
}

// Where `separator` is in `text`, one after another; an empty one is before each character and at the end.
template <class Found>
Result<> each_place(Run& run, std::string_view text, std::string_view separator, const Found& found) {
  std::size_t at = 0;
  while (at <= text.size()) {
    TRY_OK(run.spend(1));
    auto place = separator.empty() ? at : text.find(separator, at);
    if (place == std::string_view::npos || !found(place)) return {};
    at = place + separator.size();
    if (!separator.empty()) continue;
    if (at == text.size()) return {};
    (void)next_code_point(text, at);
  }
  return {};
}

Result<Value> replace(Run& run, Args a) {
  auto text = str(a[0]), from = str(a[1]), to = str(a[2]);
  std::int64_t most = a.size() == 4 ? *a[3].if_int() : -1;
  TRY_OK(pay_search(run, a));
  std::string out;
  std::size_t done = 0;
  std::int64_t count = 0;
  Result<> made;
  TRY_OK(each_place(run, text, from, [&](std::size_t place) {
    if (most >= 0 && count++ >= most) return false;
    made = run.make(place - done + to.size());
    if (!made) return false;
    out += text.substr(done, place - done);
    out += to;
    done = place + from.size();
    return true;
  }));
  TRY_OK(made);
  out += text.substr(done);
  TRY_OK(run.make(text.size() - done));
  return Value(std::move(out));
}

Result<Value> split(Run& run, Args a) {
  auto text = str(a[0]), separator = str(a[1]);
  std::int64_t most = a.size() == 3 ? *a[2].if_int() : -1;
  if (most == 0) return run.list({});
  TRY_OK(pay_search(run, a));
  List::Items items;
  std::size_t done = 0;
  Result<> made;
  auto add = [&](std::size_t end) {
    made = run.make(end - done + sizeof(Value));
    if (!made) return false;
    items.push_back(Value(std::string(text.substr(done, end - done))));
    return true;
  };
  TRY_OK(each_place(run, text, separator, [&](std::size_t place) {
    if (most > 0 && static_cast<std::int64_t>(items.size()) + 1 >= most) return false;
    // An empty separator is between characters only.
    if (separator.empty() && (place == 0 || place == text.size())) return true;
    if (!add(place)) return false;
    done = place + separator.size();
    return true;
  }));
  TRY_OK(made);
  if ((!separator.empty() || !text.empty()) && !add(text.size())) TRY_OK(made);
  return Value(List(std::move(items)));
}

Result<Value> join(Run& run, Args a) {
  const auto& list = *a[0].if_list();
  auto separator = a.size() == 2 ? str(a[1]) : std::string_view();
  std::string out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    TRY_OK(run.spend(1));
    auto item = list.at(i);
    auto text = item.if_string();
    if (!text) return fail(Kind::invalid, "join of {}, want strings", item.type());
    TRY_OK(run.make(text->size() + separator.size()));
    if (i > 0) out += separator;
    out += *text;
  }
  return Value(std::move(out));
}

// Unicode's White_Space.
bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
Result<Value> trim(Run& run, Args a) {
  TRY(auto text, points(run, str(a[0])));
  auto first = std::ranges::find_if_not(text, is_space);
  auto last = std::find_if_not(text.rbegin(), std::make_reverse_iterator(first), is_space).base();
  return run.text(encode(std::u32string(first, last)));
}

Result<Value> quote(Run& run, Args a) {
  TRY_OK(run.spend_on(str(a[0])));
  constexpr std::string_view special = "\a\b\f\n\r\t\v\\\"", letters = "abfnrtv\\\"";
  std::string out = "\"";
  for (char c : encode(decode(str(a[0])))) {
    auto at = special.find(c);
    if (at != std::string_view::npos) out += '\\';
    out += at != std::string_view::npos ? letters[at] : c;
  }
  return run.text(out + '"');
}

Result<Value> formatted(Run& run, Args a) {
  TRY(auto out, format(run, str(a[0]), *a[1].if_list()));
  return Value(std::move(out));
}

constexpr Overload all[] = {
    {"contains", ".ss", contains},
    {"startsWith", ".ss", starts_with},
    {"endsWith", ".ss", ends_with},
    {"charAt", ".si", char_at},
    {"indexOf", ".ss", index_of},
    {"indexOf", ".ssi", index_of},
    {"lastIndexOf", ".ss", last_index_of},
    {"lastIndexOf", ".ssi", last_index_of},
    {"substring", ".si", substring},
    {"substring", ".sii", substring},
    {"lowerAscii", ".s", change_case<'A', 'Z', 32>},
    {"upperAscii", ".s", change_case<'a', 'z', -32>},
    {"reverse", ".s", reverse},
    {"replace", ".sss", replace},
    {"replace", ".sssi", replace},
    {"split", ".ss", split},
    {"split", ".ssi", split},
    {"join", ".l", join},
    {"join", ".ls", join},
    {"trim", ".s", trim},
    {"format", ".sl", formatted},
    {"strings.quote", "s", quote},
};

}  // namespace

Overloads string_functions() { return all; }

}  // namespace slipway::cel::detail
