#include "ci/detail/lint_reader.h"

namespace slipway::ci {
namespace {

using Sort = YamlNode::Sort;

std::string_view kind_of(const YamlNode& node) {
  switch (node.sort) {
    case Sort::list:
      return "a list";
    case Sort::map:
      return "a mapping";
    case Sort::alias:
      return "an alias of itself";
    default:
      return node.is_null() ? "nothing" : "a plain value";
  }
}

std::optional<double> number_of(std::string_view text) {
  auto n = parse_number(text);
  return std::isnan(n) ? std::nullopt : std::optional(n);
}

}  // namespace

bool holds_expression(std::string_view text) {
  auto start = text.find("${{");
  return start != text.npos && text.find("}}", start) != text.npos;
}

bool is_one_expression(std::string_view text) {
  text = trim(text);
  return text.starts_with("${{") && text.ends_with("}}") && text.find("${{", 3) == text.npos;
}

const YamlNode& StructureReader::real(const Node& node) {
  if (!node.is(Sort::alias)) return node;
  if (node.recursive) {
    wrong(node, fmt::format("alias *{} stands inside of the value it names (&{} is at line {}, column {})", node.text,
                            node.text, node.target->line, node.target->column));
    return node;
  }
  return *node.target;
}

auto StructureReader::section(const Node& given, std::string_view what, bool allow_empty, bool exact_case)
    -> std::vector<Entry> {
  std::vector<Entry> out;
  auto& node = real(given);
  bool empty = node.is_null() || (node.is(Sort::map) && node.items.empty());
  if (empty && !allow_empty)
    wrong(node, fmt::format("{} is empty: fill it or take it away", what));
  else if (!empty && !node.is(Sort::map))
    wrong(node, fmt::format("{} must be a mapping, this is {}", what, kind_of(node)));
  if (!node.is(Sort::map)) return out;
  std::map<std::string, const Node*> seen;
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    auto& key = real(*node.items[i]);
    if (key.text == "<<" && key.tag == "!!merge") {
      wrong(key, "merge keys (<<) are not supported by GitHub Actions");
      continue;
    }
    if (!key.is(Sort::scalar) || key.text.empty()) {
      wrong(key, fmt::format("a key of {} must be a text that is not empty", what));
      continue;
    }
    auto name = exact_case ? key.text : lower(key.text);
    auto [first, fresh] = seen.emplace(name, &key);
    if (!fresh) {
      wrong(key, fmt::format("key '{}' of {} is here twice: first at line {}, column {}{}", key.text, what,
                             first->second->line, first->second->column,
                             exact_case ? "" : " (upper and lower case are the same here)"));
      continue;
    }
    out.push_back({std::move(name), &key, node.items[i + 1]});
  }
  return out;
}

auto StructureReader::rule_of(Table table, std::string_view key) -> const KeyRule* {
  for (auto& rule : table)
    if (rule.key == key) return &rule;
  return nullptr;
}

auto StructureReader::entry_of(const std::vector<Entry>& entries, std::string_view key) -> const Entry* {
  for (auto& entry : entries)
    if (entry.name == key) return &entry;
  return nullptr;
}

void StructureReader::unexpected(const Entry& entry, std::string_view what, Table table) {
  std::vector<std::string> names;
  for (auto& rule : table) names.emplace_back(rule.key);
  auto near = nearest(entry.key->text, names);
  wrong(*entry.key, fmt::format("unexpected key '{}' in {}; {}", entry.key->text, what,
                                near ? fmt::format("did you mean '{}'?", *near)
                                     : fmt::format("known are {}", join(std::span<const std::string>(names), ", "))));
}

void StructureReader::by_table(const std::vector<Entry>& entries, std::string_view what, Table table) {
  for (auto& entry : entries) {
    if (auto* rule = rule_of(table, entry.name))
      (this->*rule->read)(entry, *rule);
    else
      unexpected(entry, what, table);
  }
}

void StructureReader::use(const Node& node, std::string_view place, Want want, std::string_view what, bool script) {
  if (want != Want::condition && !node.text.contains("${{")) return;
  lint_.facts.uses.push_back({&node, place, want, std::string(what), job_, step_, input_, script});
}

bool StructureReader::is_expression(const Node& node) {
  return node.is(Sort::scalar) && node.tag == "!!str" && is_one_expression(node.text);
}

const YamlNode* StructureReader::string(const Node& given, bool allow_empty, std::string_view place, Want want) {
  auto& node = real(given);
  if (!node.is(Sort::scalar)) {
    wrong(node, fmt::format("a text is wanted, this is {}", kind_of(node)));
    return nullptr;
  }
  if (!allow_empty && node.text.empty()) wrong(node, "the text is empty");
  use(node, place, want);
  return &node;
}

auto StructureReader::strings(const Node& given, std::string_view what, bool single, std::string_view place,
                              bool allow_empty) -> std::vector<const Node*> {
  std::vector<const Node*> out;
  auto& node = real(given);
  if (single && node.is(Sort::scalar)) {
    if (auto* one = string(node, false, place)) out.push_back(one);
    return out;
  }
  if (!node.is(Sort::list)) {
    wrong(node, fmt::format("{} must be a list, this is {}", what, kind_of(node)));
    return out;
  }
  if (node.items.empty() && !allow_empty) wrong(node, fmt::format("{} is an empty list", what));
  for (auto* item : node.items)
    if (auto* one = string(*item, false, place)) out.push_back(one);
  return out;
}

// Values of a matrix: whatever YAML can write.
void StructureReader::raw(const Node& given, std::string_view place) {
  auto& node = real(given);
  if (node.is(Sort::alias)) return wrong(node, "a value of a matrix cannot hold itself");
  if (node.is(Sort::scalar)) return use(node, place, Want::any);
  for (std::size_t i = 0; i < node.items.size(); ++i)
    if (!node.is(Sort::map) || i % 2 == 1) raw(*node.items[i], place);
}

auto StructureReader::pairs(const Node& given, std::string_view what, std::string_view place, bool allow_empty)
    -> std::vector<std::pair<const Node*, const Node*>> {
  std::vector<std::pair<const Node*, const Node*>> out;
  for (auto& entry : section(given, what, allow_empty, false)) {
    use(*entry.key, place, Want::text);
    if (auto* value = string(*entry.value, true, place)) out.emplace_back(entry.key, value);
  }
  return out;
}

void StructureReader::text(const Entry& e, const KeyRule& r) { string(*e.value, false, r.place); }
void StructureReader::text_or_empty(const Entry& e, const KeyRule& r) { string(*e.value, true, r.place); }
void StructureReader::anything(const Entry& e, const KeyRule& r) { raw(*e.value, r.place); }

void StructureReader::boolean(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::boolean, e.name);
  if (!node.is(Sort::scalar) || node.tag != "!!bool")
    wrong(node, fmt::format("{} must be true, false or one ${{{{ }}}}", e.name));
}

void StructureReader::integer(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::number, e.name);
  if (!node.is(Sort::scalar) || node.tag != "!!int")
    wrong(node, fmt::format("{} must be a whole number or one ${{{{ }}}}", e.name));
  else if (auto n = number_of(node.text); n && *n <= 0)
    wrong(node, fmt::format("{} must be greater than zero", e.name));
}

void StructureReader::number(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::number, e.name);
  if (!node.is(Sort::scalar) || (node.tag != "!!int" && node.tag != "!!float"))
    wrong(node, fmt::format("{} must be a number or one ${{{{ }}}}", e.name));
  else if (auto n = number_of(node.text); n && *n <= 0)
    wrong(node, fmt::format("{} must be greater than zero", e.name));
}

void StructureReader::env(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::object, "env");
  if (node.is(Sort::scalar)) return wrong(node, "env must be a mapping or one ${{ }}");
  for (auto& [key, value] : pairs(node, "env", r.place, true)) {
    if (!holds_expression(key->text) && key->text.find_first_of("&= ") != std::string::npos)
      lint_.add("env-var", *key,
                fmt::format("'{}' is no name of an environment variable: no '&', '=' and blanks", key->text));
  }
}

void StructureReader::condition(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (!node.is(Sort::scalar)) return wrong(node, fmt::format("{} must be a text, this is {}", e.name, kind_of(node)));
  if (!trim(node.text).empty()) use(node, r.place, Want::condition);
}

void StructureReader::list(const Entry& e, const KeyRule& r) {
  auto& node = real(*e.value);
  if (is_expression(node)) return use(node, r.place, Want::list, e.name);
  strings(node, e.name, false, r.place);
}

void StructureReader::one_or_list(const Entry& e, const KeyRule& r) { strings(*e.value, e.name, true, r.place); }

void StructureReader::workflow(const Node& root) {
  static constexpr KeyRule keys[] = {{"name", &StructureReader::text_or_empty, ""},
                                     {"description", &StructureReader::text_or_empty, ""},
                                     {"run-name", &StructureReader::text_or_empty, "W"},
                                     {"on", &StructureReader::on, ""},
                                     {"permissions", &StructureReader::permissions, ""},
                                     {"env", &StructureReader::env, "WS"},
                                     {"defaults", &StructureReader::defaults, ""},
                                     {"concurrency", &StructureReader::concurrency, "W"},
                                     {"jobs", &StructureReader::jobs, ""}};
  auto entries = section(root, "the workflow", false, true);
  by_table(entries, "the workflow", keys);
  for (auto* key : {"on", "jobs"})
    if (!entries.empty() && entry_of(entries, key) == nullptr)
      wrong(root, fmt::format("the workflow has no '{}'", key));
}

void lint_structure(Lint& lint) {
  auto& tree = lint.tree;
  if (!tree.broken.empty())
    return lint.add("syntax-check", {tree.line, tree.column}, fmt::format("no valid YAML: {}", tree.broken));
  if (tree.root == nullptr || tree.root->is_null()) return lint.add("syntax-check", {1, 1}, "the file is empty");
  StructureReader(lint).workflow(*tree.root);
  for (auto& node : tree.nodes)
    if (!node.anchor.empty() && !node.used)
      lint.add("syntax-check", node, fmt::format("anchor &{} is never used", node.anchor));
}

}  // namespace slipway::ci
