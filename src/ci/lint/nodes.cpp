#include <yaml.h>

#include <map>

#include "base/text.h"
#include "ci/detail/lint_nodes.h"

namespace slipway::ci {
namespace {

using Sort = YamlNode::Sort;
constexpr std::size_t most_nodes = 100'000, deepest = 200;

bool is_number(std::string_view text, bool& whole) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  whole = true;
  if (text.starts_with("0x"))
    return text.size() > 2 && text.find_first_not_of("0123456789abcdefABCDEF", 2) == text.npos;
  if (text.starts_with("0o")) return text.size() > 2 && text.find_first_not_of("01234567", 2) == text.npos;
  auto digits = [&] {
    auto n = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(n);
    return n;
  };
  auto before = digits();
  std::size_t after = 0;
  if (text.starts_with('.')) whole = false, text.remove_prefix(1), after = digits();
  if (before + after == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    whole = false, text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

std::string_view tag_of(std::string_view text) {
  if (text.empty() || text == "~" || iequals(text, "null")) return "!!null";
  if (text == "<<") return "!!merge";
  auto small = lower(text);
  if (small == "true" || small == "false") return "!!bool";
  if (small == ".nan" || small == ".inf" || small == "-.inf" || small == "+.inf") return "!!float";
  bool whole = false;
  if (is_number(text, whole)) return whole ? "!!int" : "!!float";
  return "!!str";
}

class Composer {
 public:
  explicit Composer(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') starts_.push_back(i + 1);
    yaml_parser_initialize(&parser_);
    auto* bytes = text.empty() ? "" : text.data();  // libyaml takes no null
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(bytes), text.size());
  }
  Composer(const Composer&) = delete;
  Composer& operator=(const Composer&) = delete;
  ~Composer() { yaml_parser_delete(&parser_); }

  YamlTree run() {
    std::vector<YamlNode*> open;
    yaml_event_t event;
    for (bool more = true; more;) {
      if (!yaml_parser_parse(&parser_, &event)) {
        stop(parser_.problem != nullptr ? parser_.problem : "not readable", parser_.problem_mark.line + 1,
             parser_.problem_mark.column + 1);
        return std::move(tree_);
      }
      more = take(event, open) && tree_.broken.empty();
      if (open.size() > deepest || tree_.nodes.size() > most_nodes)
        stop("the file is too deep or too large", event.start_mark.line + 1, event.start_mark.column + 1), more = false;
      yaml_event_delete(&event);
    }
    return std::move(tree_);
  }

 private:
  bool take(const yaml_event_t& event, std::vector<YamlNode*>& open) {
    switch (event.type) {
      case YAML_SCALAR_EVENT: {
        auto& node = made(Sort::scalar, event, event.data.scalar.anchor);
        scalar(node, event);
        return put(node, open);
      }
      case YAML_ALIAS_EVENT:
        return alias(event, open);
      case YAML_SEQUENCE_START_EVENT:
      case YAML_MAPPING_START_EVENT: {
        bool list = event.type == YAML_SEQUENCE_START_EVENT;
        auto& node = made(list ? Sort::list : Sort::map, event,
                          list ? event.data.sequence_start.anchor : event.data.mapping_start.anchor);
        node.tag = list ? "!!seq" : "!!map";
        put(node, open);
        open.push_back(&node);
        return true;
      }
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        return close(open);
      case YAML_DOCUMENT_END_EVENT:
      case YAML_STREAM_END_EVENT:
        return false;
      default:
        return true;
    }
  }

  // Aliases of aliases grow without end: such a file is refused like GitHub refuses it.
  bool close(std::vector<YamlNode*>& open) {
    auto& node = *open.back();
    for (auto* item : node.items) node.weight += item->weight;
    open.pop_back();
    if (node.weight <= most_nodes) return !open.empty();
    stop("its aliases name too much", static_cast<std::size_t>(node.line), static_cast<std::size_t>(node.column));
    return false;
  }

  void scalar(YamlNode& node, const yaml_event_t& event) {
    auto& given = event.data.scalar;
    node.text.assign(reinterpret_cast<const char*>(given.value), given.length);
    node.quoted = given.style == YAML_SINGLE_QUOTED_SCALAR_STYLE || given.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    node.block = given.style == YAML_LITERAL_SCALAR_STYLE || given.style == YAML_FOLDED_SCALAR_STYLE;
    std::string_view tag = given.tag != nullptr ? reinterpret_cast<const char*>(given.tag) : "";
    constexpr std::string_view core = "tag:yaml.org,2002:";
    if (tag.starts_with(core))
      node.tag = fmt::format("!!{}", tag.substr(core.size()));
    else
      node.tag = node.quoted || node.block ? "!!str" : tag_of(node.text);
  }

  bool alias(const yaml_event_t& event, std::vector<YamlNode*>& open) {
    std::string name(reinterpret_cast<const char*>(event.data.alias.anchor));
    auto found = anchors_.find(name);
    if (found == anchors_.end()) {
      stop(fmt::format("unknown anchor '{}' referenced", name), event.start_mark.line + 1, event.start_mark.column + 1);
      return false;
    }
    auto& node = made(Sort::alias, event, nullptr);
    node.text = name;
    node.target = found->second;
    node.target->used = true;
    node.recursive = std::find(open.begin(), open.end(), node.target) != open.end();
    if (!node.recursive) node.weight = node.target->weight;
    return put(node, open);
  }

  YamlNode& made(Sort sort, const yaml_event_t& event, const unsigned char* anchor) {
    auto& node = tree_.nodes.emplace_back();
    node.sort = sort;
    node.line = static_cast<int>(event.start_mark.line) + 1;
    node.column = static_cast<int>(event.start_mark.column) + 1;
    node.begin = byte_at(event.start_mark.line, event.start_mark.column);
    if (anchor != nullptr) {
      node.anchor = reinterpret_cast<const char*>(anchor);
      anchors_[node.anchor] = &node;
    }
    return node;
  }

  bool put(YamlNode& node, std::vector<YamlNode*>& open) {
    if (open.empty())
      tree_.root = &node;
    else
      open.back()->items.push_back(&node);
    return !open.empty();
  }

  // libyaml counts characters.
  std::size_t byte_at(std::size_t line, std::size_t column) const {
    if (line >= starts_.size()) return text_.size();
    auto at = starts_[line];
    for (; column > 0 && at < text_.size(); --column) {
      ++at;
      while (at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xc0) == 0x80) ++at;
    }
    return at;
  }

  void stop(std::string what, std::size_t line, std::size_t column) {
    tree_.root = nullptr;
    tree_.broken = std::move(what);
    tree_.line = static_cast<int>(line), tree_.column = static_cast<int>(column);
  }

  std::string_view text_;
  yaml_parser_t parser_{};
  YamlTree tree_;
  std::vector<std::size_t> starts_;
  std::map<std::string, YamlNode*> anchors_;
};

}  // namespace

YamlTree read_nodes(std::string_view text) { return Composer(text).run(); }

const YamlNode& YamlTree::real(const YamlNode& node) {
  return node.is(Sort::alias) && !node.recursive ? *node.target : node;
}

const YamlNode* YamlTree::find(const YamlNode& map, std::string_view key) {
  if (!map.is(Sort::map)) return nullptr;
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2)
    if (real(*map.items[i]).text == key) return &real(*map.items[i + 1]);
  return nullptr;
}

}  // namespace slipway::ci
