#pragma once
// A template's source as tokens.
#include <string>
#include <string_view>

namespace slipway::gotemplate::detail {

struct Token {
  enum class Type {
    error,
    eof,
    text,
    left,
    right,
    boolean,
    character,
    complex,
    dot,
    field,
    identifier,
    number,
    nil,
    raw_string,
    string,
    variable,
    assign,
    declare,
    pipe,
    left_paren,
    right_paren,
    space,
    sign,
    block,
    break_,
    continue_,
    define,
    else_,
    end,
    if_,
    range,
    template_,
    with
  };
  Type type = Type::eof;
  std::string text;
  std::size_t pos = 0;
  int line = 1;
  bool keyword() const { return type >= Type::block; }
};
// As errors show it.
std::string describe(const Token& token);

class Lexer {
 public:
  explicit Lexer(std::string_view input) : input_(input) {}
  Token next();

 private:
  Token emit(Token::Type type);
  Token error(std::string what);
  Token text();
  Token left();
  Token comment();
  Token right();
  Token inside();
  Token space();
  Token word();
  Token field(Token::Type type);
  Token number();
  Token quote(char end, std::string_view what, Token::Type type);
  bool scan_number();
  bool accept(std::string_view set);
  void accept_run(std::string_view set);
  bool at_end() const { return pos_ >= input_.size(); }
  bool at_right(bool& trims) const;
  bool at_terminator() const;
  std::int64_t peek_rune() const;
  std::string show_rune() const;
  std::string_view input_;
  std::size_t start_ = 0, pos_ = 0;
  int line_ = 1, start_line_ = 1, parens_ = 0;
  bool inside_ = false, failed_ = false;
};

}  // namespace slipway::gotemplate::detail
