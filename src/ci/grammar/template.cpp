#include <cmath>

#include "base/text.h"
#include "ci/workflow.h"

namespace slipway::ci {

const Template* Template::find(std::string_view key) const {
  for (auto& [name, value] : entries)
    if (name.is(Sort::string) && iequals(name.text, key)) return &value;
  return nullptr;
}

std::string Template::literal_text() const {
  switch (sort) {
    case Sort::boolean:
      return boolean ? "true" : "false";
    case Sort::number:
      return print_number(number);
    case Sort::string:
      return text;
    case Sort::expression:
      return "${{ " + text + " }}";
    default:
      return {};
  }
}

namespace {

// The arguments of a call, cut at its own commas.
std::vector<std::string> arguments_of(std::string_view call) {
  std::vector<std::string> out(1);
  int depth = 0;
  bool quoted = false;
  for (char c : call) {
    if (c == '\'') quoted = !quoted;
    if (!quoted && (c == '(' || c == '[')) ++depth;
    if (!quoted && (c == ')' || c == ']')) --depth;
    if (c == ',' && !quoted && depth == 0)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

}  // namespace

std::string Template::as_written() const {
  std::string_view all = text;
  if (sort != Sort::expression || !all.starts_with("format('") || !all.ends_with(')')) return literal_text();
  auto arguments = arguments_of(all.substr(7, all.size() - 8));
  auto pattern = replace_all(arguments[0].substr(1, arguments[0].size() - 2), "''", "'");
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if ((pattern[i] == '{' || pattern[i] == '}') && i + 1 < pattern.size() && pattern[i + 1] == pattern[i]) {
      out += pattern[i++];
      continue;
    }
    auto end = pattern[i] == '{' ? pattern.find('}', i) : std::string::npos;
    auto which = end == std::string::npos ? std::nullopt : to_int(pattern.substr(i + 1, end - i - 1));
    if (!which || *which < 0 || static_cast<std::size_t>(*which) + 1 >= arguments.size()) {
      out += pattern[i];
      continue;
    }
    out += fmt::format("${{{{ {} }}}}", trim(arguments[static_cast<std::size_t>(*which) + 1]));
    i = end;
  }
  return out;
}

Result<Data> Template::evaluate(const Scope& scope, std::string_view source) const {
  switch (sort) {
    case Sort::null:
    case Sort::insert:
      return Data();
    case Sort::boolean:
      return Data(boolean);
    case Sort::number:
      return Data(number);
    case Sort::string:
      return Data(text);
    case Sort::expression: {
      auto value = expression.evaluate(scope);
      if (!value)
        return Fail(std::move(value).error().in(
            fmt::format("{}:{}:{}: ${{{{ {} }}}}", source, mark.line, mark.column, text.substr(0, 200))));
      return value;
    }
    case Sort::list: {
      Array array;
      for (auto& item : items) {
        TRY(auto value, item.evaluate(scope, source));
        // A list that an expression gives inside of a list is spliced in.
        auto* inner = item.is(Sort::expression) ? value.if_array() : nullptr;
        if (inner)
          array.items.insert(array.items.end(), inner->items.begin(), inner->items.end());
        else
          array.items.push_back(std::move(value));
      }
      return Data(std::move(array));
    }
    case Sort::map: {
      Object object;
      for (auto& [key, item] : entries) {
        TRY(auto value, item.evaluate(scope, source));
        if (key.is(Sort::insert)) {  // ${{ insert }}: an object whose members go here
          if (auto* more = value.if_object())
            for (auto& [name, inner] : more->entries) object.set(name, inner);
          continue;
        }
        TRY(auto name, key.evaluate_text(scope, source));
        object.set(name, std::move(value));
      }
      return Data(std::move(object));
    }
  }
  return Data();
}

Result<std::string> Template::evaluate_text(const Scope& scope, std::string_view source) const {
  TRY(auto value, evaluate(scope, source));
  return value.text();
}

std::string Problem::print() const {
  auto where = place.file.empty() ? ""
               : place.line == 0  ? place.file + ": "
                                  : fmt::format("{}:{}:{}: ", place.file, place.line, place.column);
  auto out = where + message;
  if (!hint.empty()) out += "; " + hint;
  return out;
}

const Trigger* Workflow::trigger(std::string_view event) const {
  for (auto& t : triggers)
    if (t.event == event) return &t;
  return nullptr;
}
const JobDefinition* Workflow::job(std::string_view id) const {
  for (auto& j : jobs)
    if (iequals(j.id, id)) return &j;
  return nullptr;
}

}  // namespace slipway::ci
