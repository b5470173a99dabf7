#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

using Sort = YamlNode::Sort;

// What 'runs' may and must hold, by what runs the action.
struct Runs {
  std::string_view kind, allowed, required;
};
constexpr Runs kinds[] = {
    {"node", "using main pre pre-if post post-if", "main"},
    {"composite", "using steps", "steps"},
    {"docker", "using image pre-entrypoint entrypoint post-entrypoint args env", "image"},
};
constexpr std::string_view runs_keys[] = {
    "args", "entrypoint",     "env",    "image", "main", "post", "post-entrypoint", "post-if",
    "pre",  "pre-entrypoint", "pre-if", "steps"};
constexpr std::string_view file_keys[] = {"main", "pre", "post", "entrypoint", "pre-entrypoint", "post-entrypoint"};
constexpr std::string_view input_keys[] = {"description",        "required", "default",
                                           "deprecationMessage", "type",     "options"};
constexpr std::string_view colors[] = {"white",  "black", "yellow", "blue",     "green",
                                       "orange", "red",   "purple", "gray-dark"};

bool has_word(std::string_view words, std::string_view word) {
  auto list = split(words, ' ');
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::optional<std::string> text_of_action(const Lint& lint, std::string_view uses) {
  for (auto* name : {"action.yml", "action.yaml"})
    if (auto text = file_below(lint, fmt::format("{}/{}", uses, name))) return text;
  return {};
}

class Metadata {
 public:
  Metadata(Lint& lint, const YamlNode& uses, bool say) : lint_(lint), uses_(uses), say_(say) {}

  ActionFacts read() {
    auto text = text_of_action(lint_, uses_.text);
    auto tree = read_nodes(text ? *text : "");
    if (tree.root == nullptr || !tree.root->is(Sort::map)) {
      unreadable(tree.broken.empty() ? "it is no mapping" : tree.broken);
      return std::move(out_);
    }
    auto& root = *tree.root;
    inputs(root);
    outputs(root);
    if (!readable_) return std::move(out_);
    for (auto* key : {"name", "description"})
      if (auto* node = YamlTree::find(root, key); node == nullptr || node->text.empty())
        wrong(fmt::format("it has no '{}'", key));
    branding(root);
    runs(root);
    return std::move(out_);
  }

 private:
  void wrong(std::string message) {
    if (say_) lint_.add("action", uses_, fmt::format("action '{}': {}", uses_.text, message));
  }
  void unreadable(std::string message) {
    if (readable_) wrong(fmt::format("its description cannot be read: {}", message));
    readable_ = false;
    out_.any_input = out_.any_output = true;
  }

  // The members of a section, names once.
  std::vector<std::pair<std::string, const YamlNode*>> members(const YamlNode& root, std::string_view section) {
    std::vector<std::pair<std::string, const YamlNode*>> out;
    auto* map = YamlTree::find(root, section);
    if (map == nullptr || map->is_null()) return out;
    if (!map->is(Sort::map)) {
      unreadable(fmt::format("line {}: '{}' is no mapping", map->line, section));
      return out;
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i + 1 < map->items.size(); i += 2) {
      auto& key = YamlTree::real(*map->items[i]);
      if (!seen.insert(lower(key.text)).second)
        unreadable(fmt::format("line {}: '{}' is in '{}' twice", key.line, key.text, section));
      out.emplace_back(key.text, &YamlTree::real(*map->items[i + 1]));
    }
    return out;
  }

  void inputs(const YamlNode& root) {
    for (auto& [name, body] : members(root, "inputs")) {
      ActionInput input;
      input.name = name;
      for (std::size_t i = 0; body->is(Sort::map) && i + 1 < body->items.size(); i += 2) {
        auto &key = YamlTree::real(*body->items[i]), &value = YamlTree::real(*body->items[i + 1]);
        if (std::find(std::begin(input_keys), std::end(input_keys), key.text) == std::end(input_keys))
          unreadable(fmt::format("line {}: unexpected key '{}'", key.line, key.text));
        if (!value.is(Sort::scalar) && key.text != "options")
          unreadable(fmt::format("line {}: '{}' is no plain value", value.line, key.text));
      }
      auto *required = YamlTree::find(*body, "required"), *fallback = YamlTree::find(*body, "default");
      input.required = required != nullptr && required->text == "true" && fallback == nullptr;
      if (auto* message = YamlTree::find(*body, "deprecationMessage")) {
        input.deprecated = true;
        if (trim(message->text).empty()) empty_messages_.push_back(name);
      }
      out_.inputs.push_back(std::move(input));
    }
    if (readable_)
      for (auto& name : empty_messages_) wrong(fmt::format("input '{}' is deprecated without a reason", name));
  }

  void outputs(const YamlNode& root) {
    for (auto& [name, body] : members(root, "outputs")) out_.outputs.push_back(name);
  }

  void branding(const YamlNode& root) {
    auto* branding = YamlTree::find(root, "branding");
    auto* color = branding == nullptr ? nullptr : YamlTree::find(*branding, "color");
    if (color != nullptr && std::find(std::begin(colors), std::end(colors), color->text) == std::end(colors))
      wrong(fmt::format("'{}' is no color of a badge", color->text));
  }

  void runs(const YamlNode& root) {
    auto* runs = YamlTree::find(root, "runs");
    auto* given = runs == nullptr ? nullptr : YamlTree::find(*runs, "using");
    if (given == nullptr || given->text.empty()) return wrong("it does not say what runs it: 'runs.using' is missing");
    auto using_ = given->text;
    auto* kind = kind_of(using_);
    if (kind == nullptr || (kind->kind == "node" && using_ != "node20" && using_ != "node24"))
      wrong(fmt::format("nothing runs '{}': composite, docker, node20 or node24", using_));
    if (kind == nullptr) return;
    out_.docker = kind->kind == "docker";
    keys(*runs, *kind);
    files(*runs);
  }

  static const Runs* kind_of(std::string_view using_) {
    for (auto& kind : kinds) {
      if (kind.kind != "node" ? using_ == kind.kind
                              : using_.starts_with("node") && to_int(using_.substr(4)).has_value())
        return &kind;
    }
    return nullptr;
  }

  void keys(const YamlNode& runs, const Runs& kind) {
    for (auto key : runs_keys) {
      bool given = YamlTree::find(runs, key) != nullptr;
      if (given && !has_word(kind.allowed, key))
        wrong(fmt::format("'{}' in 'runs' is not for {} actions", key, kind.kind));
      if (!given && has_word(kind.required, key))
        wrong(fmt::format("'runs' needs '{}' for {} actions", key, kind.kind));
    }
    if (kind.kind != "node") return;
    for (auto* key : {"pre", "post"})
      if (YamlTree::find(runs, fmt::format("{}-if", key)) != nullptr && YamlTree::find(runs, key) == nullptr)
        wrong(fmt::format("'{0}-if' needs '{0}'", key));
  }

  void files(const YamlNode& runs) {
    for (auto key : file_keys)
      if (auto* node = YamlTree::find(runs, key)) file(key, node->text);
    auto* image = YamlTree::find(runs, "image");
    if (image == nullptr || image->text.starts_with("docker://")) return;
    auto name = fs::path(image->text).filename().string();
    if (name == "Dockerfile")
      file("image", image->text);
    else if (is_below(lint_, fmt::format("{}/{}", uses_.text, image->text)))
      wrong(fmt::format("the file of 'image' must be named Dockerfile, not '{}'", name));
  }

  void file(std::string_view key, const std::string& name) {
    if (!name.empty() && !holds_expression(name) && !is_below(lint_, fmt::format("{}/{}", uses_.text, name)))
      wrong(fmt::format("file '{}' of '{}' is not there", name, key));
  }

  Lint& lint_;
  const YamlNode& uses_;
  bool say_, readable_ = true;
  ActionFacts out_;
  std::vector<std::string> empty_messages_;
};

}  // namespace

bool has_local_action(const Lint& lint, std::string_view uses) { return text_of_action(lint, uses).has_value(); }

ActionFacts read_local_action(Lint& lint, const YamlNode& uses, bool say) { return Metadata(lint, uses, say).read(); }

}  // namespace slipway::ci
