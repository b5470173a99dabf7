#include "image/expand.h"

#include <algorithm>

#include "image/detail/utf8.h"

namespace slipway::image {

namespace {

using detail::char_length;
using detail::is_space;

// A shell pattern: `*`, `?`, a backslash before what is meant literally.
struct Pattern {
  struct Part {
    enum class Kind { literal, one, many } kind;
    std::string text;
  };
  std::vector<Part> parts;

  static Result<Pattern> parse(std::string_view text) {
    Pattern p;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] == '*') {
        p.parts.push_back({Part::Kind::many, {}});
        ++i;
      } else if (text[i] == '?') {
        p.parts.push_back({Part::Kind::one, {}});
        ++i;
      } else {
        if (text[i] == '\\' && ++i == text.size())
          return fail(Kind::invalid, "pattern {:?}: ends in a lone backslash", text);
        auto n = char_length(text, i);
        p.parts.push_back({Part::Kind::literal, std::string(text.substr(i, n))});
        i += n;
      }
    }
    return p;
  }
  // The whole of `text`; linear in text times parts (the usual two-pointer walk with one point to go back to).
  bool matches(std::string_view text) const {
    std::size_t i = 0, p = 0, star = std::string::npos, mark = 0;
    while (i < text.size()) {
      if (p < parts.size() && parts[p].kind == Part::Kind::many) {
        star = p++;
        mark = i;
      } else if (p < parts.size() && parts[p].kind == Part::Kind::one) {
        i += char_length(text, i);
        ++p;
      } else if (p < parts.size() && text.substr(i).starts_with(parts[p].text)) {
        i += parts[p++].text.size();
      } else if (star != std::string::npos) {
        p = star + 1;
        mark += char_length(text, mark);
        i = mark;
      } else {
        return false;
      }
    }
    while (p < parts.size() && parts[p].kind == Part::Kind::many) ++p;
    return p == parts.size();
  }
};

std::vector<std::size_t> borders(std::string_view text) {
  std::vector<std::size_t> out{0};
  for (std::size_t i = 0; i < text.size();) out.push_back(i += char_length(text, i));
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view text, const Lookup& lookup, const ExpandOptions& options)
      : text_(text), lookup_(lookup), options_(options) {}

  Result<std::string> run() { return until('\0', options_.keep_escapes, 0); }
  std::vector<std::string> words() {
    if (!word_.empty()) words_.push_back(std::move(word_));
    word_.clear();
    return std::move(words_);
  }

 private:
  static constexpr int max_depth = 64;  // of ${a:-${b:-…}}
  bool end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }
  std::string_view next() {
    auto n = char_length(text_, at_);
    auto c = text_.substr(at_, n);
    at_ += n;
    return c;
  }
  static bool outer(int depth) { return depth == 0; }

  void raw(std::string_view text) {
    word_ += text;
    in_word_ = true;
  }
  void blank_splits(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
      auto n = char_length(text, i);
      if (is_space(text[i])) {
        if (in_word_ && !word_.empty()) words_.push_back(std::exchange(word_, {}));
        in_word_ = false;
      } else {
        raw(text.substr(i, n));
      }
      i += n;
    }
  }

  Result<std::string> until(char stop, bool keep_escapes, int depth) {
    if (depth > max_depth) return fail(Kind::invalid, "substitutions nested more than {} deep", max_depth);
    std::string out;
    while (!end()) {
      char c = peek();
      if (stop != '\0' && c == stop) {
        ++at_;
        return out;
      }
      if (c == '$') {
        TRY(auto value, dollar(depth));
        out += value;
        if (outer(depth)) blank_splits(value);
      } else if (!options_.no_quotes && (c == '\'' || c == '"')) {
        TRY(auto value, c == '"' ? double_quote(depth) : single_quote());
        out += value;
        if (outer(depth)) raw(value);
      } else if (c == options_.escape) {
        ++at_;
        if (keep_escapes) {
          out += c;
          if (outer(depth)) raw(std::string_view(&c, 1));
        }
        if (end()) break;
        auto literal = next();
        out += literal;
        if (outer(depth)) raw(literal);
      } else {
        auto literal = next();
        out += literal;
        if (outer(depth)) blank_splits(literal);
      }
    }
    if (stop != '\0') return fail(Kind::invalid, "missing '{}'", stop);
    return out;
  }
  Result<std::string> single_quote() {
    auto close = text_.find('\'', at_ + 1);
    if (close == std::string_view::npos) return fail(Kind::invalid, "missing the closing '");
    auto inside = text_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    return options_.keep_quotes ? "'" + std::string(inside) + "'" : std::string(inside);
  }
  Result<std::string> double_quote(int depth) {
    std::string out;
    if (options_.keep_quotes) out += '"';
    ++at_;
    while (!end()) {
      char c = peek();
      if (c == '"') {
        ++at_;
        if (options_.keep_quotes) out += '"';
        return out;
      }
      if (c == '$') {
        TRY(auto value, dollar(depth));
        out += value;
        continue;
      }
      auto literal = next();
      if (c == options_.escape) {
        if (options_.keep_escapes) out += c;
        if (end()) continue;
        char following = peek();
        if (following == '"' || following == '$' || following == options_.escape)
          literal = next();
        else if (options_.keep_escapes)
          continue;
      }
      out += literal;
    }
    return fail(Kind::invalid, "missing the closing \"");
  }

  std::string name() {
    if (end()) return {};
    auto start = at_;
    auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (digit(peek())) {
      while (!end() && digit(peek())) ++at_;
    } else if (std::string_view("@*#?-$!").find(peek()) != std::string_view::npos) {
      ++at_;
    } else {
      // Letters of any script, as Go's unicode.IsLetter takes them.
      auto letter = [&](char c) { return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
      while (!end() && letter(peek())) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  Result<std::string> dollar(int depth) {
    ++at_;
    if (end()) return std::string("$");
    if (peek() != '{') {
      auto key = name();
      if (key.empty()) return std::string("$");
      auto value = lookup_(key);
      if (!value && options_.keep_unset) return "$" + key;
      return value.value_or("");
    }
    auto start = at_ - 1;
    ++at_;
    if (end()) return fail(Kind::invalid, "missing '}}'");
    if (peek() == '{' || peek() == '}' || peek() == ':') return fail(Kind::invalid, "bad substitution ${{{}", peek());
    auto key = name();
    if (end()) return fail(Kind::invalid, "missing '}}'");
    TRY(auto result, braces(key, depth));
    if (options_.keep_unset && !lookup_(key)) return std::string(text_.substr(start, at_ - start));
    return result;
  }
  Result<std::string> braces(const std::string& key, int depth) {
    auto value = lookup_(key);
    char c = peek();
    ++at_;
    if (c == '}') return value.value_or("");
    if (c == '/') return replace(value.value_or(""), depth);
    bool empty_is_unset = c == ':';
    if (empty_is_unset) {
      if (end()) return fail(Kind::invalid, "missing '}}'");
      c = peek();
      ++at_;
    }
    if (std::string_view("+-?#%").find(c) == std::string_view::npos || (empty_is_unset && (c == '#' || c == '%')))
      return fail(Kind::invalid, "unsupported modifier ({}{}) in substitution of {}", empty_is_unset ? ":" : "", c,
                  key);
    TRY(auto word, until('}', c == '#' || c == '%', depth + 1));
    bool unset = !value || (empty_is_unset && value->empty());
    switch (c) {
      case '-':
        return unset ? word : *value;
      case '+':
        return unset ? std::string() : word;
      case '?':
        if (!unset || options_.keep_unset) return value.value_or("");
        return fail(Kind::invalid, "{}: {}", key,
                    !word.empty() ? word
                    : value       ? "is not allowed to be empty"
                                  : "is not allowed to be unset");
      default:
        return strip(value.value_or(""), word, c);
    }
  }
  static Result<std::string> strip(const std::string& value, std::string_view word, char side) {
    bool longest = word.starts_with(side);
    if (longest) word.remove_prefix(1);
    TRY(auto pattern, Pattern::parse(word));
    auto cuts = borders(value);
    // From the front: the shortest prefix is the first border; from the back: the last one.
    if ((side == '%') != longest) std::reverse(cuts.begin(), cuts.end());
    for (auto cut : cuts) {
      auto part = side == '#' ? std::string_view(value).substr(0, cut) : std::string_view(value).substr(cut);
      if (pattern.matches(part)) return side == '#' ? value.substr(cut) : value.substr(0, cut);
    }
    return value;
  }
  Result<std::string> replace(const std::string& value, int depth) {
    bool all = !end() && peek() == '/';
    if (all) ++at_;
    TRY(auto pattern_text, until('/', true, depth + 1));
    TRY(auto with, until('}', true, depth + 1));
    TRY(auto pattern, Pattern::parse(pattern_text));
    auto cuts = borders(value);
    std::string out;
    std::size_t from = 0;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      if (cuts[i] < from) continue;
      for (std::size_t j = cuts.size(); j-- > i + 1;) {
        if (!pattern.matches(std::string_view(value).substr(cuts[i], cuts[j] - cuts[i]))) continue;
        out += value.substr(from, cuts[i] - from) + with;
        from = cuts[j];
        if (!all) return out + value.substr(from);
        break;
      }
    }
    return out + value.substr(from);
  }

  std::string_view text_;
  const Lookup& lookup_;
  const ExpandOptions& options_;
  std::size_t at_ = 0;
  std::string word_;
  bool in_word_ = false;
  std::vector<std::string> words_;
};

}  // namespace

Result<std::string> expand(std::string_view word, const Lookup& lookup, const ExpandOptions& options) {
  return Lexer(word, lookup, options).run();
}

Result<std::vector<std::string>> expand_words(std::string_view text, const Lookup& lookup,
                                              const ExpandOptions& options) {
  Lexer lexer(text, lookup, options);
  TRY(auto whole, lexer.run());
  (void)whole;
  return lexer.words();
}

}  // namespace slipway::image
