#include "cel/detail/lex.h"

#include <algorithm>
#include <array>

#include "cel/detail/utf8.h"
#include "doc/json.h"

namespace slipway::cel::detail {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

Fail wrong_at(std::string_view source, Place at, std::string_view what) {
  return fail(Kind::invalid, "{}:{}:{}: {}", source, at.line, at.column, what);
}

std::string Token::print() const {
  switch (kind) {
    case Kind::end:
      return "the end";
    case Kind::string:
      return doc::json_quote(text.substr(0, 40));
    case Kind::bytes:
      return "bytes";
    case Kind::uinteger:
      return text + "u";
    default:
      return '"' + text.substr(0, 40) + '"';
  }
}

Fail Lexer::wrong(std::string_view what) const { return wrong_at(source_, place_, what); }

void Lexer::step(std::size_t bytes) {
  for (; bytes > 0; --bytes, ++at_) {
    if (text_[at_] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(text_[at_]) & 0xC0U) != 0x80) {
      ++place_.column;
    }
  }
}

void Lexer::skip_space() {
  while (at_ < text_.size()) {
    if (std::string_view(" \t\r\n\f").contains(text_[at_])) {
      step(1);
    } else if (peek("//")) {
      step(std::min(text_.find('\n', at_), text_.size()) - at_);
    } else {
      return;
    }
  }
}

Result<Token> Lexer::next() {
  skip_space();
  Token token;
  token.at = place_;
  if (at_ == text_.size()) return token;
  char c = text_[at_];
  if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number(std::move(token));
  // A word, or the letters before a quote: r, b, br.
  std::size_t end = at_;
  while (end < text_.size() && is_word(text_[end])) ++end;
  auto word = text_.substr(at_, end - at_);
  if (end < text_.size() && (text_[end] == '"' || text_[end] == '\'') && word.size() <= 2) {
    std::string prefix(word);
    std::ranges::transform(prefix, prefix.begin(), [](char letter) { return static_cast<char>(letter | 0x20); });
    if (prefix.empty() || prefix == "r" || prefix == "b" || prefix == "br") {
      token.kind = prefix.starts_with('b') ? Token::Kind::bytes : Token::Kind::string;
      step(word.size());
      return quoted(std::move(token), prefix.ends_with('r'));
    }
  }
  if (!word.empty()) {
    token.kind = Token::Kind::word;
    token.text = word;
    step(word.size());
    return token;
  }
  if (c == '`') {
    auto close = text_.find('`', at_ + 1);
    auto name = text_.substr(at_ + 1, close == std::string_view::npos ? 0 : close - at_ - 1);
    if (name.empty() ||
        !std::ranges::all_of(name, [](char x) { return is_word(x) || std::string_view(".-/ ").contains(x); }))
      return wrong("a name in backquotes does not end, want `letters, digits and _ . - /`");
    token.kind = Token::Kind::quoted_word;
    token.text = name;
    step(name.size() + 2);
    return token;
  }
  token.kind = Token::Kind::sign;
  for (std::string_view two : {"==", "!=", "<=", ">=", "&&", "||"})
    if (peek(two)) token.text = two;
  if (token.text.empty() && std::string_view("<>!?:.,+-*/%()[]{}").contains(c)) token.text = c;
  if (token.text.empty()) {
    std::size_t after = at_;
    (void)next_code_point(text_, after);
    return wrong(fmt::format("{} means nothing here", doc::json_quote(text_.substr(at_, after - at_))));
  }
  step(token.text.size());
  return token;
}

Result<Token> Lexer::number(Token token) {
  std::size_t end = at_;
  auto digits = [&](auto is) {
    std::size_t from = end;
    while (end < text_.size() && is(text_[end])) ++end;
    return end > from;
  };
  token.kind = Token::Kind::integer;
  if (peek("0x") && at_ + 2 < text_.size() && hex_digit(text_[at_ + 2]) >= 0) {
    end += 2;
    digits([](char c) { return hex_digit(c) >= 0; });
  } else {
    digits(is_digit);
    if (end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
      token.kind = Token::Kind::number;
      ++end;
      digits(is_digit);
    }
    std::size_t exponent = end;
    if (end < text_.size() && (text_[end] | 0x20) == 'e') {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      if (digits(is_digit))
        token.kind = Token::Kind::number;
      else
        end = exponent;
    }
  }
  token.text = text_.substr(at_, end - at_);
  if (token.kind == Token::Kind::integer && end < text_.size() && (text_[end] | 0x20) == 'u') {
    token.kind = Token::Kind::uinteger;
    ++end;
  }
  step(end - at_);
  return token;
}

Result<Token> Lexer::quoted(Token token, bool raw) {
  char quote = text_[at_];
  std::string close(1, quote);
  if (peek(std::string(3, quote))) close = std::string(3, quote);
  bool many_lines = close.size() == 3, bytes = token.kind == Token::Kind::bytes;
  auto endless = [&] { return wrong_at(source_, token.at, fmt::format("a string does not end, want {}", close)); };
  step(close.size());
  while (!peek(close)) {
    if (at_ == text_.size() || (!many_lines && (text_[at_] == '\n' || text_[at_] == '\r'))) return endless();
    if (text_[at_] != '\\' || raw) {
      token.text += text_[at_];
      step(1);
    } else {
      TRY_OK(escape(token.text, bytes));
    }
  }
  step(close.size());
  return token;
}

Result<> Lexer::escape(std::string& out, bool bytes) {
  auto rest = text_.substr(at_ + 1);
  auto none = [&] {
    return wrong(
        "an escape that is none, want one of \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\\" \\' \\` \\xHH \\uHHHH "
        "\\UHHHHHHHH \\OOO");
  };
  if (rest.empty()) return none();
  constexpr std::string_view letters = "abfnrtv\\?\"'`", means = "\a\b\f\n\r\t\v\\?\"'`";
  if (auto at = letters.find(rest[0]); at != std::string_view::npos) {
    out += means[at];
    step(2);
    return {};
  }
  auto code = [&](std::size_t from, std::size_t digits, unsigned base) -> Result<> {
    if (rest.size() < from + digits) return none();
    std::uint32_t c = 0;
    for (char digit : rest.substr(from, digits)) {
      int value = hex_digit(digit);
      if (value < 0 || static_cast<unsigned>(value) >= base) return none();
      c = c * base + static_cast<std::uint32_t>(value);
    }
    bool octets = digits < 4;
    if (bytes && !octets) return wrong("\\u and \\U are not for bytes, want \\xHH or \\OOO");
    if (octets && c > 0xFF) return none();
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return wrong("an escape that is no character of Unicode");
    if (bytes)
      out += static_cast<char>(c);
    else
      append_utf8(out, c);
    step(1 + from + digits);
    return {};
  };
  switch (rest[0]) {
    case 'x':
    case 'X':
      return code(1, 2, 16);
    case 'u':
      return code(1, 4, 16);
    case 'U':
      return code(1, 8, 16);
    default:
      return rest[0] >= '0' && rest[0] <= '3' ? code(0, 3, 8) : none();
  }
}

}  // namespace slipway::cel::detail
