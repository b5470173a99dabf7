// Rules: Go's text/template, how it executes and how it words what goes wrong.
#include <algorithm>

#include "base/text.h"
#include "gotemplate/detail/parse.h"
#include "gotemplate/detail/utf8.h"
#include "gotemplate/template.h"

namespace slipway::gotemplate {
namespace {

using detail::Node;
using detail::NodePtr;
using detail::Tree;
using K = Node::Kind;
using Trees = std::map<std::string, std::shared_ptr<const Tree>, std::less<>>;
constexpr int deepest = 1500;  // statements and operands in each other, over all templates

enum class Flow { on, broken, continued };

std::string_view type_of_letter(char letter) {
  switch (letter) {
    case 's':
      return "string";
    case 'i':
      return "int";
    case 'I':
      return "int64";
    case 'f':
      return "float64";
    case 'b':
      return "bool";
    case 'd':
      return "map[string]interface {}";
    case 'S':
      return "[]string";
    default:
      return "interface {}";
  }
}

class Execution {
 public:
  Execution(const Trees& trees, const Functions& functions, MissingKey missing, const Limits& limits)
      : trees_(trees), functions_(functions), missing_(missing), limits_(limits) {}

  Result<std::string> run(const Tree& tree, const Value& data) {
    TRY_OK(enter(tree, data));
    return std::move(out_);
  }

 private:
  // What goes wrong is told at the last node looked at.
  Fail wrong(std::string_view what) const {
    const auto& text = *tree_->text;
    auto before = std::string_view(text).substr(0, std::min(node_->pos, text.size()));
    auto line = before.rfind('\n');
    auto column = line == std::string_view::npos ? before.size() : before.size() - line - 1;
    return fail(Kind::invalid, "template: {}:{}:{}: executing {} at <{}>: {}", tree_->parsed_as,
                1 + std::count(before.begin(), before.end(), '\n'), column, go_quote(tree_->name),
                detail::print(*node_), what);
  }
  void at(const Node& node) { node_ = &node; }

  // One step; also the guard of depth.
  struct Level {
    explicit Level(int& d) : depth(d) { ++depth; }
    ~Level() { --depth; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    int& depth;
  };
  Result<> step() {
    if (++steps_ > limits_.steps) return wrong(fmt::format("more than {} steps", limits_.steps));
    if (depth_ > deepest) return wrong("exceeded maximum template depth");
    return {};
  }
  Result<> write(std::string_view text) {
    if (out_.size() + text.size() > limits_.output)
      return wrong(fmt::format("the output is larger than {}", human_bytes(limits_.output)));
    out_ += text;
    return {};
  }

  // Values that are kept in variables are no output, but take memory all the same.
  Result<> weigh(const Value& value) {
    if (const auto* text = value.if_string()) made_ += text->size();
    if (const auto* list = value.if_list()) made_ += list->items.size() * sizeof(Value);
    if (made_ > limits_.output * 16) return wrong("the template makes too many and too large values");
    return {};
  }

  Result<> enter(const Tree& tree, const Value& dot) {
    auto outer_tree = std::exchange(tree_, &tree);
    auto outer_variables = std::exchange(variables_, {});
    variables_.emplace_back("$", dot);
    Node start{K::text};
    if (node_ == nullptr) node_ = &start;
    for (const auto& node : tree.body) {
      TRY(auto flow, walk(dot, *node));
      (void)flow;
    }
    if (node_ == &start) node_ = nullptr;
    tree_ = outer_tree, variables_ = std::move(outer_variables);
    return {};
  }

  Result<Flow> walk_all(const Value& dot, const detail::Nodes& nodes) {
    for (const auto& node : nodes) {
      TRY(auto flow, walk(dot, *node));
      if (flow != Flow::on) return flow;
    }
    return Flow::on;
  }

  Result<Flow> walk(const Value& dot, const Node& node) {
    Level level(depth_);
    at(node);
    TRY_OK(step());
    switch (node.kind) {
      case K::text:
        TRY_OK(write(node.text));
        return Flow::on;
      case K::action: {
        TRY(auto value, pipeline(dot, *node.pipe));
        if (!node.pipe->declared.empty()) return Flow::on;
        at(node);
        TRY_OK(write(value.nothing() ? "<no value>" : print(value)));
        return Flow::on;
      }
      case K::break_:
        return Flow::broken;
      case K::continue_:
        return Flow::continued;
      case K::if_:
      case K::with:
        return choose(dot, node);
      case K::range:
        return range(dot, node);
      case K::call_template:
        TRY_OK(call_template(dot, node));
        return Flow::on;
      default:
        return wrong("unknown node: " + detail::print(node));
    }
  }

  Result<Flow> choose(const Value& dot, const Node& node) {
    auto mark = variables_.size();
    TRY(auto value, pipeline(dot, *node.pipe));
    bool good = truth(value);
    auto flow = walk_all(good && node.kind == K::with ? value : dot, good ? node.nodes : node.otherwise);
    variables_.resize(mark);
    return flow;
  }

  Result<Flow> range(const Value& dot, const Node& node) {
    auto mark = variables_.size();
    TRY(auto value, pipeline(dot, *node.pipe));
    auto inner = variables_.size();
    bool any = false;
    auto turn = [&](Value index, const Value& element) -> Result<Flow> {
      any = true;
      TRY_OK(bind(*node.pipe, std::move(index), element));
      auto flow = walk_all(element, node.nodes);
      variables_.resize(inner);
      return flow;
    };
    TRY(auto known, each(value, *node.pipe, turn));
    if (!known) return wrong("range can't iterate over " + print(value));
    Flow flow = Flow::on;
    if (!any) {
      TRY(flow, walk_all(dot, node.otherwise));
    }
    variables_.resize(mark);
    return flow;
  }

  // The variables of `range $i, $e := ...` for one turn. One alone is the element.
  Result<> bind(const Node& pipe, Value index, const Value& element) {
    const auto& names = pipe.declared;
    if (names.empty()) return {};
    const auto& last = names.back()->names.front();
    if (pipe.assigns) {
      if (names.size() > 1) TRY_OK(assign(names.front()->names.front(), std::move(index)));
      return assign(last, element);
    }
    variables_[variables_.size() - 1].second = element;
    if (names.size() > 1) variables_[variables_.size() - 2].second = std::move(index);
    return {};
  }

  // Every element in turn. Gives false when there are none to be had of such a value.
  template <class Turn>
  Result<bool> each(const Value& value, const Node& pipe, const Turn& turn) {
    auto ended = [](Flow flow) { return flow == Flow::broken; };
    if (value.nothing()) return true;
    if (const auto* n = value.if_int()) {
      if (pipe.declared.size() > 1)
        return wrong(fmt::format("can't use {} to iterate over more than one variable", n->n));
      for (std::int64_t i = 0; i < n->n; ++i) {
        TRY_OK(step());
        TRY(auto flow, turn(Value(), Value(Int{i, n->wide})));
        if (ended(flow)) break;
      }
      return true;
    }
    if (const auto* list = value.if_list()) {
      auto held = value;  // the body may let go of the list
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        TRY_OK(step());
        auto element = list->items[i];
        element.boxed = list->of == List::Of::any;
        TRY(auto flow, turn(Value(static_cast<int>(i)), element));
        if (ended(flow)) break;
      }
      return true;
    }
    if (const auto* dict = value.if_dict()) {
      auto copy = *dict;  // the body may change it
      for (auto& [key, element] : copy) {
        TRY_OK(step());
        element.boxed = true;
        TRY(auto flow, turn(Value(key), element));
        if (ended(flow)) break;
      }
      return true;
    }
    return false;
  }

  Result<> call_template(const Value& dot, const Node& node) {
    auto found = trees_.find(node.value);
    if (found == trees_.end()) return wrong(fmt::format("template {} not defined", go_quote(node.value)));
    if (templates_ >= limits_.depth) return wrong(fmt::format("exceeded maximum template depth ({})", limits_.depth));
    Value inner;
    if (node.pipe) {
      TRY(inner, pipeline(dot, *node.pipe));
    }
    Level level(templates_);
    return enter(*found->second, inner);
  }

  Result<Value> pipeline(const Value& dot, const Node& pipe) {
    Level level(depth_);
    at(pipe);
    TRY_OK(step());
    Value value;
    bool first = true;
    for (const auto& one : pipe.nodes) {
      TRY(value, command(dot, *one, first ? nullptr : &value));
      first = false;
      if (value.is_nil()) value = Value();
      value.boxed = false;
    }
    for (const auto& variable : pipe.declared) {
      if (pipe.assigns) {
        TRY_OK(assign(variable->names.front(), value));
      } else {
        variables_.emplace_back(variable->names.front(), value);
      }
    }
    return value;
  }

  Result<> assign(const std::string& name, Value value) {
    for (auto i = variables_.rbegin(); i != variables_.rend(); ++i) {
      if (i->first != name) continue;
      i->second = std::move(value);
      return {};
    }
    return wrong("undefined variable: " + name);
  }
  Result<Value> variable(const std::string& name) const {
    for (auto i = variables_.rbegin(); i != variables_.rend(); ++i)
      if (i->first == name) return i->second;
    return wrong("undefined variable: " + name);
  }

  Result<> no_arguments(const Node& command, const Value* final) {
    if (command.nodes.size() < 2 && final == nullptr) return {};
    return wrong("can't give argument to non-function " + detail::print(*command.nodes.front()));
  }

  // `final` is what the stage before gave; null for the first stage.
  Result<Value> command(const Value& dot, const Node& node, const Value* final) {
    const auto& first = *node.nodes.front();
    switch (first.kind) {
      case K::field:
      case K::chain:
        return fields(dot, first, &node, final);
      case K::variable:
        if (first.names.size() > 1) return fields(dot, first, &node, final);
        at(first);
        TRY_OK(no_arguments(node, final));
        return variable(first.names.front());
      case K::identifier:
        return call(dot, first, node, &node, final);
      case K::pipe:
        TRY_OK(no_arguments(node, final));
        return pipeline(dot, first);
      default:
        break;
    }
    at(first);
    TRY_OK(no_arguments(node, final));
    if (first.kind == K::nil) return wrong("nil is not a command");
    return constant(dot, first);
  }

  // A literal where nothing says what type is wanted.
  Result<Value> constant(const Value& dot, const Node& node) {
    at(node);
    switch (node.kind) {
      case K::boolean:
        return Value(node.is_true);
      case K::dot:
        return dot;
      case K::string:
        return Value(node.value);
      case K::nil:
        return Value(Value::Nil{});
      case K::number: {
        bool hex = node.text.starts_with("0x") || node.text.starts_with("0X");
        bool real = !hex && node.text[0] != '\'' && node.text.find_first_of(".eEpP") != std::string::npos;
        if (real || !node.is_int) return Value(node.real);
        return Value(Int{node.integer, false});
      }
      default:
        return wrong("can't evaluate command " + go_quote(detail::print(node)));
    }
  }

  // .a.b, $x.a, (pipeline).a; with `command` its operands are the last one's arguments.
  Result<Value> fields(const Value& dot, const Node& node, const Node* command, const Value* final) {
    Level level(depth_);
    at(node);
    TRY_OK(step());
    Value receiver = dot;
    std::size_t i = 0;
    if (node.kind == K::chain) {
      if (node.pipe->kind == K::nil) return wrong("indirection through explicit nil in " + detail::print(node));
      TRY(receiver, argument(dot, '-', *node.pipe));
    } else if (node.kind == K::variable) {
      TRY(receiver, variable(node.names.front()));
      i = 1;
    }
    for (; i < node.names.size(); ++i) {
      bool last = i + 1 == node.names.size();
      TRY(receiver, field(dot, node, node.names[i], receiver, last ? command : nullptr, last ? final : nullptr));
    }
    return receiver;
  }

  Result<Value> field(const Value& dot, const Node& node, const std::string& name, const Value& receiver,
                      const Node* command, const Value* final) {
    if (receiver.is_none()) {
      if (missing_ == MissingKey::error) return wrong("nil data; no entry for key " + go_quote(name));
      return Value();
    }
    if (receiver.is_nil()) return wrong("nil pointer evaluating interface {}." + name);
    bool arguments = (command != nullptr && command->nodes.size() > 1) || final != nullptr;
    if (const auto* dict = receiver.if_dict()) {
      if (arguments) return wrong(name + " is not a method but has arguments");
      auto found = dict->find(name);
      if (found != dict->end()) {
        auto value = found->second;
        value.boxed = true;
        return value;
      }
      if (missing_ == MissingKey::error) return wrong("map has no entry for key " + go_quote(name));
      return missing_ == MissingKey::zero ? Value(Value::Nil{}) : Value();
    }
    if (const auto* object = receiver.if_object()) return member(dot, node, name, *object, command, final);
    return wrong(
        fmt::format("can't evaluate field {} in type {}", name, receiver.boxed ? "interface {}" : go_type(receiver)));
  }

  Result<Value> member(const Value& dot, const Node& node, const std::string& name, const Object& object,
                       const Node* command, const Value* final) {
    Items given;
    for (std::size_t i = 1; command != nullptr && i < command->nodes.size(); ++i) {
      TRY(auto one, argument(dot, 'a', *command->nodes[i]));
      given.push_back(std::move(one));
    }
    if (final != nullptr) given.push_back(*final);
    if (auto called = object.call(name, given)) {
      if (*called) return *std::move(*called);
      at(node);
      return wrong(fmt::format("error calling {}: {}", name, called->error().what()));
    }
    if (auto value = object.field(name)) {
      if (given.empty()) return *std::move(value);
      return wrong(name + " has arguments but cannot be invoked as function");
    }
    return wrong(fmt::format("can't evaluate field {} in type {}", name, object.go_type()));
  }

  Result<Value> call(const Value& dot, const Node& name, const Node& shown, const Node* command, const Value* final) {
    Level level(depth_);
    at(name);
    TRY_OK(step());
    if (name.text == "and" || name.text == "or") return short_circuit(dot, name, command, final);
    auto found = functions_.find(name.text);
    if (found == functions_.end()) return wrong(go_quote(name.text) + " is not a defined function");
    const auto& function = found->second;
    auto letters = function.parameters;
    bool variadic = letters.ends_with('*');
    if (variadic) letters.remove_suffix(1);
    std::size_t fixed = letters.size() - (variadic ? 1 : 0);
    std::size_t written = command == nullptr ? 0 : command->nodes.size() - 1;
    std::size_t given = written + (final != nullptr ? 1 : 0);
    if (variadic && given < fixed)
      return wrong(fmt::format("wrong number of args for {}: want at least {} got {}", name.text, fixed, written));
    if (!variadic && given != fixed)
      return wrong(fmt::format("wrong number of args for {}: want {} got {}", name.text, fixed, given));
    auto letter = [&](std::size_t i) { return letters[std::min(i, letters.size() - 1)]; };
    Items arguments;
    for (std::size_t i = 0; i < written; ++i) {
      TRY(auto one, argument(dot, letter(i), *command->nodes[i + 1]));
      arguments.push_back(std::move(one));
    }
    if (final != nullptr) {
      TRY(auto one, fitting(*final, letter(written)));
      arguments.push_back(std::move(one));
    }
    if (name.text == "call" && written > 0 && !arguments[0].nothing()) {
      at(shown);
      return wrong(fmt::format("error calling call: non-function {} of type {}", detail::print(*command->nodes[1]),
                               go_type(arguments[0])));
    }
    auto result = function.run(arguments);
    if (result) {
      TRY_OK(weigh(*result));
      return result;
    }
    at(shown);
    return wrong(fmt::format("error calling {}: {}", name.text, result.error().what()));
  }

  Result<Value> short_circuit(const Value& dot, const Node& name, const Node* command, const Value* final) {
    std::size_t written = command == nullptr ? 0 : command->nodes.size() - 1;
    if (written == 0 && final == nullptr)
      return wrong(fmt::format("wrong number of args for {}: want at least 1 got 0", name.text));
    Value value;
    for (std::size_t i = 0; i < written; ++i) {
      TRY(value, argument(dot, 'a', *command->nodes[i + 1]));
      if (truth(value) == (name.text == "or")) return value;
    }
    return final != nullptr ? *final : value;
  }

  // A value where a type is wanted.
  Result<Value> fitting(Value value, char letter) {
    if (letter == '-') return value;
    auto type = type_of_letter(letter);
    if (value.nothing()) {
      if (letter == 'a' || letter == 'd' || letter == 'S') return Value(Value::Nil{});
      return wrong(fmt::format("invalid value; expected {}", type));
    }
    if (letter == 'a' || go_type(value) == type) return value;
    return wrong(fmt::format("wrong type for value; expected {}; got {}", type, go_type(value)));
  }

  Result<Value> argument(const Value& dot, char letter, const Node& node) {
    at(node);
    Value value;
    switch (node.kind) {
      case K::dot:
        return fitting(dot, letter);
      case K::nil:
        if (letter == 'a' || letter == 'd' || letter == 'S') return Value(Value::Nil{});
        return wrong(fmt::format("cannot assign nil to {}", type_of_letter(letter)));
      case K::field:
      case K::chain: {
        TRY(value, fields(dot, node, nullptr, nullptr));
        return fitting(std::move(value), letter);
      }
      case K::variable: {
        if (node.names.size() > 1) {
          TRY(value, fields(dot, node, nullptr, nullptr));
        } else {
          TRY(value, variable(node.names.front()));
        }
        return fitting(std::move(value), letter);
      }
      case K::pipe: {
        TRY(value, pipeline(dot, node));
        return fitting(std::move(value), letter);
      }
      case K::identifier: {
        TRY(value, call(dot, node, node, nullptr, nullptr));
        return fitting(std::move(value), letter);
      }
      default:
        return literal(dot, letter, node);
    }
  }

  Result<Value> literal(const Value& dot, char letter, const Node& node) {
    auto expected = [&](std::string_view what) {
      return wrong(fmt::format("expected {}; found {}", what, detail::print(node)));
    };
    switch (letter) {
      case 's':
        return node.kind == K::string ? Result<Value>(Value(node.value)) : expected("string");
      case 'b':
        return node.kind == K::boolean ? Result<Value>(Value(node.is_true)) : expected("bool");
      case 'f':
        return node.kind == K::number && node.is_float ? Result<Value>(Value(node.real)) : expected("float");
      case 'i':
      case 'I':
        return node.kind == K::number && node.is_int ? Result<Value>(Value(Int{node.integer, letter == 'I'}))
                                                     : expected("integer");
      case 'd':
      case 'S':
        return wrong(fmt::format("can't handle {} for arg of type {}", detail::print(node), type_of_letter(letter)));
      default:
        return constant(dot, node);
    }
  }

  const Trees& trees_;
  const Functions& functions_;
  MissingKey missing_;
  const Limits& limits_;
  const Tree* tree_ = nullptr;
  const Node* node_ = nullptr;
  std::vector<std::pair<std::string, Value>> variables_;
  std::string out_;
  std::size_t steps_ = 0, made_ = 0;
  int depth_ = 0, templates_ = 0;
};

}  // namespace

Result<MissingKey> parse_option(std::string_view option) {
  if (option == "missingkey=default" || option == "missingkey=invalid") return MissingKey::invalid;
  if (option == "missingkey=zero") return MissingKey::zero;
  if (option == "missingkey=error") return MissingKey::error;
  return fail(Kind::invalid, "unrecognized option: {}, want missingkey=default, invalid, zero or error", option);
}

Result<> Template::parse(std::string_view name, std::string_view text) {
  auto known = [this](std::string_view word) {
    return word == "and" || word == "or" || functions_->find(word) != functions_->end();
  };
  TRY(auto parsed, detail::parse_trees(name, text, known));
  for (auto& tree : parsed) {
    auto found = trees_.find(tree.name);
    if (found != trees_.end() && tree.blank()) continue;
    auto key = tree.name;
    trees_.insert_or_assign(std::move(key), std::make_shared<const Tree>(std::move(tree)));
  }
  return {};
}

bool Template::has(std::string_view name) const { return trees_.find(name) != trees_.end(); }

Result<std::string> Template::execute(std::string_view name, const Value& data) const {
  auto found = trees_.find(name);
  if (found == trees_.end())
    return fail(Kind::invalid, "template: no template {} associated with template {}", go_quote(name), go_quote(name_));
  return Execution(trees_, *functions_, missing_, limits_).run(*found->second, data);
}

}  // namespace slipway::gotemplate
