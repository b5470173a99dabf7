// What looks like a call and is none: its arguments are not evaluated before it, but by it.
#include <algorithm>

#include "cel/detail/lex.h"
#include "cel/detail/parse.h"

namespace slipway::cel::detail {
namespace {

using Macro = Node::Macro;
struct Form {
  std::string_view name;
  std::size_t arguments;
  std::size_t variables;
  Macro macro;
};
constexpr Form forms[] = {
    {"all", 2, 1, Macro::all},
    {"all", 3, 2, Macro::all},
    {"exists", 2, 1, Macro::exists},
    {"exists", 3, 2, Macro::exists},
    {"exists_one", 2, 1, Macro::exists_one},
    {"exists_one", 3, 2, Macro::exists_one},
    {"existsOne", 2, 1, Macro::exists_one},
    {"existsOne", 3, 2, Macro::exists_one},
    {"map", 2, 1, Macro::map},
    {"map", 3, 1, Macro::map},
    {"filter", 2, 1, Macro::filter},
    {"transformList", 3, 2, Macro::transform_list},
    {"transformList", 4, 2, Macro::transform_list},
    {"transformMap", 3, 2, Macro::transform_map},
    {"transformMap", 4, 2, Macro::transform_map},
    {"transformMapEntry", 3, 2, Macro::transform_entry},
    {"transformMapEntry", 4, 2, Macro::transform_entry},
    {"optMap", 2, 1, Macro::opt_map},
    {"optFlatMap", 2, 1, Macro::opt_flat_map},
};

Result<NodePtr> has(NodePtr call, std::string_view source) {
  auto of = std::move(call->children[0]);
  if (of->kind != Node::Kind::select) return wrong_at(source, of->at, "has() wants the selection of a field: has(a.b)");
  of->kind = Node::Kind::has;
  return of;
}

// children: what it goes over, then its bodies.
Result<NodePtr> with_variables(NodePtr call, Macro macro, std::size_t variables, std::string_view source) {
  auto node = make_node(Node::Kind::macro, call->at);
  node->macro = macro;
  node->two = variables == 2;
  node->text = call->text;
  node->children.push_back(std::move(call->children[0]));
  for (std::size_t i = 1; i < call->children.size(); ++i) {
    auto& argument = call->children[i];
    if (i > variables) {
      node->children.push_back(std::move(argument));
      continue;
    }
    if (argument->kind != Node::Kind::name || argument->rooted)
      return wrong_at(source, argument->at, fmt::format("{}() wants the name of a variable here", call->text));
    node->names.push_back(std::move(argument->text));
  }
  if (variables == 2 && node->names[0] == node->names[1])
    return wrong_at(source, call->at,
                    fmt::format("{}() wants two variables, got \"{}\" twice", call->text, node->names[0]));
  return node;
}

}  // namespace

Result<NodePtr> expand_macro(NodePtr call, std::string_view source) {
  if (!call->receiver) {
    if (call->text == "has" && !call->rooted && call->children.size() == 1) return has(std::move(call), source);
    return call;
  }
  std::size_t arguments = call->children.size() - 1;
  // cel.bind(name, value, body): the name is known in the body.
  if (call->text == "bind" && arguments == 3 && dotted(*call->children[0]) == "cel") {
    std::swap(call->children[0], call->children[2]);
    call->children.erase(call->children.begin() + 2);
    call->text = "cel.bind";
    return with_variables(std::move(call), Macro::bind, 1, source);
  }
  for (const auto& form : forms)
    if (form.name == call->text && form.arguments == arguments)
      return with_variables(std::move(call), form.macro, form.variables, source);
  return call;
}

}  // namespace slipway::cel::detail
