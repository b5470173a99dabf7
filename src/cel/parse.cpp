#include "cel/detail/parse.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "cel/detail/lex.h"
#include "doc/json.h"

namespace slipway::cel::detail {
namespace {

constexpr std::size_t longest_text = 100'000;
constexpr std::string_view reserved[] = {"as",        "break",  "const",  "continue", "else", "for",
                                         "function",  "if",     "import", "let",      "loop", "package",
                                         "namespace", "return", "var",    "void",     "while"};
constexpr std::string_view keywords[] = {"true", "false", "null", "in"};

bool is_one_of(std::string_view word, auto& words) { return std::ranges::find(words, word) != std::end(words); }

class Parser {
 public:
  Parser(std::string_view text, std::string_view source) : lexer_(text, source), source_(source) {}

  Result<NodePtr> whole() {
    TRY_OK(advance());
    TRY(auto node, expression());
    if (token_.kind != Token::Kind::end) return unexpected("an operator or the end");
    return node;
  }

 private:
  // Each level of nesting comes through here.
  Result<NodePtr> expression() {
    if (++depth_ > most_height) return too_deep(token_.at);
    TRY(auto condition, binary(0));
    --depth_;
    if (!token_.is("?")) return condition;
    auto node = make_node(Node::Kind::choice, token_.at);
    node->children.push_back(std::move(condition));
    TRY_OK(advance());
    if (++depth_ > most_height) return too_deep(token_.at);
    TRY(auto then, binary(0));
    --depth_;
    node->children.push_back(std::move(then));
    TRY_OK(expect(":"));
    if (++depth_ > most_height) return too_deep(token_.at);
    TRY(auto otherwise, expression());
    --depth_;
    node->children.push_back(std::move(otherwise));
    return done(std::move(node));
  }

  struct Operator {
    std::string_view sign;
    int level;
    Op op = Op::add;
  };
  // 0: ||, 1: &&, 2: relations, 3: sums, 4: products.
  const Operator* binary_operator() const {
    static constexpr Operator all[] = {{"||", 0},
                                       {"&&", 1},
                                       {"==", 2, Op::equal},
                                       {"!=", 2, Op::differ},
                                       {"<", 2, Op::less},
                                       {">", 2, Op::more},
                                       {"<=", 2, Op::at_most},
                                       {">=", 2, Op::at_least},
                                       {"in", 2, Op::in},
                                       {"+", 3, Op::add},
                                       {"-", 3, Op::subtract},
                                       {"*", 4, Op::multiply},
                                       {"/", 4, Op::divide},
                                       {"%", 4, Op::remainder}};
    for (const auto& one : all)
      if (token_.is(one.sign) || (one.op == Op::in && token_.kind == Token::Kind::word && token_.text == "in"))
        return &one;
    return nullptr;
  }
  Result<NodePtr> binary(int level) {
    TRY(auto left, unary());
    while (const auto* found = binary_operator()) {
      if (found->level < level) break;
      Place at = token_.at;
      TRY_OK(advance());
      TRY(auto right, binary(found->level + 1));
      if (found->level <= 1) {
        // A chain of the same is one node, so that long ones are not deep.
        auto kind = found->level == 0 ? Node::Kind::either : Node::Kind::both;
        if (left->kind == kind) {
          if (right->height >= most_height) return too_deep(at);
          left->height = std::max<std::uint16_t>(left->height, right->height + 1);
          left->children.push_back(std::move(right));
          continue;
        } else {
          auto node = make_node(kind, at);
          node->children.push_back(std::move(left));
          node->children.push_back(std::move(right));
          left = std::move(node);
        }
      } else {
        auto node = make_node(Node::Kind::op, at);
        node->op = found->op;
        node->children.push_back(std::move(left));
        node->children.push_back(std::move(right));
        left = std::move(node);
      }
      TRY(left, done(std::move(left)));
    }
    return left;
  }

  Result<NodePtr> unary() {
    Place at = token_.at;
    bool minus = token_.is("-");
    if (!minus && !token_.is("!")) return member({});
    std::size_t count = 0;
    for (; token_.is(minus ? "-" : "!"); ++count) TRY_OK(advance());
    bool number = token_.kind == Token::Kind::integer || token_.kind == Token::Kind::number;
    // A sign before a number belongs to it: the least integer has no positive.
    if (minus && number) --count;
    TRY(auto of, member(minus && number ? "-" : ""));
    if (count % 2 == 0) return of;
    auto node = make_node(minus ? Node::Kind::negate : Node::Kind::invert, at);
    node->children.push_back(std::move(of));
    return done(std::move(node));
  }

  Result<NodePtr> member(std::string_view sign) {
    TRY(auto node, primary(sign));
    while (true) {
      if (token_.is(".")) {
        TRY(node, dot(std::move(node)));
      } else if (token_.is("[")) {
        auto index = make_node(Node::Kind::index, token_.at);
        TRY_OK(advance());
        TRY(index->optional, take("?"));
        TRY(auto by, expression());
        TRY_OK(expect("]"));
        index->children.push_back(std::move(node));
        index->children.push_back(std::move(by));
        TRY(node, done(std::move(index)));
      } else if (token_.is("{") && !dotted(*node).empty()) {
        TRY(node, message(std::move(node)));
      } else {
        return node;
      }
    }
  }

  Result<NodePtr> dot(NodePtr of) {
    TRY_OK(advance());
    TRY(bool optional, take("?"));
    auto node = make_node(Node::Kind::select, token_.at);
    node->optional = optional;
    if (token_.kind == Token::Kind::quoted_word) {
      node->text = token_.text;
    } else if (token_.kind == Token::Kind::word && !is_one_of(token_.text, keywords)) {
      node->text = token_.text;
    } else {
      return unexpected("the name of a field or function");
    }
    bool quoted = token_.kind == Token::Kind::quoted_word;
    TRY_OK(advance());
    node->children.push_back(std::move(of));
    if (!token_.is("(") || quoted || optional) return done(std::move(node));
    node->kind = Node::Kind::call;
    node->receiver = true;
    return call(std::move(node));
  }

  Result<NodePtr> call(NodePtr node) {
    TRY_OK(advance());
    TRY_OK(items(*node, ")"));
    TRY(auto called, done(std::move(node)));
    TRY(auto expanded, expand_macro(std::move(called), source_));
    return done(std::move(expanded));
  }

  // Expressions between commas until `close`, which is passed.
  Result<> items(Node& into, std::string_view close) {
    bool list = close == "]";
    while (!token_.is(close)) {
      TRY(bool maybe, list ? take("?") : Result<bool>(false));
      TRY(auto item, expression());
      item->maybe = maybe;
      into.children.push_back(std::move(item));
      if (token_.is(close)) break;
      if (!token_.is(",")) return unexpected(fmt::format("an operator, \",\" or \"{}\"", close));
      TRY_OK(advance());
      if (!list && token_.is(close)) return unexpected("an argument");
    }
    return advance();
  }

  Result<NodePtr> entries(NodePtr node) {
    TRY_OK(advance());
    while (!token_.is("}")) {
      TRY(bool maybe, take("?"));
      auto key = make_node(Node::Kind::literal, token_.at);
      if (node->kind == Node::Kind::message) {
        if (token_.kind != Token::Kind::word && token_.kind != Token::Kind::quoted_word)
          return unexpected("the name of a field");
        key->value = Value(token_.text);
        TRY_OK(advance());
      } else {
        TRY(key, expression());
      }
      TRY_OK(expect(":"));
      TRY(auto value, expression());
      key->maybe = maybe;
      node->children.push_back(std::move(key));
      node->children.push_back(std::move(value));
      if (token_.is("}")) break;
      if (!token_.is(",")) return unexpected("an operator, \",\" or \"}\"");
      TRY_OK(advance());
    }
    TRY_OK(advance());
    return done(std::move(node));
  }
  Result<NodePtr> message(NodePtr type) {
    auto node = make_node(Node::Kind::message, type->at);
    node->text = dotted(*type);
    return entries(std::move(node));
  }

  Result<NodePtr> primary(std::string_view sign) {
    auto node = make_node(Node::Kind::literal, token_.at);
    if (token_.is("(")) {
      TRY_OK(advance());
      TRY(auto inner, expression());
      TRY_OK(expect(")"));
      return inner;
    }
    if (token_.is("[")) {
      node->kind = Node::Kind::list;
      TRY_OK(advance());
      TRY_OK(items(*node, "]"));
      return done(std::move(node));
    }
    if (token_.is("{")) {
      node->kind = Node::Kind::map;
      return entries(std::move(node));
    }
    if (token_.is(".")) {
      node->rooted = true;
      TRY_OK(advance());
      if (token_.kind != Token::Kind::word) return unexpected("a name");
    }
    if (token_.kind == Token::Kind::word && !(is_one_of(token_.text, keywords))) return name(std::move(node));
    if (!node->rooted) {
      TRY(node->value, literal(sign));
      TRY_OK(advance());
      return node;
    }
    return unexpected("a name");
  }

  Result<NodePtr> name(NodePtr node) {
    if (is_one_of(token_.text, reserved))
      return wrong_at(source_, token_.at, fmt::format("\"{}\" is a reserved word, want another name", token_.text));
    node->kind = Node::Kind::name;
    node->text = token_.text;
    TRY_OK(advance());
    if (!token_.is("(")) return node;
    node->kind = Node::Kind::call;
    return call(std::move(node));
  }

  Result<Value> literal(std::string_view sign) {
    std::string digits = std::string(sign) + token_.text;
    auto range = [&](std::string_view what) {
      return wrong_at(source_, token_.at, fmt::format("{} is out of the range of {}", digits.substr(0, 40), what));
    };
    switch (token_.kind) {
      case Token::Kind::integer: {
        auto magnitude = unsigned_digits();
        bool minus = !sign.empty();
        constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        if (!magnitude || *magnitude > most + (minus ? 1 : 0)) return range("int");
        return Value(static_cast<std::int64_t>(minus ? 0 - *magnitude : *magnitude));
      }
      case Token::Kind::uinteger: {
        auto magnitude = unsigned_digits();
        if (!magnitude) return range("uint");
        return Value(*magnitude);
      }
      case Token::Kind::number: {
        double value = 0;
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        // Too small is 0, too large an error; from_chars tells neither from the other.
        if (error == std::errc::result_out_of_range) value = std::strtod(digits.c_str(), nullptr);
        if (std::isinf(value)) return range("double");
        return Value(value);
      }
      case Token::Kind::string:
        return Value(std::move(token_.text));
      case Token::Kind::bytes:
        return Value(Bytes{Text::own(std::move(token_.text))});
      case Token::Kind::word:
        if (token_.text == "true") return Value(true);
        if (token_.text == "false") return Value(false);
        if (token_.text == "null") return Value();
        break;
      default:
        break;
    }
    return unexpected("a value, a name or \"(\"");
  }
  std::optional<std::uint64_t> unsigned_digits() const {
    std::string_view digits = token_.text;
    int base = digits.starts_with("0x") ? 16 : 10;
    if (base == 16) digits.remove_prefix(2);
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    return error == std::errc() ? std::optional(value) : std::nullopt;
  }

  Result<NodePtr> done(NodePtr node) {
    int highest = 0;
    for (const auto& child : node->children) highest = std::max<int>(highest, child->height);
    if (highest + 1 > most_height) return too_deep(node->at);
    node->height = static_cast<std::uint16_t>(highest + 1);
    return node;
  }
  Fail too_deep(Place at) const {
    return wrong_at(source_, at, fmt::format("nested deeper than {} levels", most_height));
  }

  Result<> advance() {
    TRY(token_, lexer_.next());
    return {};
  }
  Result<bool> take(std::string_view sign) {
    if (!token_.is(sign)) return false;
    TRY_OK(advance());
    return true;
  }
  Result<> expect(std::string_view sign) {
    if (!token_.is(sign)) return unexpected(fmt::format("an operator or \"{}\"", sign));
    return advance();
  }
  Fail unexpected(std::string_view want) const {
    return wrong_at(source_, token_.at, fmt::format("got {}, want {}", token_.print(), want));
  }

  Lexer lexer_;
  std::string_view source_;
  Token token_;
  int depth_ = 0;
};

}  // namespace

Result<NodePtr> parse(std::string_view text, std::string_view source) {
  if (text.size() > longest_text)
    return wrong_at(source, {}, fmt::format("the expression has {} bytes, want at most {}", text.size(), longest_text));
  return Parser(text, source).whole();
}

std::string dotted(const Node& node) {
  if (node.kind == Node::Kind::name) return node.text;
  if (node.kind != Node::Kind::select || node.optional) return "";
  auto of = dotted(*node.children[0]);
  return of.empty() ? of : of + "." + node.text;
}

std::string_view to_string(Op op) {
  constexpr std::string_view signs[] = {"+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in"};
  return signs[static_cast<std::size_t>(op)];
}

}  // namespace slipway::cel::detail
