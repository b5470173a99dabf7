#include "gotemplate/detail/node.h"

#include <algorithm>

#include "gotemplate/value.h"

namespace slipway::gotemplate::detail {
namespace {

std::string all(const Nodes& nodes, std::string_view between) {
  std::string out;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) out += between;
    bool inner = nodes[i]->kind == Node::Kind::pipe;
    out += inner ? "(" + print(*nodes[i]) + ")" : print(*nodes[i]);
  }
  return out;
}

std::string control(const Node& node, std::string_view word) {
  auto out = fmt::format("{{{{{} {}}}}}{}", word, print(*node.pipe), all(node.nodes, ""));
  if (node.has_else) out += "{{else}}" + all(node.otherwise, "");
  return out + "{{end}}";
}

std::string dotted(const std::vector<std::string>& names, std::size_t from) {
  std::string out;
  for (auto i = from; i < names.size(); ++i) out += "." + names[i];
  return out;
}

std::string pipeline(const Node& node) {
  std::string out;
  if (!node.declared.empty()) out = all(node.declared, ", ") + (node.assigns ? " = " : " := ");
  return out + all(node.nodes, " | ");
}

}  // namespace

std::string print(const Node& node) {
  using K = Node::Kind;
  switch (node.kind) {
    case K::action:
      return "{{" + print(*node.pipe) + "}}";
    case K::if_:
      return control(node, "if");
    case K::range:
      return control(node, "range");
    case K::with:
      return control(node, "with");
    case K::call_template:
      return fmt::format("{{{{template {}{}}}}}", go_quote(node.value), node.pipe ? " " + print(*node.pipe) : "");
    case K::break_:
      return "{{break}}";
    case K::continue_:
      return "{{continue}}";
    case K::pipe:
      return pipeline(node);
    case K::command:
      return all(node.nodes, " ");
    case K::dot:
      return ".";
    case K::nil:
      return "nil";
    case K::boolean:
      return node.is_true ? "true" : "false";
    case K::field:
      return dotted(node.names, 0);
    case K::variable:
      return node.names.front() + dotted(node.names, 1);
    case K::chain: {
      auto start = print(*node.pipe);
      return (node.pipe->kind == K::pipe ? "(" + start + ")" : start) + dotted(node.names, 0);
    }
    case K::end:
      return "{{end}}";
    case K::else_:
      return "{{else}}";
    case K::text:
    case K::number:
    case K::string:
    case K::identifier:
      break;
  }
  return node.text;
}

bool Tree::blank() const {
  return std::all_of(body.begin(), body.end(), [](const NodePtr& node) {
    return node->kind == Node::Kind::text && node->text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
  });
}

}  // namespace slipway::gotemplate::detail
