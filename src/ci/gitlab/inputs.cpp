#include "ci/gitlab/inputs.h"

#include "base/text.h"
#include "ci/gitlab/values.h"
#include "doc/json.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::string_view open_mark = "$[[", close_mark = "]]";
constexpr std::size_t longest = 1 << 20;

std::string text_of(const doc::Value& value) {
  if (const auto* text = value.if_string()) return *text;
  return doc::print_json(value);
}

bool fits(const doc::Value& value, std::string_view type) {
  if (type == "number") return value.type() == doc::Type::integer || value.type() == doc::Type::number;
  if (type == "boolean") return value.type() == doc::Type::boolean;
  if (type == "array") return value.is_list();
  return !value.is_list() && !value.is_map() && !value.is_null();
}

class Filler {
 public:
  Filler(const doc::Map& inputs, const std::function<std::string(std::string_view)>& expand, Problems& problems)
      : inputs_(inputs), expand_(expand), problems_(problems) {}

  void fill(doc::Value& value, int depth = 0) {
    if (depth > 100 || problems_.full()) return;
    if (auto* list = value.if_list())
      for (auto& item : *list) fill(item, depth + 1);
    if (auto* map = value.if_map()) keys(*map, depth);
    const auto* text = value.if_string();
    if (!text || !text->contains(open_mark)) return;
    auto mark = value.mark();
    if (auto whole = alone(*text, mark))
      value = *std::move(whole);
    else
      value = doc::Value(within(*text, mark));
    value.set_mark(mark);
  }

 private:
  void keys(doc::Map& map, int depth) {
    doc::Map out;
    bool changed = false;
    for (auto& [key, value] : map) {
      fill(value, depth + 1);
      changed = changed || key.contains(open_mark);
    }
    if (!changed) return;
    for (auto& [key, value] : map) {
      auto mark = map.key_mark(key);
      auto name = key.contains(open_mark) ? within(key, mark) : key;
      out.set(name, std::move(value));
      out.set_key_mark(name, mark);
    }
    map = std::move(out);
  }

  // "$[[ inputs.x ]]" and nothing else: the value as it is.
  std::optional<doc::Value> alone(std::string_view text, doc::Mark mark) {
    text = trim(text);
    if (!text.starts_with(open_mark) || !text.ends_with(close_mark)) return {};
    auto inner = text.substr(open_mark.size(), text.size() - open_mark.size() - close_mark.size());
    if (inner.contains(open_mark) || inner.contains('|')) return {};
    return find(trim(inner), mark);
  }

  std::string within(std::string_view text, doc::Mark mark) {
    std::string out;
    while (out.size() < longest) {
      auto at = text.find(open_mark);
      out += text.substr(0, at);
      if (at == std::string_view::npos) break;
      auto end = text.find(close_mark, at);
      if (end == std::string_view::npos) {
        problems_.add(mark, "inputs: $[[ is not closed");
        break;
      }
      out += one(text.substr(at + open_mark.size(), end - at - open_mark.size()), mark);
      text.remove_prefix(end + close_mark.size());
    }
    return out;
  }

  std::string one(std::string_view inner, doc::Mark mark) {
    auto parts = split(inner, '|');
    auto value = find(trim(parts[0]), mark);
    auto text = value ? text_of(*value) : std::string();
    for (std::size_t i = 1; i < parts.size(); ++i) text = changed(std::move(text), trim(parts[i]), mark);
    return text;
  }

  std::string changed(std::string text, std::string_view function, doc::Mark mark) {
    if (function == "expand_vars") return expand_ ? expand_(text) : text;
    if (function == "posix_escape") {
      std::string out;
      for (char c : text)
        out += std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_-./:=@,+%").contains(c)
                   ? std::string(1, c)
                   : std::string("\\") + c;
      return out;
    }
    if (function.starts_with("truncate(") && function.ends_with(')')) {
      auto numbers = cut(function.substr(9, function.size() - 10), ",");
      auto from = numbers ? to_int(trim(numbers->first)) : std::nullopt;
      auto size = numbers ? to_int(trim(numbers->second)) : std::nullopt;
      if (from && size && *from >= 0 && *size >= 0)
        return static_cast<std::size_t>(*from) > text.size()
                   ? std::string()
                   : text.substr(static_cast<std::size_t>(*from), static_cast<std::size_t>(*size));
    }
    problems_.add(mark, fmt::format("inputs: unknown function \"{}\", want expand_vars, truncate(FROM,LENGTH) or "
                                    "posix_escape",
                                    function.substr(0, 60)));
    return text;
  }

  std::optional<doc::Value> find(std::string_view path, doc::Mark mark) {
    constexpr std::string_view prefix = "inputs.";
    auto name = path.starts_with(prefix) ? path.substr(prefix.size()) : std::string_view();
    const auto* value = name.empty() ? nullptr : inputs_.find(name);
    if (value) return *value;
    std::vector<std::string> known;
    for (const auto& [key, unused] : inputs_) known.push_back(key);
    problems_.unknown(mark, fmt::format("inputs: there is no \"{}\"", path.substr(0, 80)), name, known);
    return {};
  }

  const doc::Map& inputs_;
  const std::function<std::string(std::string_view)>& expand_;
  Problems& problems_;
};

}  // namespace

std::optional<SpecFile> split_spec(std::string_view text) {
  std::size_t at = 0;
  bool any = false;
  SpecFile out;
  for (auto line : lines(text)) {
    auto end = at + line.size();
    if (trim_end(line) == "---" && any) {
      out.head = text.substr(0, at);
      for (char c : text.substr(0, end))
        if (c == '\n') out.body += '\n';
      out.body += text.substr(std::min(end, text.size()));
      return out;
    }
    any = any || line.starts_with("spec:");
    if (!any && !trim(line).empty() && !line.starts_with('#') && trim_end(line) != "---") return {};
    at = end + 1;
  }
  return {};
}

doc::Map read_inputs(const doc::Map& head, const doc::Map* given, doc::Mark where, Problems& problems) {
  Values v(problems);
  doc::Map out;
  const auto* spec = head.find("spec");
  const auto* inner = spec && !spec->is_null() ? v.map(*spec, "spec") : nullptr;
  const auto* inputs = inner ? inner->find("inputs") : nullptr;
  const auto* all = inputs && !inputs->is_null() ? v.map(*inputs, "spec:inputs") : nullptr;
  std::vector<std::string> names;
  static const doc::Map nothing;
  for (const auto& [name, value] : all ? *all : nothing) {
    names.push_back(name);
    const auto* about = value.if_map();
    constexpr std::string_view keys[] = {"default", "description", "options", "regex", "type", "rules"};
    constexpr std::string_view types[] = {"string", "number", "boolean", "array"};
    if (about) v.known_keys(*about, "spec:inputs:" + name, keys);
    if (about && about->contains("rules"))
      problems.not_yet(key_mark(*about, "rules"), "spec:inputs:rules", "give the input a default");
    const auto* type_given = about ? about->find("type") : nullptr;
    auto type = type_given ? v.choice(*type_given, "spec:inputs:type", types).value_or("string") : "string";
    const auto* chosen = given ? given->find(name) : nullptr;
    auto mark = chosen ? chosen->mark() : where;
    if (!chosen && about) chosen = about->find("default");
    if (!chosen) {
      problems.add(where, fmt::format("inputs: '{}' must be given", name));
      out.set(name, "");  // so that its places say nothing more
      continue;
    }
    if (!fits(*chosen, type) && !(type == "string" && chosen->is_null()))
      problems.add(mark, fmt::format("inputs: '{}' must be a {}", name, type));
    if (const auto* options = about ? about->find("options") : nullptr; options && options->if_list()) {
      const auto& list = *options->if_list();
      if (std::none_of(list.begin(), list.end(), [&](auto& o) { return text_of(o) == text_of(*chosen); }))
        problems.add(mark, fmt::format("inputs: '{}' is \"{}\", want one of its options", name, text_of(*chosen)));
    }
    if (const auto* regex = about ? about->find("regex") : nullptr; regex && regex->if_string()) {
      auto written = *regex->if_string();
      auto pattern = Pattern::parse(written.starts_with('/') ? written : "/" + written + "/");
      if (!pattern) problems.add(regex->mark(), fmt::format("spec:inputs:regex: {}", pattern.error().what()));
      if (pattern && !pattern->matches(text_of(*chosen)))
        problems.add(mark,
                     fmt::format("inputs: '{}' is \"{}\", which does not match {}", name, text_of(*chosen), written));
    }
    out.set(name, chosen->is_null() ? doc::Value("") : *chosen);
  }
  for (const auto& [name, value] : given ? *given : nothing)
    if (!out.contains(name) && std::find(names.begin(), names.end(), name) == names.end())
      problems.unknown(given->key_mark(name), fmt::format("inputs: the file has no input '{}'", name), name, names);
  return out;
}

void fill_in(doc::Value& value, const doc::Map& inputs, const std::function<std::string(std::string_view)>& expand,
             Problems& problems) {
  Filler(inputs, expand, problems).fill(value);
}

}  // namespace slipway::ci::gitlab
