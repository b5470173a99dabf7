#include "base/text.h"
#include "ci/detail/node.h"

namespace slipway::ci {
namespace {

constexpr int max_depth = 50;
constexpr int max_recursion = 400;  // parentheses add no depth, only stack

// Precedence, lowest first: || && (== !=) (> >= < <=) ! access.
class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens, const Vocabulary& vocabulary)
      : text_(text), tokens_(std::move(tokens)), vocabulary_(vocabulary) {}

  Result<Node> run() {
    if (tokens_.size() == 1) return Node{};  // nothing: null
    TRY(auto root, either());
    if (peek().sort != Sort::end) return unexpected(peek());
    return root;
  }
  // Where the token stands at which reading stopped, or the one that was found wrong.
  std::size_t position() const { return wrong_ > 0 ? wrong_ : tokens_[at_].position; }

 private:
  using Op = Node::Op;

  Result<Node> either() { return chain(Sort::or_, Op::or_, &Parser::both); }
  Result<Node> both() { return chain(Sort::and_, Op::and_, &Parser::equality); }

  // One node for a whole row of && or ||: long rows are wide, not deep.
  Result<Node> chain(Sort sort, Op op, Result<Node> (Parser::*operand)()) {
    TRY(auto left, (this->*operand)());
    if (peek().sort != sort) return left;
    std::vector<Node> children;
    children.push_back(std::move(left));
    while (peek().sort == sort) {
      ++at_;
      TRY(auto right, (this->*operand)());
      children.push_back(std::move(right));
    }
    return made(op, std::move(children));
  }

  Result<Node> equality() { return left_to_right({{Sort::eq, Op::eq}, {Sort::ne, Op::ne}}, &Parser::relation); }
  Result<Node> relation() {
    return left_to_right({{Sort::gt, Op::gt}, {Sort::ge, Op::ge}, {Sort::lt, Op::lt}, {Sort::le, Op::le}},
                         &Parser::negation);
  }
  Result<Node> left_to_right(std::initializer_list<std::pair<Sort, Op>> operators, Result<Node> (Parser::*operand)()) {
    TRY(auto left, (this->*operand)());
    for (;;) {
      auto found = std::find_if(operators.begin(), operators.end(), [&](auto& o) { return o.first == peek().sort; });
      if (found == operators.end()) return left;
      ++at_;
      TRY(auto right, (this->*operand)());
      std::vector<Node> children;
      children.push_back(std::move(left));
      children.push_back(std::move(right));
      TRY(left, made(found->second, std::move(children)));
    }
  }

  Result<Node> negation() {
    int count = 0;
    auto first = peek().position;
    while (peek().sort == Sort::not_) {
      ++at_;
      if (++count > max_depth) return too_deep();
    }
    TRY(auto node, access());
    for (; count > 0; --count) {
      std::vector<Node> children;
      children.push_back(std::move(node));
      TRY(node, made(Op::not_, std::move(children)));
      node.position = first;
    }
    return node;
  }

  Result<Node> access() {
    bool reachable = peek().sort == Sort::name || peek().sort == Sort::left_paren;
    TRY(auto node, primary());
    while (reachable && (peek().sort == Sort::dot || peek().sort == Sort::left_bracket)) {
      TRY(node, step(std::move(node)));
    }
    return node;
  }

  Result<Node> step(Node target) {
    bool dot = tokens_[at_++].sort == Sort::dot;
    Node key;
    key.position = peek().position;
    if (peek().sort == Sort::star) {
      key.op = Op::star;
      ++at_;
    } else if (dot) {
      if (peek().sort != Sort::name) return peek().sort == Sort::end ? ended() : unexpected(peek());
      key.value = std::string(tokens_[at_++].text);
    } else {
      TRY(key, nested());
    }
    if (!dot) TRY_OK(expect(Sort::right_bracket));
    std::vector<Node> children;
    children.push_back(std::move(target));
    children.push_back(std::move(key));
    return made(Op::index, std::move(children));
  }

  Result<Node> nested() {
    if (++recursion_ > max_recursion) return too_deep();
    auto node = either();
    --recursion_;
    return node;
  }

  Result<Node> primary() {
    const Token& token = peek();
    switch (token.sort) {
      case Sort::literal: {
        ++at_;
        Node node;
        node.value = token.value;
        node.position = token.position;
        return node;
      }
      case Sort::left_paren: {
        ++at_;
        TRY(auto node, nested());
        TRY_OK(expect(Sort::right_paren));
        return node;
      }
      case Sort::name:
        ++at_;
        return peek().sort == Sort::left_paren ? call(token) : name(token);
      case Sort::end:
        return ended();
      default:
        return unexpected(token);
    }
  }

  Result<Node> name(const Token& token) {
    bool known = vocabulary_.any_name;
    for (auto& candidate : vocabulary_.names) known = known || iequals(candidate, token.text);
    if (!known) return unknown("named-value", token);
    Node node;
    node.op = Op::name;
    node.name = std::string(token.text);
    node.position = token.position;
    return node;
  }

  Result<Node> call(const Token& token) {
    std::size_t min = 0, max = 255;
    bool known = false;
    if (auto* built_in = find_built_in(token.text)) min = built_in->min, max = built_in->max, known = true;
    for (auto& f : vocabulary_.functions)
      if (iequals(f.name, token.text)) min = f.min, max = f.max, known = true;
    if (!known && !vocabulary_.any_name) return unknown("function", token);
    ++at_;
    std::vector<Node> arguments;
    if (peek().sort != Sort::right_paren) {
      for (;;) {
        TRY(auto argument, nested());
        arguments.push_back(std::move(argument));
        if (peek().sort != Sort::comma) break;
        ++at_;
      }
    }
    TRY_OK(expect(Sort::right_paren));
    auto wrong = [&](std::string_view what) -> Fail {
      wrong_ = token.position;
      return fail(Kind::invalid, "{}: '{}'. Located at position {} within expression: {}", what, token.text,
                  token.position, text_);
    };
    if (arguments.size() < min) return wrong("Too few parameters supplied");
    if (arguments.size() > max) return wrong("Too many parameters supplied");
    if (iequals(token.text, "case") && arguments.size() % 2 == 0)
      return wrong("Even number of parameters supplied, requires an odd number of parameters");
    TRY(auto node, made(Op::call, std::move(arguments)));
    node.name = std::string(token.text);
    node.position = token.position;
    return node;
  }

  Result<Node> made(Op op, std::vector<Node> children) {
    Node node;
    node.op = op;
    for (auto& child : children) node.depth = std::max(node.depth, child.depth + 1);
    if (!children.empty()) node.position = children[0].position;
    node.children = std::move(children);
    if (node.depth > max_depth) return too_deep();
    return node;
  }

  Result<> expect(Sort sort) {
    if (peek().sort == sort) {
      ++at_;
      return {};
    }
    if (peek().sort == Sort::end) return Fail(ended());
    return Fail(unexpected(peek()));
  }
  const Token& peek() const { return tokens_[at_]; }
  Fail unexpected(const Token& token) const {
    return fail(Kind::invalid, "Unexpected symbol: '{}'. Located at position {} within expression: {}", token.text,
                token.position, text_);
  }
  Fail unknown(std::string_view what, const Token& token) const {
    return fail(Kind::invalid, "Unrecognized {}: '{}'. Located at position {} within expression: {}", what, token.text,
                token.position, text_);
  }
  Fail ended() const {
    if (at_ == 0) return fail(Kind::invalid, "An expression was expected");
    auto& last = tokens_[at_ - 1];
    return fail(Kind::invalid, "Unexpected end of expression: '{}'. Located at position {} within expression: {}",
                last.text, last.position, text_);
  }
  Fail too_deep() const { return fail(Kind::invalid, "Exceeded max expression depth {}", max_depth); }

  std::string_view text_;
  std::vector<Token> tokens_;
  const Vocabulary& vocabulary_;
  std::size_t at_ = 0, wrong_ = 0;
  int recursion_ = 0;
};

bool any_call(const Node& node, std::span<const std::string_view> names) {
  if (node.op == Node::Op::call &&
      std::any_of(names.begin(), names.end(), [&](auto n) { return iequals(n, node.name); }))
    return true;
  return std::any_of(node.children.begin(), node.children.end(), [&](auto& child) { return any_call(child, names); });
}

void collect_members(const Node& node, std::string_view context, std::vector<std::string>& out) {
  if (node.op == Node::Op::index && node.children[0].op == Node::Op::name && iequals(node.children[0].name, context)) {
    auto& key = node.children[1];
    auto* name = key.op == Node::Op::literal ? key.value.if_string() : nullptr;
    out.push_back(name ? *name : std::string());
    if (key.op != Node::Op::literal) collect_members(key, context, out);
    return;
  }
  if (node.op == Node::Op::name && iequals(node.name, context)) out.emplace_back();
  for (auto& child : node.children) collect_members(child, context, out);
}

}  // namespace

Result<Node> parse_node(std::string_view text, const Vocabulary& vocabulary, std::size_t& where) {
  TRY(auto tokens, lex(text, &where));
  Parser parser(text, std::move(tokens), vocabulary);
  auto root = parser.run();
  if (!root) where = parser.position();
  return root;
}

Result<Expression> Expression::parse(std::string_view text, const Vocabulary& vocabulary) {
  Expression expression;
  expression.text_ = std::string(text);
  TRY(auto tokens, lex(expression.text_));
  TRY(auto root, Parser(expression.text_, std::move(tokens), vocabulary).run());
  expression.root_ = std::make_shared<const Node>(std::move(root));
  return expression;
}

bool Expression::calls(std::span<const std::string_view> functions) const {
  return root_ && any_call(*root_, functions);
}

std::vector<std::string> Expression::members_of(std::string_view context) const {
  std::vector<std::string> out;
  if (root_) collect_members(*root_, context, out);
  return out;
}

const Data* Expression::literal() const { return root_ && root_->op == Node::Op::literal ? &root_->value : nullptr; }

}  // namespace slipway::ci
