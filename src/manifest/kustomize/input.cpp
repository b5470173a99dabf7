#include "manifest/detail/input.h"

#include <algorithm>

#include "base/text.h"
#include "manifest/detail/overlay.h"

namespace slipway::manifest {
namespace {

std::string place(std::string_view source, doc::Mark mark) {
  return mark.line != 0 ? fmt::format("{}:{}:{}", source, mark.line, mark.column) : std::string(source);
}

}  // namespace

Result<Input> Input::lenient(const doc::Value& value, std::string_view source, std::string where) {
  Input in;
  in.source_ = source, in.where_ = std::move(where);
  if (value.is_null()) return in;
  if (!value.is_map()) {
    return fail(Kind::invalid, "{}: {}: want a map, got a {}", place(source, value.mark()),
                in.where_.empty() ? "." : in.where_, to_string(value.type()));
  }
  in.value_ = &value;
  return in;
}

Result<Input> Input::of(const doc::Value& value, std::string_view source, std::string where, Known known) {
  TRY(auto in, lenient(value, source, std::move(where)));
  in.strict_ = true;
  if (in.value_ == nullptr) return in;
  for (const auto& [key, member] : *value.if_map()) {
    if (std::any_of(known.names.begin(), known.names.end(), [&key](std::string_view k) { return iequals(k, key); }))
      continue;
    std::vector<std::string> names(known.names.begin(), known.names.end());
    auto near = nearest(key, names);
    return fail(Kind::invalid, "{}: {}unknown field \"{}\"{}", place(source, value.if_map()->key_mark(key)),
                in.where_.empty() ? "" : in.where_ + ": ", key,
                near ? fmt::format(", did you mean \"{}\"?", *near) : "");
  }
  return in;
}

const doc::Value* Input::find(std::string_view key) const {
  if (value_ == nullptr) return nullptr;
  const auto* found = value_->find(key);
  if (found == nullptr) {
    for (const auto& [name, member] : *value_->if_map()) {
      if (iequals(name, key)) found = &member;
    }
  }
  return found != nullptr && !found->is_null() ? found : nullptr;
}

doc::Mark Input::mark_of(std::string_view key) const {
  const auto* found = find(key);
  return found != nullptr ? found->mark() : value_ != nullptr ? value_->mark() : doc::Mark{};
}

Fail Input::wrong(std::string_view key, std::string_view what) const {
  return fail(Kind::invalid, "{}: {}{}{}: {}", place(source_, mark_of(key)), where_,
              where_.empty() || key.empty() ? "" : ".", key, what);
}

Result<std::string> Input::str(std::string_view key) const {
  const auto* found = find(key);
  if (found == nullptr) return std::string();
  if (const auto* text = found->if_string()) return *text;
  if (!strict_ && !found->is_list() && !found->is_map()) return scalar_text(*found);
  return wrong(key, fmt::format("want a string, got a {}{}", to_string(found->type()),
                                found->is_number() || found->is_bool() ? ": put it in quotes" : ""));
}

Result<bool> Input::flag(std::string_view key) const {
  const auto* found = find(key);
  if (found == nullptr) return false;
  if (const auto* yes = found->if_bool()) return *yes;
  return wrong(key, fmt::format("want true or false, got a {}", to_string(found->type())));
}

Result<std::int64_t> Input::number(std::string_view key) const {
  const auto* found = find(key);
  if (found == nullptr) return 0;
  if (const auto* whole = found->if_int()) return *whole;
  return wrong(key, fmt::format("want an integer, got a {}", to_string(found->type())));
}

Result<std::vector<std::string>> Input::strings(std::string_view key) const {
  std::vector<std::string> all;
  const auto* found = find(key);
  if (found == nullptr) return all;
  const auto* list = found->if_list();
  if (list == nullptr) return wrong(key, fmt::format("want a list of strings, got a {}", to_string(found->type())));
  for (const auto& item : *list) {
    if (item.is_null()) {
      all.emplace_back();
    } else if (const auto* text = item.if_string()) {
      all.push_back(*text);
    } else {
      return wrong(key,
                   fmt::format("want a list of strings, but item {} is a {}", all.size() + 1, to_string(item.type())));
    }
  }
  return all;
}

Result<StringMap> Input::string_map(std::string_view key) const {
  StringMap all;
  const auto* found = find(key);
  if (found == nullptr) return all;
  const auto* map = found->if_map();
  if (map == nullptr) return wrong(key, fmt::format("want a map of strings, got a {}", to_string(found->type())));
  for (const auto& [name, value] : *map) {
    const auto* text = value.if_string();
    if (text == nullptr && !strict_ && !value.is_list() && !value.is_map()) {
      all[name] = scalar_text(value);
      continue;
    }
    if (text == nullptr && !value.is_null()) {
      return fail(Kind::invalid, "{}: {}{}{}.{}: want a string, got a {}: put it in quotes",
                  place(source_, value.mark()), where_, where_.empty() ? "" : ".", key, name, to_string(value.type()));
    }
    all[name] = text != nullptr ? *text : "";
  }
  return all;
}

Result<std::map<std::string, bool>> Input::flags(std::string_view key) const {
  std::map<std::string, bool> all;
  const auto* found = find(key);
  if (found == nullptr) return all;
  if (!found->is_map()) return wrong(key, "want a map of true and false");
  for (const auto& [name, value] : *found->if_map()) {
    if (!value.is_bool()) return wrong(key, fmt::format("'{}' wants true or false", name));
    all[name] = *value.if_bool();
  }
  return all;
}

Result<std::vector<Input>> Input::items(std::string_view key, Known known) const {
  std::vector<Input> all;
  const auto* found = find(key);
  if (found == nullptr) return all;
  const auto* list = found->if_list();
  if (list == nullptr) return wrong(key, fmt::format("want a list, got a {}", to_string(found->type())));
  for (const auto& item : *list) {
    auto where = fmt::format("{}{}{}[{}]", where_, where_.empty() ? "" : ".", key, all.size());
    TRY(auto in, !strict_ || known.names.empty() ? lenient(item, source_, std::move(where))
                                                 : of(item, source_, std::move(where), known));
    all.push_back(std::move(in));
  }
  return all;
}

Result<std::optional<Input>> Input::child(std::string_view key, Known known) const {
  const auto* found = find(key);
  if (found == nullptr) return std::nullopt;
  auto where = fmt::format("{}{}{}", where_, where_.empty() ? "" : ".", key);
  TRY(auto in, !strict_ || known.names.empty() ? lenient(*found, source_, std::move(where))
                                               : of(*found, source_, std::move(where), known));
  return in;
}

Result<Gvk> Input::gvk() const {
  Gvk g;
  TRY(g.group, str("group"));
  TRY(g.version, str("version"));
  TRY(g.kind, str("kind"));
  return g;
}

Result<FieldSpecs> Input::field_specs(std::string_view key) const {
  FieldSpecs specs;
  TRY(auto list, items(key, {"group", "version", "kind", "path", "create"}));
  for (const auto& item : list) {
    FieldSpec spec;
    TRY(spec.gvk, item.gvk());
    TRY(spec.path, item.str("path"));
    TRY(spec.create, item.flag("create"));
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace slipway::manifest
