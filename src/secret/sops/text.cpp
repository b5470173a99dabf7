// Texts of the four formats to documents and back. YAML is edited in place, so that comments and layout stay; the
// result is read back, and where it does not say what it should the document is printed anew.
#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "secret/detail/sops.h"

namespace slipway::secret::detail {
namespace {

constexpr std::string_view key_of_metadata = "sops", dotenv_prefix = "sops_";

Result<> walk(doc::Value& value, Path& path, const Visit& visit) {
  if (auto* map = value.if_map()) {
    for (auto& [key, member] : *map) {
      if (path.empty() && key == key_of_metadata) continue;
      path.push_back(key);
      TRY_OK(walk(member, path, visit));
      path.pop_back();
    }
    return {};
  }
  if (auto* list = value.if_list()) {
    for (auto& item : *list) TRY_OK(walk(item, path, visit));
    return {};
  }
  return value.is_null() ? Result<>{} : visit(path, value);
}

void collect_contexts(const doc::Value& value, Path& path, std::set<std::string>& all) {
  if (const auto* map = value.if_map()) {
    all.insert(context_of(path));
    for (const auto& [key, member] : *map) {
      path.push_back(key);
      collect_contexts(member, path, all);
      path.pop_back();
    }
  } else if (const auto* list = value.if_list()) {
    all.insert(context_of(path));
    for (const auto& item : *list) collect_contexts(item, path, all);
  }
}

struct Edit {
  std::size_t begin, end;
  std::string text;
};
std::optional<std::string> apply(std::string_view text, std::vector<Edit> edits) {
  std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string out;
  std::size_t at = 0;
  for (const auto& edit : edits) {
    if (edit.begin < at || edit.end < edit.begin || edit.end > text.size()) return {};
    out.append(text, at, edit.begin - at).append(edit.text);
    at = edit.end;
  }
  return out.append(text, at);
}

// How new scalars are written: the first way that reads back right is taken.
enum class Writing { pretty, quoted };

// A text of several lines as a block below its key, when it can stand there.
std::optional<std::string> block_of(const std::string& text, std::size_t indent) {
  if (text.find('\n') == std::string::npos || text.starts_with(' ') || text.starts_with('\n')) return {};
  bool plain = std::all_of(text.begin(), text.end(),
                           [](unsigned char c) { return c == '\n' || c == '\t' || (c >= 32 && c != 127); });
  if (!plain || text.find(" \n") != std::string::npos || text.ends_with("\n\n")) return {};
  std::string out = text.ends_with('\n') ? "|" : "|-";
  for (auto line : lines(text)) {
    out += '\n';
    if (!line.empty()) out += std::string(indent, ' ') + std::string(line);
  }
  return out;
}

std::string print_scalar(const doc::Value& value, Writing writing, std::size_t indent) {
  const auto* text = value.if_string();
  if (text == nullptr) return doc::print_json(value);
  if (writing == Writing::quoted) return doc::json_quote(*text);
  if (looks_sealed(*text)) return *text;
  if (text->find('\n') == std::string::npos) return std::string(trim_end(doc::print_yaml(value)));
  auto block = indent > 0 ? block_of(*text, indent) : std::nullopt;
  return block ? *block : doc::json_quote(*text);
}

class YamlEditor {
 public:
  YamlEditor(std::string_view text, Writing writing) : text_(text), writing_(writing) {}

  bool document(const doc::Value& was, const doc::Value& now) {
    const auto *before = was.if_map(), *after = now.if_map();
    if (before == nullptr || after == nullptr) return false;
    if (before->contains(key_of_metadata)) cut_metadata(before->key_mark(key_of_metadata));
    return map(*before, *after, true);
  }
  void insert(std::size_t at, std::string text) { edits_.push_back({at, at, std::move(text)}); }
  std::optional<std::string> take() { return apply(text_, std::move(edits_)); }

 private:
  // The key's line and all that is indented below it.
  void cut_metadata(doc::Mark key) {
    if (key.line == 0 || key.column != 1) return;
    std::size_t end = key.begin;
    do {
      auto next = text_.find('\n', end);
      end = next == std::string_view::npos ? text_.size() : next + 1;
    } while (end < text_.size() && (text_[end] == ' ' || text_[end] == '\n'));
    edits_.push_back({key.begin, end, ""});
  }

  bool map(const doc::Map& was, const doc::Map& now, bool top) {
    for (const auto& [key, value] : was) {
      if (top && key == key_of_metadata) continue;
      const auto* after = now.find(key);
      if (after == nullptr) return false;
      auto mark = was.key_mark(key);
      bool beside = mark.line != 0 && mark.line == value.mark().line;
      if (!node(value, *after, beside ? mark.column + 1 : 0)) return false;
    }
    return true;
  }

  bool node(const doc::Value& was, const doc::Value& now, std::size_t indent) {
    if (was.is_map() && now.is_map()) return map(*was.if_map(), *now.if_map(), false);
    if (was.is_list() && now.is_list()) {
      const auto &before = *was.if_list(), &after = *now.if_list();
      if (before.size() != after.size()) return false;
      for (std::size_t i = 0; i < before.size(); ++i)
        if (!node(before[i], after[i], 0)) return false;
      return true;
    }
    if (was == now && was.type() == now.type()) return true;
    auto mark = was.mark();
    if (mark.line == 0 || mark.end <= mark.begin || mark.end > text_.size()) return false;
    auto text = print_scalar(now, writing_, indent);
    if (text_[mark.end - 1] == '\n') text += '\n';
    edits_.push_back({mark.begin, mark.end, std::move(text)});
    return true;
  }

  std::string_view text_;
  Writing writing_;
  std::vector<Edit> edits_;
};

// Where the document that starts at `mark` ends: the "---" before the next one, or the text's end.
std::size_t document_end(std::string_view text, const doc::Value* next) {
  if (next == nullptr) return text.size();
  auto at = text.rfind("\n---", next->mark().begin);
  return at == std::string_view::npos ? std::string_view::npos : at + 1;
}

std::optional<std::string> edit_yaml(std::string_view text, const std::vector<doc::Value>& was,
                                     const std::vector<doc::Value>& now, Writing writing) {
  if (was.size() != now.size()) return {};
  YamlEditor editor(text, writing);
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i] == now[i]) continue;
    if (!editor.document(was[i], now[i])) return {};
    const auto* metadata = now[i].find(key_of_metadata);
    if (metadata == nullptr) continue;
    auto end = document_end(text, i + 1 < was.size() ? &was[i + 1] : nullptr);
    if (end == std::string_view::npos) return {};
    auto block = doc::print_yaml(doc::Map{{std::string(key_of_metadata), *metadata}});
    editor.insert(end, (end > 0 && text[end - 1] != '\n' ? "\n" : "") + block);
  }
  return editor.take();
}

std::string print_yaml_text(const SopsText& text, const std::vector<doc::Value>& was,
                            const std::vector<doc::Value>& now) {
  for (auto writing : {Writing::pretty, Writing::quoted}) {
    auto edited = edit_yaml(text.text, was, now, writing);
    if (!edited) continue;
    auto read = doc::parse_yaml_all(*edited);
    if (read && *read == now) return *edited;
  }
  return doc::print_yaml_all(now);
}

// KEY=VALUE lines; line breaks in values are written \n.
Result<std::vector<doc::Value>> parse_dotenv(const SopsText& text, bool sealed) {
  doc::Map map;
  std::uint32_t number = 0;
  for (auto line : lines(text.text)) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    auto pair = cut(line, "=");
    if (!pair) return fail(Kind::invalid, "{}:{}:1: want KEY=VALUE", text.source, number);
    if (!sealed && pair->first.starts_with(dotenv_prefix))
      return fail(Kind::invalid, "{}:{}:1: names that start with sops_ are for what SOPS adds", text.source, number);
    map.set(pair->first, replace_all(std::string(pair->second), "\\n", "\n"));
  }
  return std::vector<doc::Value>{std::move(map)};
}

// The metadata's keys are flattened: sops_age__list_0__map_enc.
void flatten(const std::string& name, const doc::Value& value, std::map<std::string, std::string>& out) {
  if (const auto* map = value.if_map()) {
    for (const auto& [key, member] : *map) flatten(name.empty() ? key : name + "__map_" + key, member, out);
  } else if (const auto* list = value.if_list()) {
    for (std::size_t i = 0; i < list->size(); ++i) flatten(fmt::format("{}__list_{}", name, i), (*list)[i], out);
  } else if (!value.is_null()) {
    out[name] = value.is_bool() ? (*value.if_bool() ? "true" : "false") : leaf_of(value).bytes;
  }
}

// Only what a file of ours or of sops has: lists of maps one level down.
void unflatten(doc::Map& metadata, std::string_view name, const doc::Value& value) {
  auto list = cut(name, "__list_");
  auto member = list ? cut(list->second, "__map_") : std::nullopt;
  if (!list || !member) {
    metadata.set(name, value);
    return;
  }
  auto index = to_int(member->first).value_or(-1);
  if (index < 0 || index > 1000) return;
  auto& items = metadata[list->first];
  if (!items.is_null() && !items.is_list()) return;
  while (std::ssize(items.list()) <= index) items.list().emplace_back(doc::Map{});
  items.list()[static_cast<std::size_t>(index)][member->second] = value;
}

void gather_metadata(doc::Value& document) {
  doc::Map kept, metadata;
  for (auto& [key, value] : document.map()) {
    if (key.starts_with(dotenv_prefix))
      unflatten(metadata, std::string_view(key).substr(dotenv_prefix.size()), value);
    else
      kept.set(key, std::move(value));
  }
  if (!metadata.empty()) kept.set(key_of_metadata, std::move(metadata));
  document = std::move(kept);
}

std::string print_dotenv(const SopsText& text, const doc::Value& now) {
  std::string out;
  auto put = [&out](std::string_view key, std::string_view value) {
    out += fmt::format("{}={}\n", key, replace_all(std::string(value), "\n", "\\n"));
  };
  for (auto line : lines(text.text)) {
    auto pair = line.starts_with('#') ? std::nullopt : cut(line, "=");
    if (!pair)
      out += std::string(line) + "\n";
    else if (const auto* value = now.find(pair->first); value != nullptr && !pair->first.starts_with(dotenv_prefix))
      put(pair->first, leaf_of(*value).bytes);
  }
  std::map<std::string, std::string> flat;
  if (const auto* metadata = now.find(key_of_metadata)) flatten("", *metadata, flat);
  for (const auto& [key, value] : flat) put(std::string(dotenv_prefix) + key, value);
  return out;
}

}  // namespace

Result<> each_leaf(doc::Value& document, const Visit& visit) {
  Path path;
  return walk(document, path, visit);
}

std::set<std::string> contexts_of(const doc::Value& document) {
  std::set<std::string> all;
  Path path;
  collect_contexts(document, path, all);
  return all;
}

Result<std::vector<doc::Value>> parse_text(const SopsText& text, bool sealed) {
  switch (text.format) {
    case SopsFormat::yaml: {
      TRY(auto documents, doc::parse_yaml_all(text.text, {.source = text.source}));
      for (const auto& document : documents)
        if (!document.is_map() && !document.is_null())
          return fail(Kind::invalid, "{}:{}:{}: want a map: SOPS seals documents that are maps", text.source,
                      document.mark().line, document.mark().column);
      return documents;
    }
    case SopsFormat::dotenv: {
      TRY(auto documents, parse_dotenv(text, sealed));
      if (sealed) gather_metadata(documents.front());
      return documents;
    }
    case SopsFormat::binary:
      if (!sealed) return std::vector<doc::Value>{doc::Map{{"data", text.text}}};
      [[fallthrough]];
    case SopsFormat::json: {
      TRY(auto document, doc::parse_json(text.text, text.source));
      if (!document.is_map()) return fail(Kind::invalid, "{}:1:1: want a JSON object", text.source);
      return std::vector<doc::Value>{std::move(document)};
    }
  }
  return fail(Kind::internal, "no such format");
}

std::string print_text(const SopsText& text, const std::vector<doc::Value>& was, const std::vector<doc::Value>& now) {
  bool sealed = now.front().find(key_of_metadata) != nullptr;
  if (text.format == SopsFormat::yaml) return print_yaml_text(text, was, now);
  if (text.format == SopsFormat::dotenv) return print_dotenv(text, now.front());
  if (text.format == SopsFormat::binary && !sealed) return now.front().str_at({"data"});
  return doc::print_json_pretty(now.front()) + "\n";
}

}  // namespace slipway::secret::detail
