#pragma once
// Tokens of an expression.
#include <string>
#include <string_view>

#include "base/result.h"
#include "cel/detail/node.h"

namespace slipway::cel::detail {

struct Token {
  enum class Kind : std::uint8_t { end, word, quoted_word, integer, uinteger, number, string, bytes, sign };
  Kind kind = Kind::end;
  std::string text;  // a literal's value, a number's digits, a sign
  Place at;
  bool is(std::string_view sign) const { return kind == Kind::sign && text == sign; }
  std::string print() const;  // for "got ..."
};

class Lexer {
 public:
  Lexer(std::string_view text, std::string_view source) : text_(text), source_(source) {}
  // Errors: invalid (a literal that does not end, an escape that is none, a character that means nothing).
  Result<Token> next();

 private:
  void skip_space();
  bool peek(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  void step(std::size_t bytes);
  Result<Token> number(Token token);
  Result<Token> quoted(Token token, bool raw);
  Result<> escape(std::string& out, bool bytes);
  Fail wrong(std::string_view what) const;
  std::string_view text_, source_;
  std::size_t at_ = 0;
  Place place_;
};

Fail wrong_at(std::string_view source, Place at, std::string_view what);

}  // namespace slipway::cel::detail
