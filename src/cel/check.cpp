#include "cel/detail/check.h"

#include <algorithm>

#include "base/text.h"
#include "cel/detail/function.h"
#include "cel/detail/lex.h"
#include "cel/detail/parse.h"

namespace slipway::cel::detail {
namespace {

using Kind_ = Node::Kind;

constexpr std::string_view types[] = {"bool",
                                      "int",
                                      "uint",
                                      "double",
                                      "string",
                                      "bytes",
                                      "list",
                                      "map",
                                      "null_type",
                                      "type",
                                      "optional_type",
                                      "google.protobuf.Timestamp",
                                      "google.protobuf.Duration",
                                      "net.IP",
                                      "net.CIDR",
                                      "kubernetes.URL",
                                      "kubernetes.Quantity",
                                      "kubernetes.Semver",
                                      "kubernetes.NamedFormat"};

class Resolver {
 public:
  Resolver(Code& code, const Options& options) : code_(code), options_(options) {}

  Result<> walk(NodePtr& node) {
    switch (node->kind) {
      case Kind_::name:
      case Kind_::select:
        return name(node);
      case Kind_::call:
        return call(*node);
      case Kind_::macro:
        return macro(*node);
      case Kind_::message:
        return wrong(*node, fmt::format("messages are not known here, got {}{{...}}, want a map", node->text));
      default:
        return children(*node);
    }
  }

 private:
  struct Local {
    std::string_view name;
    std::uint32_t slot;
  };

  Result<> children(Node& node) {
    for (auto& child : node.children) TRY_OK(walk(child));
    return {};
  }

  const Local* local(const Node& node) const {
    const auto* root = &node;
    while (root->kind == Kind_::select) root = root->children[0].get();
    if (root->kind != Kind_::name || root->rooted) return nullptr;
    auto it = std::ranges::find(locals_.rbegin(), locals_.rend(), root->text, &Local::name);
    return it == locals_.rend() ? nullptr : &*it;
  }

  // The longest name with dots that is declared; what follows selects fields of it.
  Result<> name(NodePtr& node) {
    auto full = dotted(*node);
    const auto* held = full.empty() ? nullptr : local(*node);
    if (held != nullptr && node->kind == Kind_::name) {
      node->kind = Kind_::local;
      node->slot = held->slot;
      return {};
    }
    if (held == nullptr && !full.empty()) {
      auto type = std::ranges::find(types, full);
      bool is_type = type != std::end(types),
           declared = std::ranges::find(options_.variables, full) != options_.variables.end();
      if (declared || is_type || (options_.any_variable && node->kind == Kind_::name)) {
        auto resolved = make_node(Kind_::variable, node->at);
        resolved->text = full;
        resolved->maybe = node->maybe;
        if (is_type) resolved->value = TypeName{*type};
        node = std::move(resolved);
        return {};
      }
      if (node->kind == Kind_::name) {
        auto failed = Error(Kind::invalid, wrong(*node, fmt::format("undeclared name \"{}\"", full)).error().what());
        return Fail(std::move(failed).with_hint(near(full, options_.variables)));
      }
    }
    return children(*node);
  }

  Result<> call(Node& node) {
    std::string function = node.text;
    if (node.receiver) {
      // math.abs(x): the function of a library, unless a variable of a macro has that name.
      auto space = dotted(*node.children[0]);
      if (!space.empty() && local(*node.children[0]) == nullptr && !find_overloads(space + "." + function).empty()) {
        function = space + "." + function;
        node.children.erase(node.children.begin());
        node.receiver = false;
        node.text = function;
      }
    }
    const auto& overloads = find_overloads(function);
    if (overloads.empty()) {
      auto failed = Error(Kind::invalid, wrong(node, fmt::format("unknown function \"{}\"", function)).error().what());
      return Fail(std::move(failed).with_hint(near(function, function_names())));
    }
    for (const auto* overload : overloads)
      if (overload->receiver() == node.receiver && overload->takes_count(node.children.size()))
        node.overloads.push_back(overload);
    if (node.overloads.empty()) return wrong(node, no_such_call(node, overloads));
    TRY_OK(children(node));
    return pattern(node);
  }

  std::string no_such_call(const Node& node, const std::vector<const Overload*>& overloads) const {
    bool style = std::ranges::any_of(overloads, [&](const auto* one) { return one->receiver() == node.receiver; });
    if (!style && node.receiver) return fmt::format("\"{0}\" is called as {0}(...), not on a value", node.text);
    if (!style) return fmt::format("\"{0}\" is called on a value: x.{0}(...)", node.text);
    return fmt::format("\"{}\" does not take {} arguments", node.text, node.children.size() - (node.receiver ? 1 : 0));
  }

  // A pattern that is a literal is wrong before anything is evaluated.
  Result<> pattern(Node& node) {
    if (node.text != "matches" && node.text != "find" && node.text != "findAll") return {};
    const auto& argument = *node.children[1];
    auto text = argument.kind == Kind_::literal ? argument.value.if_string() : std::nullopt;
    if (!text) return {};
    auto compiled = Regex::compile(*text);
    if (!compiled) return wrong(argument, compiled.error().what());
    patterns_ += (*compiled)->size();
    if (patterns_ > 20'000) return wrong(argument, "the patterns of the expression are too large together");
    return {};
  }

  Result<> macro(Node& node) {
    TRY_OK(walk(node.children[0]));
    node.slot = depth_;
    std::size_t before = locals_.size();
    for (const auto& variable : node.names) locals_.push_back({variable, depth_++});
    code_.slots = std::max(code_.slots, depth_);
    for (std::size_t i = 1; i < node.children.size(); ++i) TRY_OK(walk(node.children[i]));
    depth_ -= static_cast<std::uint32_t>(node.names.size());
    locals_.resize(before);
    return {};
  }

  Fail wrong(const Node& node, std::string_view what) const { return wrong_at(code_.source, node.at, what); }
  static std::string near(std::string_view word, std::span<const std::string> candidates) {
    auto found = nearest(word, candidates);
    return found ? fmt::format("did you mean \"{}\"?", *found) : "";
  }

  Code& code_;
  const Options& options_;
  std::vector<Local> locals_;
  std::uint32_t depth_ = 0;
  std::size_t patterns_ = 0;  // instructions
};

}  // namespace

Result<> resolve(Code& code, const Options& options) { return Resolver(code, options).walk(code.root); }

}  // namespace slipway::cel::detail
