#include "base/text.h"
#include "verify/detail/expression.h"

namespace slipway::verify::detail {
namespace {

struct Token {
  enum class Kind { end, number, string, name, op } kind = Kind::end;
  std::string text;
  std::size_t at = 1;
};

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Result<std::vector<Token>> all() {
    std::vector<Token> tokens;
    while (true) {
      while (i_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[i_]))) ++i_;
      if (i_ >= text_.size()) break;
      TRY(auto token, next());
      tokens.push_back(std::move(token));
    }
    tokens.push_back({Token::Kind::end, "", text_.size() + 1});
    return tokens;
  }

 private:
  Result<Token> next() {
    char c = text_[i_];
    auto at = i_ + 1;
    if (std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '.' && i_ + 1 < text_.size() && std::isdigit(static_cast<unsigned char>(text_[i_ + 1]))))
      return Token{Token::Kind::number, number(), at};
    if (c == '"' || c == '\'' || c == '`') {
      TRY(auto text, string(c));
      return Token{Token::Kind::string, std::move(text), at};
    }
    if (is_name_char(c)) {
      auto from = i_;
      while (i_ < text_.size() && is_name_char(text_[i_])) ++i_;
      return Token{Token::Kind::name, std::string(text_.substr(from, i_ - from)), at};
    }
    for (std::string_view op :
         {"==", "!=", "<=", ">=", "&&", "||", "??", "?.", "**", "..", "#", "<", ">", "+", "-", "*",
          "/",  "%",  "^",  "!",  "?",  ":",  ".",  ",",  "(",  ")",  "[", "]", "{", "}", "|", ";"})
      if (text_.substr(i_).starts_with(op)) {
        i_ += op.size();
        return Token{Token::Kind::op, std::string(op), at};
      }
    return fail(Kind::invalid, "column {}: unexpected character '{}'", at, c);
  }
  std::string number() {
    auto from = i_;
    auto digits = [&] {
      while (i_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[i_])) || text_[i_] == '_')) ++i_;
    };
    digits();
    if (i_ + 1 < text_.size() && text_[i_] == '.' && text_[i_ + 1] != '.') ++i_, digits();
    if (i_ < text_.size() && (text_[i_] == 'e' || text_[i_] == 'E')) {
      ++i_;
      if (i_ < text_.size() && (text_[i_] == '+' || text_[i_] == '-')) ++i_;
      digits();
    }
    return replace_all(std::string(text_.substr(from, i_ - from)), "_", "");
  }
  Result<std::string> string(char quote) {
    std::string out;
    auto from = i_++;
    for (; i_ < text_.size() && text_[i_] != quote; ++i_) {
      if (text_[i_] != '\\' || quote == '`' || i_ + 1 >= text_.size()) {
        out += text_[i_];
        continue;
      }
      char e = text_[++i_];
      out += e == 'n' ? '\n' : e == 't' ? '\t' : e == 'r' ? '\r' : e;
    }
    if (i_ >= text_.size()) return fail(Kind::invalid, "column {}: the string does not end", from + 1);
    ++i_;
    return out;
  }
  std::string_view text_;
  std::size_t i_ = 0;
};

struct Operator {
  std::string_view text;
  int strength;
};
// expr-lang's precedences.
constexpr Operator operators[] = {{"??", 1},          {"||", 10},       {"or", 10},  {"&&", 15},       {"and", 15},
                                  {"==", 20},         {"!=", 20},       {"<", 20},   {"<=", 20},       {">", 20},
                                  {">=", 20},         {"in", 20},       {"not", 20}, {"contains", 20}, {"matches", 20},
                                  {"startsWith", 20}, {"endsWith", 20}, {"..", 25},  {"+", 30},        {"-", 30},
                                  {"*", 60},          {"/", 60},        {"%", 60},   {"**", 100},      {"^", 100}};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Node> whole() {
    TRY(auto node, expression());
    if (peek().kind != Token::Kind::end) return unexpected();
    return node;
  }

 private:
  const Token& peek() const { return tokens_[i_]; }
  bool is(std::string_view text) const {
    return peek().kind != Token::Kind::string && peek().kind != Token::Kind::end && peek().text == text;
  }
  bool take(std::string_view text) {
    if (!is(text)) return false;
    ++i_;
    return true;
  }
  Fail unexpected() const {
    const auto& t = peek();
    if (t.kind == Token::Kind::end) return fail(Kind::invalid, "column {}: the expression ends too early", t.at);
    return fail(Kind::invalid, "column {}: unexpected \"{}\"", t.at, t.text.substr(0, 40));
  }
  Result<void> want(std::string_view text) {
    if (take(text)) return {};
    return fail(Kind::invalid, "column {}: want \"{}\"{}", peek().at, text,
                peek().kind == Token::Kind::end ? "" : ", not \"" + peek().text + "\"");
  }
  Node make(Node::Kind kind, std::string text, std::vector<Node> parts, std::size_t at) const {
    Node node;
    node.kind = kind, node.text = std::move(text), node.parts = std::move(parts), node.at = at;
    return node;
  }

  Result<Node> expression() {
    if (++depth_ > 100) return fail(Kind::invalid, "column {}: nested deeper than 100", peek().at);
    TRY(auto node, binary(0));
    auto at = peek().at;
    if (take("?")) {
      TRY(auto yes, expression());
      TRY_OK(want(":"));
      TRY(auto no, expression());
      std::vector<Node> parts;
      parts.push_back(std::move(node)), parts.push_back(std::move(yes)), parts.push_back(std::move(no));
      node = make(Node::Kind::choice, "?", std::move(parts), at);
    }
    --depth_;
    return node;
  }

  const Operator* here() const {
    if (peek().kind != Token::Kind::op && peek().kind != Token::Kind::name) return nullptr;
    for (const auto& op : operators)
      if (op.text == peek().text) return &op;
    return nullptr;
  }

  Result<Node> binary(int least) {
    TRY(auto left, unary());
    while (const auto* op = here()) {
      if (op->strength < least) break;
      auto at = peek().at;
      std::string text(op->text);
      ++i_;
      if (text == "not") {
        TRY_OK(want("in"));
        text = "not in";
      }
      bool right_first = op->strength == 100;
      if (++depth_ > 100) return fail(Kind::invalid, "column {}: nested deeper than 100", at);
      TRY(auto right, binary(right_first ? op->strength : op->strength + 1));
      --depth_;
      std::vector<Node> parts;
      parts.push_back(std::move(left)), parts.push_back(std::move(right));
      left = make(Node::Kind::binary, text, std::move(parts), at);
    }
    return left;
  }

  Result<Node> unary() {
    auto at = peek().at;
    for (std::string_view op : {"!", "not", "-", "+"}) {
      if (!take(op)) continue;
      if (++depth_ > 100) return fail(Kind::invalid, "column {}: nested deeper than 100", at);
      // "not a == b" is not (a == b); "!a == b" binds tightly; "-2 ** 2" is -(2 ** 2).
      TRY(auto inner, op == "not" ? binary(20) : op == "!" ? unary() : binary(90));
      --depth_;
      std::vector<Node> parts;
      parts.push_back(std::move(inner));
      return make(Node::Kind::unary, std::string(op == "not" ? "!" : op), std::move(parts), at);
    }
    TRY(auto node, primary());
    return postfix(std::move(node));
  }

  Result<Node> postfix(Node node) {
    while (true) {
      auto at = peek().at;
      bool optional = take("?.");
      if (optional && is("[")) {
        // a?.[0]
      } else if (optional || take(".")) {
        if (peek().kind != Token::Kind::name) return unexpected();
        std::vector<Node> parts;
        parts.push_back(std::move(node));
        node = make(Node::Kind::member, tokens_[i_++].text, std::move(parts), at);
        node.optional = optional;
        continue;
      }
      if (take("[")) {
        TRY(auto index, expression());
        TRY_OK(want("]"));
        std::vector<Node> parts;
        parts.push_back(std::move(node)), parts.push_back(std::move(index));
        node = make(Node::Kind::index, "[]", std::move(parts), at);
        node.optional = optional;
        continue;
      }
      if (take("|")) {  // a | f(b) is f(a, b)
        if (peek().kind != Token::Kind::name) return unexpected();
        auto name = tokens_[i_++].text;
        TRY_OK(want("("));
        TRY(auto call, arguments(name, at));
        call.parts.insert(call.parts.begin(), std::move(node));
        node = std::move(call);
        continue;
      }
      return node;
    }
  }

  // After "(".
  Result<Node> arguments(const std::string& name, std::size_t at) {
    std::vector<Node> parts;
    while (!take(")")) {
      if (!parts.empty()) TRY_OK(want(","));
      // A predicate may stand in braces: all(result, {# < 1}).
      if (!parts.empty() && is("{") && !looks_like_map()) {
        ++i_;
        TRY(auto predicate, expression());
        TRY_OK(want("}"));
        parts.push_back(std::move(predicate));
        continue;
      }
      TRY(auto part, expression());
      parts.push_back(std::move(part));
    }
    return make(Node::Kind::call, name, std::move(parts), at);
  }
  bool looks_like_map() const {
    if (i_ + 2 >= tokens_.size()) return false;
    const auto &a = tokens_[i_ + 1], &b = tokens_[i_ + 2];
    return a.text == "}" || (b.kind == Token::Kind::op && b.text == ":");
  }

  Result<Node> primary() {
    auto token = peek();
    ++i_;
    Node node;
    node.at = token.at;
    switch (token.kind) {
      case Token::Kind::number: {
        if (auto n = to_int(token.text))
          node.literal = *n;
        else if (auto d = to_double(token.text))
          node.literal = *d;
        else
          return fail(Kind::invalid, "column {}: \"{}\" is no number", token.at, token.text);
        return node;
      }
      case Token::Kind::string:
        node.literal = token.text;
        return node;
      case Token::Kind::name:
        if (token.text == "true" || token.text == "false") {
          node.literal = token.text == "true";
          return node;
        }
        if (token.text == "nil" || token.text == "null") return node;
        if (take("(")) return arguments(token.text, token.at);
        return make(Node::Kind::name, token.text, {}, token.at);
      case Token::Kind::op:
        return bracket(token);
      case Token::Kind::end:
        break;
    }
    --i_;
    return unexpected();
  }

  Result<Node> bracket(const Token& token) {
    if (token.text == "(") {
      TRY(auto node, expression());
      TRY_OK(want(")"));
      return node;
    }
    if (token.text == "#") return make(Node::Kind::current, "#", {}, token.at);
    if (token.text == ".") {  // .field inside a predicate: #.field
      if (peek().kind != Token::Kind::name) return unexpected();
      std::vector<Node> parts;
      parts.push_back(make(Node::Kind::current, "#", {}, token.at));
      return make(Node::Kind::member, tokens_[i_++].text, std::move(parts), token.at);
    }
    if (token.text == "[") return list(token.at);
    if (token.text == "{") return map(token.at);
    --i_;
    return unexpected();
  }
  Result<Node> list(std::size_t at) {
    std::vector<Node> parts;
    while (!take("]")) {
      if (!parts.empty()) TRY_OK(want(","));
      if (take("]")) break;
      TRY(auto part, expression());
      parts.push_back(std::move(part));
    }
    return make(Node::Kind::list, "[]", std::move(parts), at);
  }
  Result<Node> map(std::size_t at) {
    std::vector<Node> parts;
    while (!take("}")) {
      if (!parts.empty()) TRY_OK(want(","));
      if (take("}")) break;
      Node key;
      key.at = peek().at;
      if (peek().kind != Token::Kind::name && peek().kind != Token::Kind::string) return unexpected();
      key.literal = tokens_[i_++].text;
      TRY_OK(want(":"));
      TRY(auto value, expression());
      parts.push_back(std::move(key)), parts.push_back(std::move(value));
    }
    return make(Node::Kind::map, "{}", std::move(parts), at);
  }

  std::vector<Token> tokens_;
  std::size_t i_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Node> parse_expression(std::string_view text) {
  if (text.size() > 10'000) return fail(Kind::invalid, "a condition of more than 10,000 characters");
  TRY(auto tokens, Lexer(text).all());
  return Parser(std::move(tokens)).whole();
}

}  // namespace slipway::verify::detail
