#include "gitops/appset/template.h"

#include "base/text.h"
#include "gotemplate/template.h"

namespace slipway::gitops::appset {
namespace {

using gotemplate::Items;
using gotemplate::Value;

Result<Value> slugify(const Items& a) {
  // [most [smart]] name: the name comes last, as from a pipe.
  std::size_t most = 50;
  bool smart = false;
  if (a.size() > 1) {
    const auto* n = a[0].if_int();
    if (n == nullptr || n->n < 1) return gotemplate::wrong("want a length of 1 or more");
    most = static_cast<std::size_t>(n->n);
  }
  if (a.size() > 2 && a[1].if_bool()) smart = *a[1].if_bool();
  if (a.size() > 3 || !a.back().if_string()) return gotemplate::wrong("want [length [smart]] text");
  return Value(slug(*a.back().if_string(), most, smart));
}

// Argo CD's: sprig's, and two for names.
const std::shared_ptr<const gotemplate::Functions>& functions() {
  static const auto table = [] {
    auto all = std::make_shared<gotemplate::Functions>(gotemplate::builtin_functions());
    for (const auto& [name, function] : gotemplate::sprig_functions()) all->insert_or_assign(name, function);
    all->emplace("normalize", gotemplate::Function{"s", [](const Items& a) -> Result<Value> {
                                                     return Value(normalized(*a[0].if_string()));
                                                   }});
    all->emplace("slugify", gotemplate::Function{"aa*", slugify});
    return std::shared_ptr<const gotemplate::Functions>(std::move(all));
  }();
  return table;
}

void flatten(const doc::Value& value, const std::string& path, doc::Map& out) {
  auto below = [&](std::string_view key) { return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key); };
  if (const auto* map = value.if_map()) {
    for (const auto& [key, item] : *map) flatten(item, below(key), out);
  } else if (const auto* list = value.if_list()) {
    for (std::size_t i = 0; i < list->size(); ++i) flatten((*list)[i], below(std::to_string(i)), out);
  } else {
    out.set(path, value.is_null() ? std::string() : gotemplate::print(gotemplate::from_doc(value)));
  }
}

}  // namespace

Result<Renderer> Renderer::from(doc::View spec) {
  Renderer renderer;
  renderer.go_ = spec["goTemplate"].bool_or(false);
  for (const auto& option : spec["goTemplateOptions"].items()) {
    auto missing = gotemplate::parse_option(option.text());
    if (!missing) return option.wrong(missing.error().what());
    renderer.missing_zero_ = *missing == gotemplate::MissingKey::zero;
    renderer.missing_error_ = *missing == gotemplate::MissingKey::error;
  }
  return renderer;
}

Result<std::string> Renderer::text(std::string_view text, const doc::Map& params) const {
  if (text.find("{{") == std::string_view::npos) return std::string(text);
  if (go_) {
    gotemplate::DictScope scope;
    gotemplate::Template parsed("", functions());
    parsed.missing(missing_error_  ? gotemplate::MissingKey::error
                   : missing_zero_ ? gotemplate::MissingKey::zero
                                   : gotemplate::MissingKey::invalid);
    parsed.limits({.steps = 200'000, .output = 1u << 20, .depth = 50});
    TRY_OK_IN(fmt::format("failed to parse template {}", text), parsed.parse(text));
    TRY_IN(auto out, fmt::format("failed to execute go template {}", text),
           parsed.execute(gotemplate::from_doc(doc::Value(params))));
    return out;
  }
  std::string out;
  for (;;) {
    auto open = text.find("{{");
    auto close = open == std::string_view::npos ? open : text.find("}}", open + 2);
    if (close == std::string_view::npos) return out.append(text);
    out += text.substr(0, open);
    const auto* value = params.find(trim(text.substr(open + 2, close - open - 2)));
    if (value != nullptr && value->if_string() != nullptr)
      out += *value->if_string();
    else
      out += text.substr(open, close + 2 - open);
    text.remove_prefix(close + 2);
  }
}

Result<doc::Value> Renderer::document(const doc::Value& value, const doc::Map& params) const {
  if (const auto* s = value.if_string()) {
    TRY(auto out, text(*s, params));
    return doc::Value(std::move(out));
  }
  if (const auto* list = value.if_list()) {
    doc::List out;
    for (const auto& item : *list) {
      TRY(auto one, document(item, params));
      out.push_back(std::move(one));
    }
    return doc::Value(std::move(out));
  }
  if (const auto* map = value.if_map()) {
    doc::Map out;
    for (const auto& [key, item] : *map) {
      TRY(auto name, text(key, params));
      TRY(auto one, document(item, params));
      out.set(name, std::move(one));
    }
    return doc::Value(std::move(out));
  }
  return value;
}

doc::Map flattened(const doc::Map& params) {
  doc::Map out;
  for (const auto& [key, value] : params) flatten(value, key, out);
  return out;
}

std::string normalized(std::string_view text) {
  auto name = lower(text);
  for (auto& c : name)
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.') c = '-';
  if (name.size() > 253) name.resize(253);
  auto first = name.find_first_not_of("-.");
  if (first == std::string::npos) return "";
  return name.substr(first, name.find_last_not_of("-.") - first + 1);
}

std::string slug(std::string_view text, std::size_t most, bool smart) {
  std::string name;
  for (char c : lower(text)) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (plain)
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  if (name.size() <= most) return name;
  auto cut_at = most;
  if (smart && name[most] != '-')
    if (auto dash = name.rfind('-', most); dash != std::string::npos) cut_at = dash;
  name.resize(cut_at);
  while (name.ends_with('-')) name.pop_back();
  return name;
}

}  // namespace slipway::gitops::appset
