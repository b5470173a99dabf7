// Rules: Go's text/template/parse, its grammar and its words for what is wrong.
#include "gotemplate/detail/parse.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "gotemplate/detail/utf8.h"
#include "gotemplate/value.h"

namespace slipway::gotemplate::detail {
std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::string digits(text);
  bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    auto mark = digits[1] | 0x20;
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    digits.erase(0, mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::erase(digits, '_');
  std::uint64_t n = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (n > most + (negative ? 1 : 0)) return std::nullopt;
  return negative ? static_cast<std::int64_t>(~n + 1) : static_cast<std::int64_t>(n);
}

namespace {

using K = Node::Kind;
using T = Token::Type;
constexpr int deepest = 400;

NodePtr make(K kind, std::size_t pos, std::string text = "") {
  auto node = std::make_unique<Node>();
  node->kind = kind, node->pos = pos, node->text = std::move(text);
  return node;
}

std::vector<std::string> names_of(std::string_view dotted) {
  std::vector<std::string> names;
  for (auto part : split(dotted, '.')) names.emplace_back(part);
  return names;
}

class Parser {
 public:
  Parser(std::string_view name, std::string_view text, const std::function<bool(std::string_view)>& has_function)
      : name_(name),
        source_(std::make_shared<const std::string>(text)),
        lexer_(*source_),
        has_function_(has_function) {}

  Result<std::vector<Tree>> run() {
    Tree own{name_, name_, source_, {}};
    for (;;) {
      auto token = peek();
      if (token.type == T::eof) break;
      if (token.type == T::left) {
        next();
        if (peek_non_space().type == T::define) {
          next_non_space();
          TRY_OK(definition());
          continue;
        }
        push_back(token);
      }
      TRY(auto node, text_or_action());
      if (node->kind == K::end || node->kind == K::else_) return wrong("unexpected " + print(*node));
      own.body.push_back(std::move(node));
    }
    trees_.push_back(std::move(own));
    return std::move(trees_);
  }

 private:
  // Tokens with a place to put some back.
  Token next() {
    Token token = pushed_.empty() ? lexer_.next() : std::move(pushed_.back());
    if (!pushed_.empty()) pushed_.pop_back();
    line_ = token.line;
    return token;
  }
  void push_back(Token token) { pushed_.push_back(std::move(token)); }
  Token peek() {
    auto token = next();
    push_back(token);
    return token;
  }
  Token next_non_space() {
    for (;;) {
      auto token = next();
      if (token.type != T::space) return token;
    }
  }
  Token peek_non_space() {
    auto token = next_non_space();
    push_back(token);
    return token;
  }

  Fail wrong(std::string_view what) const { return fail(Kind::invalid, "template: {}:{}: {}", name_, line_, what); }
  Fail unexpected(const Token& token, std::string_view context) const {
    if (token.type != T::error) return wrong(fmt::format("unexpected {} in {}", describe(token), context));
    std::string extra;
    if (action_line_ != 0 && action_line_ != token.line) {
      extra = fmt::format(" in action started at {}:{}", name_, action_line_);
      if (token.text.ends_with(" action")) extra = extra.substr(std::string_view(" in action").size());
    }
    return wrong(token.text + extra);
  }
  Result<Token> expect(T type, std::string_view context) {
    auto token = next_non_space();
    if (token.type != type) return unexpected(token, context);
    return token;
  }

  // Goes one level down while it lives.
  class Deeper {
   public:
    explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    int& depth_;
  };

  Result<> definition() {
    auto token = next_non_space();
    if (token.type != T::string && token.type != T::raw_string) return unexpected(token, "define clause");
    TRY(auto name, literal(token.text));
    TRY_OK(expect(T::right, "define clause"));
    auto outer = std::exchange(variables_, {"$"});
    TRY(auto list, item_list());
    if (list.second->kind != K::end) return wrong(fmt::format("unexpected {} in define clause", print(*list.second)));
    variables_ = std::move(outer);
    return add(std::move(name), std::move(list.first));
  }

  Result<> add(std::string name, Nodes body) {
    Tree tree{std::move(name), name_, source_, std::move(body)};
    for (auto& other : trees_) {
      if (other.name != tree.name) continue;
      if (!tree.blank() && !other.blank())
        return wrong(fmt::format("template: multiple definition of template {}", go_quote(tree.name)));
      if (other.blank()) other = std::move(tree);
      return {};
    }
    trees_.push_back(std::move(tree));
    return {};
  }

  Result<std::string> literal(std::string_view text) {
    auto value = unquote(text);
    return value ? std::move(value) : Result<std::string>(wrong(value.error().what()));
  }

  // Statements up to {{end}} or {{else}}, which is given beside them.
  Result<std::pair<Nodes, NodePtr>> item_list() {
    Deeper deeper(depth_);
    if (depth_ > deepest) return wrong("statements lie too deep in each other");
    Nodes list;
    while (peek_non_space().type != T::eof) {
      TRY(auto node, text_or_action());
      if (node->kind == K::end || node->kind == K::else_) return std::pair{std::move(list), std::move(node)};
      list.push_back(std::move(node));
    }
    return wrong("unexpected EOF");
  }

  Result<NodePtr> text_or_action() {
    auto token = next_non_space();
    if (token.type == T::text) return make(K::text, token.pos, std::move(token.text));
    if (token.type != T::left) return unexpected(token, "input");
    action_line_ = token.line;
    auto node = action();
    action_line_ = 0;
    return node;
  }

  Result<NodePtr> action() {
    auto token = next_non_space();
    switch (token.type) {
      case T::block:
        return block();
      case T::break_:
        return jump(K::break_, token, "{{break}}");
      case T::continue_:
        return jump(K::continue_, token, "{{continue}}");
      case T::else_:
        return else_control();
      case T::end: {
        TRY(auto end, expect(T::right, "end"));
        return make(K::end, end.pos);
      }
      case T::if_:
        return control(K::if_, "if");
      case T::range:
        return control(K::range, "range");
      case T::with:
        return control(K::with, "with");
      case T::template_:
        return call_template();
      default:
        break;
    }
    push_back(token);
    auto node = make(K::action, token.pos);
    // Variables stay until "end".
    TRY(node->pipe, pipeline("command", T::right));
    return node;
  }

  Result<NodePtr> jump(K kind, const Token& word, std::string_view context) {
    auto token = next_non_space();
    if (token.type != T::right) return unexpected(token, context);
    if (ranges_ == 0) return wrong(fmt::format("{} outside {{{{range}}}}", context));
    return make(kind, word.pos);
  }

  Result<NodePtr> else_control() {
    auto token = peek_non_space();
    // `else if` and `else with` are an else and a statement in it.
    if (token.type == T::if_ || token.type == T::with) return make(K::else_, token.pos);
    TRY(auto end, expect(T::right, "else"));
    return make(K::else_, end.pos);
  }

  Result<NodePtr> control(K kind, std::string_view context) {
    Deeper deeper(depth_);
    if (depth_ > deepest) return wrong("statements lie too deep in each other");
    auto known = variables_.size();
    auto node = make(kind, 0);
    TRY(node->pipe, pipeline(context, T::right));
    node->pos = node->pipe->pos;
    if (kind == K::range) ++ranges_;
    TRY(auto list, item_list());
    if (kind == K::range) --ranges_;
    node->nodes = std::move(list.first);
    if (list.second->kind == K::else_) {
      node->has_else = true;
      auto follows = peek().type;
      if ((kind == K::if_ && follows == T::if_) || (kind == K::with && follows == T::with)) {
        next();
        TRY(auto inner, control(kind, context));
        node->otherwise.push_back(std::move(inner));
      } else {
        TRY(auto rest, item_list());
        if (rest.second->kind != K::end) return wrong("expected end; found " + print(*rest.second));
        node->otherwise = std::move(rest.first);
      }
    }
    variables_.resize(known);
    return node;
  }

  Result<std::string> template_name(const Token& token, std::string_view context) {
    if (token.type != T::string && token.type != T::raw_string) return unexpected(token, context);
    return literal(token.text);
  }

  Result<NodePtr> call_template() {
    auto token = next_non_space();
    auto node = make(K::call_template, token.pos);
    TRY(node->value, template_name(token, "template clause"));
    auto follows = next_non_space();
    if (follows.type == T::right) return node;
    push_back(follows);
    TRY(node->pipe, pipeline("template clause", T::right));
    return node;
  }

  // A definition and its use in one.
  Result<NodePtr> block() {
    auto token = next_non_space();
    auto node = make(K::call_template, token.pos);
    TRY(node->value, template_name(token, "block clause"));
    TRY(node->pipe, pipeline("block clause", T::right));
    auto outer = std::exchange(variables_, {"$"});
    auto ranges = std::exchange(ranges_, 0);
    TRY(auto list, item_list());
    if (list.second->kind != K::end) return wrong(fmt::format("unexpected {} in block clause", print(*list.second)));
    variables_ = std::move(outer), ranges_ = ranges;
    TRY_OK(add(node->value, std::move(list.first)));
    return node;
  }

  Result<> declarations(Node& pipe, std::string_view context) {
    while (peek_non_space().type == T::variable) {
      auto variable = next_non_space();
      auto after = peek();
      auto follows = peek_non_space();
      auto declare = [&] {
        next_non_space();
        pipe.declared.push_back(make(K::variable, variable.pos, variable.text));
        pipe.declared.back()->names = names_of(variable.text);
        variables_.push_back(variable.text);
      };
      if (follows.type == T::assign || follows.type == T::declare) {
        pipe.assigns = follows.type == T::assign;
        declare();
        return {};
      }
      if (follows.type == T::sign && follows.text == ",") {
        declare();
        if (context == "range" && pipe.declared.size() < 2) {
          auto type = peek_non_space().type;
          if (type == T::variable || type == T::right || type == T::right_paren) continue;
          return wrong("range can only initialize variables");
        }
        return wrong(fmt::format("too many declarations in {}", context));
      }
      if (after.type == T::space) push_back(after);
      push_back(variable);
      return {};
    }
    return {};
  }

  Result<NodePtr> pipeline(std::string_view context, T end) {
    Deeper deeper(depth_);
    if (depth_ > deepest) return wrong("max expression depth exceeded");
    auto pipe = make(K::pipe, peek_non_space().pos);
    TRY_OK(declarations(*pipe, context));
    for (;;) {
      auto token = next_non_space();
      if (token.type == end) break;
      switch (token.type) {
        case T::boolean:
        case T::character:
        case T::complex:
        case T::dot:
        case T::field:
        case T::identifier:
        case T::number:
        case T::nil:
        case T::raw_string:
        case T::string:
        case T::variable:
        case T::left_paren: {
          push_back(token);
          TRY(auto one, command());
          pipe->nodes.push_back(std::move(one));
          break;
        }
        default:
          return unexpected(token, context);
      }
    }
    if (pipe->nodes.empty()) return wrong(fmt::format("missing value for {}", context));
    for (std::size_t i = 1; i < pipe->nodes.size(); ++i)
      if (pipe->nodes[i]->nodes.front()->literal())
        return wrong(fmt::format("non executable command in pipeline stage {}", i + 1));
    return pipe;
  }

  Result<NodePtr> command() {
    auto node = make(K::command, peek_non_space().pos);
    for (;;) {
      peek_non_space();
      TRY(auto one, operand());
      if (one) node->nodes.push_back(std::move(one));
      auto token = next();
      if (token.type == T::space) continue;
      if (token.type == T::right || token.type == T::right_paren)
        push_back(token);
      else if (token.type != T::pipe)
        return unexpected(token, "operand");
      break;
    }
    if (node->nodes.empty()) return wrong("empty command");
    return node;
  }

  // A term and the fields behind it; null: something else follows.
  Result<NodePtr> operand() {
    TRY(auto node, term());
    if (!node || peek().type != T::field) return node;
    auto chain = make(K::chain, peek().pos);
    while (peek().type == T::field) chain->names.push_back(next().text.substr(1));
    if (node->literal()) return wrong("unexpected . after term " + go_quote(print(*node)));
    if (node->kind == K::field || node->kind == K::variable) {
      node->pos = chain->pos;
      for (auto& name : chain->names) node->names.push_back(std::move(name));
      return node;
    }
    chain->pipe = std::move(node);
    return chain;
  }

  Result<NodePtr> term() {
    auto token = next_non_space();
    switch (token.type) {
      case T::identifier:
        if (!has_function_(token.text)) return wrong(fmt::format("function {} not defined", go_quote(token.text)));
        return make(K::identifier, token.pos, std::move(token.text));
      case T::dot:
        return make(K::dot, token.pos);
      case T::nil:
        return make(K::nil, token.pos);
      case T::variable: {
        if (std::find(variables_.begin(), variables_.end(), token.text) == variables_.end())
          return wrong(fmt::format("undefined variable {}", go_quote(token.text)));
        auto node = make(K::variable, token.pos, token.text);
        node->names = {token.text};
        return node;
      }
      case T::field: {
        auto node = make(K::field, token.pos);
        node->names = {token.text.substr(1)};
        return node;
      }
      case T::boolean: {
        auto node = make(K::boolean, token.pos);
        node->is_true = token.text == "true";
        return node;
      }
      case T::character:
      case T::complex:
      case T::number:
        return number(token);
      case T::left_paren:
        return pipeline("parenthesized pipeline", T::right_paren);
      case T::string:
      case T::raw_string: {
        auto node = make(K::string, token.pos, token.text);
        TRY(node->value, literal(token.text));
        return node;
      }
      default:
        push_back(token);
        return NodePtr();
    }
  }

  Result<NodePtr> number(const Token& token) {
    auto node = make(K::number, token.pos, token.text);
    if (token.type == T::character) {
      TRY(auto text, literal(token.text));
      auto rune = text.empty() ? Rune{} : rune_at(text, 0);
      if (text.empty() || rune.bytes != text.size()) return wrong("malformed character constant: " + token.text);
      node->is_int = node->is_float = true, node->integer = rune.code, node->real = static_cast<double>(rune.code);
      return node;
    }
    if (token.type == T::complex || token.text.ends_with('i')) return wrong("complex numbers are not supported");
    if (auto n = parse_integer(token.text)) {
      node->is_int = node->is_float = true, node->integer = *n, node->real = static_cast<double>(*n);
      return node;
    }
    auto text = token.text;
    std::erase(text, '_');
    auto real = to_double(text.starts_with('+') ? text.substr(1) : text);
    if (!real) return wrong("illegal number syntax: " + go_quote(token.text));
    if (text.find_first_of(".eEpP") == std::string::npos) return wrong("integer overflow: " + go_quote(token.text));
    node->is_float = true, node->real = *real;
    if (std::trunc(*real) == *real && std::fabs(*real) < 0x1p62)
      node->is_int = true, node->integer = static_cast<std::int64_t>(*real);
    return node;
  }

  std::string name_;
  std::shared_ptr<const std::string> source_;
  Lexer lexer_;
  const std::function<bool(std::string_view)>& has_function_;
  std::vector<Token> pushed_;
  std::vector<std::string> variables_{"$"};
  std::vector<Tree> trees_;
  int line_ = 1, action_line_ = 0, ranges_ = 0, depth_ = 0;
};

// The escape after a backslash; gives how many bytes it took, 0 when it is none.
std::size_t escape(std::string_view rest, char quote, std::string& out) {
  static constexpr std::string_view from = "abfnrtv\\", to = "\a\b\f\n\r\t\v\\";
  char c = rest[0];
  if (auto at = from.find(c); at != std::string_view::npos) {
    out += to[at];
    return 1;
  }
  if (c == quote) {
    out += c;
    return 1;
  }
  auto hex = [&](std::size_t digits) -> std::optional<std::uint32_t> {
    std::uint32_t n = 0;
    if (rest.size() < 1 + digits) return std::nullopt;
    const char* first = rest.data() + 1;
    auto [end, error] = std::from_chars(first, first + digits, n, 16);
    return error == std::errc() && end == first + digits ? std::optional(n) : std::nullopt;
  };
  if (c == 'x' || c == 'u' || c == 'U') {
    std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    auto n = hex(digits);
    if (!n || (c != 'x' && (*n > 0x10FFFF || (*n >= 0xD800 && *n < 0xE000)))) return 0;
    if (c == 'x')
      out += static_cast<char>(*n);
    else
      out += encode_rune(*n);
    return 1 + digits;
  }
  if (c >= '0' && c <= '7' && rest.size() >= 3) {
    unsigned n = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + 3, n, 8);
    if (error != std::errc() || end != rest.data() + 3 || n > 255) return 0;
    out += static_cast<char>(n);
    return 3;
  }
  return 0;
}

}  // namespace

Result<std::string> unquote(std::string_view literal) {
  auto bad = [] { return fail(Kind::invalid, "invalid syntax"); };
  if (literal.size() < 2) return bad();
  char quote = literal[0];
  auto inner = literal.substr(1, literal.size() - 2);
  if (quote == '`') {
    std::string raw(inner);
    std::erase(raw, '\r');
    return raw;
  }
  std::string out;
  for (std::size_t i = 0; i < inner.size();) {
    if (inner[i] != '\\') {
      out += inner[i++];
      continue;
    }
    if (++i >= inner.size()) return bad();
    auto taken = escape(inner.substr(i), quote, out);
    if (taken == 0) return bad();
    i += taken;
  }
  return out;
}

Result<std::vector<Tree>> parse_trees(std::string_view name, std::string_view text,
                                      const std::function<bool(std::string_view)>& has_function) {
  return Parser(name, text, has_function).run();
}

}  // namespace slipway::gotemplate::detail
