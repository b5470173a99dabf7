// Rules: Go's text/template, its delimiters, trim markers and comments.
#include "gotemplate/detail/lex.h"

#include <algorithm>
#include <map>

#include "gotemplate/detail/utf8.h"
#include "gotemplate/value.h"

namespace slipway::gotemplate::detail {
namespace {

using T = Token::Type;

bool is_space(std::int64_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
// Letters and digits; of other scripts whatever is no punctuation that text has.
bool is_word(std::int64_t c) {
  if (c < 0x80) return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return c >= 0xAA && c != 0xAB && c != 0xBB && c != 0xD7 && c != 0xF7 && c != 0xFFFD &&
         !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x2190 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x3004) &&
         !(c >= 0x1F000 && c <= 0x1FAFF);
}
bool marks_left(std::string_view s) { return s.size() >= 2 && s[0] == '-' && is_space(s[1]); }
bool marks_right(std::string_view s) { return s.size() >= 2 && is_space(s[0]) && s[1] == '-'; }

const std::map<std::string_view, T>& keywords() {
  static const std::map<std::string_view, T> table{{"block", T::block},
                                                   {"break", T::break_},
                                                   {"continue", T::continue_},
                                                   {"define", T::define},
                                                   {"else", T::else_},
                                                   {"end", T::end},
                                                   {"if", T::if_},
                                                   {"range", T::range},
                                                   {"nil", T::nil},
                                                   {"template", T::template_},
                                                   {"with", T::with}};
  return table;
}

}  // namespace

std::string describe(const Token& token) {
  if (token.type == T::eof) return "EOF";
  if (token.type == T::error) return token.text;
  if (token.keyword()) return "<" + token.text + ">";
  if (token.text.size() > 10)
    return go_quote(std::string_view(token.text).substr(0, offset_of(token.text, 10))) + "...";
  return go_quote(token.text);
}

Token Lexer::emit(T type) {
  Token token{type, std::string(input_.substr(start_, pos_ - start_)), start_, start_line_};
  line_ += static_cast<int>(std::count(token.text.begin(), token.text.end(), '\n'));
  start_ = pos_, start_line_ = line_;
  return token;
}

Token Lexer::error(std::string what) {
  failed_ = true;
  line_ = start_line_ + static_cast<int>(std::count(input_.begin() + static_cast<std::ptrdiff_t>(start_),
                                                    input_.begin() + static_cast<std::ptrdiff_t>(pos_), '\n'));
  return {T::error, std::move(what), start_, start_line_};
}

Token Lexer::next() {
  if (failed_) return {T::eof, "", pos_, line_};
  return inside_ ? inside() : text();
}

Token Lexer::text() {
  for (;;) {
    auto found = input_.find("{{", pos_);
    if (found == std::string_view::npos) {
      pos_ = input_.size();
      if (pos_ > start_) return emit(T::text);
      return {T::eof, "", pos_, line_};
    }
    pos_ = found;
    if (marks_left(input_.substr(found + 2)))
      while (pos_ > start_ && is_space(input_[pos_ - 1])) --pos_;
    bool some = pos_ > start_;
    auto token = emit(T::text);
    pos_ = found;
    (void)emit(T::space);  // what was trimmed
    if (some) return token;
    auto after = found + 2 + (marks_left(input_.substr(found + 2)) ? 2 : 0);
    if (input_.substr(after).starts_with("/*")) {
      pos_ = after;
      (void)emit(T::space);
      if (auto bad = comment(); bad.type == T::error) return bad;
      continue;
    }
    return left();
  }
}

Token Lexer::left() {
  pos_ += 2;
  auto token = emit(T::left);
  if (marks_left(input_.substr(pos_))) pos_ += 2;
  (void)emit(T::space);
  inside_ = true, parens_ = 0;
  return token;
}

Token Lexer::comment() {
  auto end = input_.find("*/", pos_ + 2);
  if (end == std::string_view::npos) return error("unclosed comment");
  pos_ = end + 2;
  bool trims = false;
  if (!at_right(trims)) return error("comment ends before closing delimiter");
  pos_ += trims ? 4 : 2;
  if (trims)
    while (!at_end() && is_space(input_[pos_])) ++pos_;
  return emit(T::space);
}

bool Lexer::at_right(bool& trims) const {
  auto rest = input_.substr(pos_);
  trims = marks_right(rest) && rest.substr(2).starts_with("}}");
  return trims || rest.starts_with("}}");
}

Token Lexer::right() {
  bool trims = false;
  (void)at_right(trims);
  if (trims) {
    pos_ += 2;
    (void)emit(T::space);
  }
  pos_ += 2;
  auto token = emit(T::right);
  if (trims) {
    while (!at_end() && is_space(input_[pos_])) ++pos_;
    (void)emit(T::space);
  }
  inside_ = false;
  return token;
}

std::int64_t Lexer::peek_rune() const { return at_end() ? -1 : rune_at(input_, pos_).code; }

std::string Lexer::show_rune() const {
  auto code = peek_rune();
  if (code < 0) return "U+FFFFFFFFFFFFFFFF";
  bool shown = escape_rune(code, 0).size() == encode_rune(code).size();
  return fmt::format("U+{:04X}{}", code, shown ? fmt::format(" '{}'", encode_rune(code)) : "");
}

bool Lexer::at_terminator() const {
  auto c = peek_rune();
  if (c < 0 || is_space(c) || c == '.' || c == ',' || c == '|' || c == ':' || c == ')' || c == '(') return true;
  return input_.substr(pos_).starts_with("}}");
}

Token Lexer::inside() {
  bool trims = false;
  if (at_right(trims)) return parens_ == 0 ? right() : error("unclosed left paren");
  auto c = peek_rune();
  if (c < 0) return error("unclosed action");
  if (is_space(c)) return space();
  auto take = [&](T type) {
    ++pos_;
    return emit(type);
  };
  switch (c) {
    case '=':
      return take(T::assign);
    case '|':
      return take(T::pipe);
    case '"':
      return quote('"', "unterminated quoted string", T::string);
    case '`':
      return quote('`', "unterminated raw quoted string", T::raw_string);
    case '\'':
      return quote('\'', "unterminated character constant", T::character);
    case ':':
      ++pos_;
      if (peek_rune() != '=') return error("expected :=");
      return take(T::declare);
    case '$':
      ++pos_;
      return field(T::variable);
    case '(':
      ++parens_;
      return take(T::left_paren);
    case ')':
      if (--parens_ < 0) return error("unexpected right paren");
      return take(T::right_paren);
    default:
      break;
  }
  if (c == '.' && pos_ + 1 < input_.size() && !(input_[pos_ + 1] >= '0' && input_[pos_ + 1] <= '9')) {
    ++pos_;
    return field(T::field);
  }
  if (c == '.' || c == '+' || c == '-' || (c >= '0' && c <= '9')) return number();
  if (is_word(c)) return word();
  if (c > ' ' && c < 0x7F) return take(T::sign);
  auto shown = show_rune();
  return error("unrecognized character in action: " + shown);
}

Token Lexer::space() {
  auto first = pos_;
  while (is_space(peek_rune())) ++pos_;
  // The last space may belong to a trim marker.
  if (marks_right(input_.substr(pos_ - 1)) && input_.substr(pos_ + 1).starts_with("}}")) {
    --pos_;
    if (pos_ == first) return right();
  }
  return emit(T::space);
}

Token Lexer::word() {
  while (!at_end() && is_word(peek_rune())) pos_ += rune_at(input_, pos_).bytes;
  if (!at_terminator()) return error("bad character " + show_rune());
  auto text = input_.substr(start_, pos_ - start_);
  if (auto found = keywords().find(text); found != keywords().end()) return emit(found->second);
  return emit(text == "true" || text == "false" ? T::boolean : T::identifier);
}

// The . or $ is taken.
Token Lexer::field(T type) {
  if (at_terminator()) return emit(type == T::field ? T::dot : type);
  while (!at_end() && is_word(peek_rune())) pos_ += rune_at(input_, pos_).bytes;
  if (!at_terminator()) return error("bad character " + show_rune());
  return emit(type);
}

bool Lexer::accept(std::string_view set) {
  if (at_end() || set.find(input_[pos_]) == std::string_view::npos) return false;
  ++pos_;
  return true;
}
void Lexer::accept_run(std::string_view set) {
  while (accept(set)) {
  }
}

bool Lexer::scan_number() {
  accept("+-");
  std::string_view digits = "0123456789_";
  bool decimal = true, hex = false;
  if (accept("0")) {
    if (accept("xX"))
      digits = "0123456789abcdefABCDEF_", decimal = false, hex = true;
    else if (accept("oO"))
      digits = "01234567_", decimal = false;
    else if (accept("bB"))
      digits = "01_", decimal = false;
  }
  accept_run(digits);
  if (accept(".")) accept_run(digits);
  if ((decimal && accept("eE")) || (hex && accept("pP"))) {
    accept("+-");
    accept_run("0123456789_");
  }
  accept("i");
  if (at_end() || !is_word(peek_rune())) return true;
  pos_ += rune_at(input_, pos_).bytes;
  return false;
}

Token Lexer::number() {
  bool good = scan_number();
  if (good && !at_end() && (input_[pos_] == '+' || input_[pos_] == '-')) {
    good = scan_number() && input_[pos_ - 1] == 'i';
    if (good) return emit(T::complex);
  }
  if (!good) return error("bad number syntax: " + go_quote(input_.substr(start_, pos_ - start_)));
  return emit(T::number);
}

Token Lexer::quote(char end, std::string_view what, T type) {
  ++pos_;
  for (;;) {
    if (at_end()) return error(std::string(what));
    char c = input_[pos_++];
    if (c == end) return emit(type);
    if (end == '`') continue;
    if (c == '\n') return error(std::string(what));
    if (c == '\\') {
      if (at_end() || input_[pos_] == '\n') return error(std::string(what));
      ++pos_;
    }
  }
}

}  // namespace slipway::gotemplate::detail
