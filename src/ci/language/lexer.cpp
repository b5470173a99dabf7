#include <cmath>

#include "base/text.h"
#include "ci/detail/node.h"

namespace slipway::ci {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }
bool is_boundary(char c) { return std::string_view("()[],.!><=&|").contains(c) || is_blank(c); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    while (at_ < text_.size()) {
      if (is_blank(text_[at_])) {
        ++at_;
        continue;
      }
      start_ = at_;
      TRY_OK(one());
    }
    start_ = at_;
    TRY_OK(add(Sort::end));
    return std::move(tokens_);
  }
  std::size_t position() const { return start_ + 1; }  // of the last token, from 1

 private:
  Result<> one() {
    char c = text_[at_++];
    switch (c) {
      case '(':
        return add(Sort::left_paren);
      case ')':
        return add(Sort::right_paren);
      case '[':
        return add(Sort::left_bracket);
      case ']':
        return add(Sort::right_bracket);
      case ',':
        return add(Sort::comma);
      case '*':
        return add(Sort::star);
      case '.':
        return follows_value() ? add(Sort::dot) : number();
      case '+':
      case '-':
        return number();
      case '!':
        return eat('=') ? add(Sort::ne) : add(Sort::not_);
      case '<':
        return eat('=') ? add(Sort::le) : add(Sort::lt);
      case '>':
        return eat('=') ? add(Sort::ge) : add(Sort::gt);
      case '=':
        return eat('=') ? add(Sort::eq) : word();
      case '&':
        return eat('&') ? add(Sort::and_) : word();
      case '|':
        return eat('|') ? add(Sort::or_) : word();
      case '\'':
        return string();
      default:
        return is_digit(c) ? number() : word();
    }
  }

  // A dot after a value reaches into it; elsewhere it starts a number.
  bool follows_value() const {
    if (tokens_.empty()) return false;
    auto sort = tokens_.back().sort;
    return sort == Sort::name || sort == Sort::right_bracket || sort == Sort::right_paren || sort == Sort::star;
  }

  Result<> number() {
    while (at_ < text_.size() && (!is_boundary(text_[at_]) || text_[at_] == '.')) ++at_;
    double n = parse_number(text_.substr(start_, at_ - start_));
    if (std::isnan(n)) return unexpected();
    return add(Sort::literal, n);
  }

  Result<> string() {
    std::string value;
    for (;;) {
      if (at_ >= text_.size()) return unexpected();
      char c = text_[at_++];
      if (c != '\'')
        value += c;
      else if (eat('\''))
        value += '\'';
      else
        break;
    }
    return add(Sort::literal, std::move(value));
  }

  Result<> word() {
    while (at_ < text_.size() && !is_boundary(text_[at_])) ++at_;
    auto w = text_.substr(start_, at_ - start_);
    if (tokens_.empty() || tokens_.back().sort != Sort::dot) {
      if (w == "true" || w == "false") return add(Sort::literal, w == "true");
      if (w == "null") return add(Sort::literal, nullptr);
      if (w == "NaN") return add(Sort::literal, std::numeric_limits<double>::quiet_NaN());
      if (w == "Infinity") return add(Sort::literal, std::numeric_limits<double>::infinity());
    }
    bool legal = is_letter(w[0]);
    for (char c : w) legal = legal && (is_letter(c) || is_digit(c) || c == '-');
    if (!legal) return unexpected();
    return add(Sort::name);
  }

  bool eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Result<> add(Sort sort, Data value = {}) {
    tokens_.push_back({sort, text_.substr(start_, at_ - start_), start_ + 1, std::move(value)});
    return {};
  }
  Result<> unexpected() const {
    return fail(Kind::invalid, "Unexpected symbol: '{}'. Located at position {} within expression: {}",
                text_.substr(start_, at_ - start_), start_ + 1, text_);
  }

  std::string_view text_;
  std::size_t at_ = 0, start_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> lex(std::string_view text, std::size_t* where) {
  if (text.size() > max_expression_length)
    return fail(Kind::invalid, "Exceeded max expression length {}", max_expression_length);
  Lexer lexer(text);
  auto tokens = lexer.run();
  if (!tokens && where != nullptr) *where = lexer.position();
  return tokens;
}

}  // namespace slipway::ci
