#include "ci/gitlab/expression.h"

#include <re2/re2.h>

#include <cctype>

#include "base/text.h"

namespace slipway::ci::gitlab {

struct Pattern::Compiled {
  explicit Compiled(const std::string& text) : expression(text, RE2::Quiet) {}
  RE2 expression;
};

Result<Pattern> Pattern::parse(std::string_view text) {
  auto end = text.rfind('/');
  if (text.size() < 2 || text[0] != '/' || end == 0)
    return fail(Kind::invalid, "got \"{}\", want a pattern between slashes, like /^release-/", text);
  auto flags = text.substr(end + 1);
  if (auto other = flags.find_first_not_of("imsU"); other != std::string_view::npos)
    return fail(Kind::invalid, "pattern {}: flag '{}' is not one of i, m, s, U", text, flags[other]);
  auto inner = replace_all(std::string(text.substr(1, end - 1)), "\\/", "/");
  if (!flags.empty()) inner = fmt::format("(?{}){}", flags, inner);
  Pattern out;
  auto compiled = std::make_shared<const Compiled>(inner);
  if (!compiled->expression.ok())
    return fail(Kind::invalid, "pattern {} is no regular expression (RE2): {}", text, compiled->expression.error());
  out.compiled_ = std::move(compiled);
  return out;
}

bool Pattern::matches(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->expression);
}

enum class Sort : std::uint8_t { variable, text, null, pattern, equal, differs, matches, fails, both, either };
struct RuleNode {
  Sort sort = Sort::null;
  std::string text;
  std::optional<Pattern> pattern;
  std::shared_ptr<const RuleNode> left, right;
};

namespace {

using Pointer = std::shared_ptr<const RuleNode>;
constexpr std::size_t longest = 10'000;
constexpr int deepest = 50;

// What a part of an expression gives: comparisons give "true" or nothing.
using Value = std::optional<std::string>;
bool truthy(const Value& value) { return value && !value->empty(); }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Pointer> whole() {
    TRY(auto root, either(0));
    if (peek(); at_ < text_.size()) return wrong(fmt::format("got \"{}\", want && or ||", text_.substr(at_, 20)));
    return root;
  }

 private:
  Fail wrong(std::string_view what) const { return fail(Kind::invalid, "{}, at character {}", what, at_ + 1); }
  char peek() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(std::string_view word) {
    peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  static Pointer join(Sort sort, Pointer left, Pointer right) {
    RuleNode node;
    node.sort = sort, node.left = std::move(left), node.right = std::move(right);
    return std::make_shared<const RuleNode>(std::move(node));
  }

  Result<Pointer> either(int depth) {
    TRY(auto left, both(depth));
    while (take("||")) {
      TRY(auto right, both(depth));
      left = join(Sort::either, std::move(left), std::move(right));
    }
    return left;
  }
  Result<Pointer> both(int depth) {
    TRY(auto left, comparison(depth));
    while (take("&&")) {
      TRY(auto right, comparison(depth));
      left = join(Sort::both, std::move(left), std::move(right));
    }
    return left;
  }
  Result<Pointer> comparison(int depth) {
    TRY(auto left, value(depth));
    for (;;) {
      auto sort = take("==")   ? Sort::equal
                  : take("!=") ? Sort::differs
                  : take("=~") ? Sort::matches
                  : take("!~") ? Sort::fails
                               : Sort::null;
      if (sort == Sort::null) return left;
      peek();
      auto place = at_;
      TRY(auto right, value(depth));
      bool by_pattern = sort == Sort::matches || sort == Sort::fails;
      at_ = by_pattern && right->sort != Sort::pattern && right->sort != Sort::variable ? place : at_;
      if (at_ == place) return wrong("=~ and !~ want a pattern between slashes or a variable that holds one");
      left = join(sort, std::move(left), std::move(right));
    }
  }
  Result<Pointer> value(int depth) {
    if (depth > deepest) return wrong(fmt::format("nested deeper than {} levels", deepest));
    RuleNode node;
    char c = peek();
    if (c == '(') {
      ++at_;
      TRY(auto inner, either(depth + 1));
      if (!take(")")) return wrong("a parenthesis is not closed");
      return inner;
    }
    if (c == '$') {
      auto end = at_ + 1;
      while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_'))
        ++end;
      if (end == at_ + 1) return wrong("want a variable's name after $");
      node.sort = Sort::variable, node.text = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end;
    } else if (c == '"' || c == '\'') {
      auto end = text_.find(c, at_ + 1);
      if (end == std::string_view::npos) return wrong("a quote is not closed");
      node.sort = Sort::text, node.text = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
    } else if (c == '/') {
      auto end = at_ + 1;
      while (end < text_.size() && text_[end] != '/') end += text_[end] == '\\' ? 2 : 1;
      if (end >= text_.size()) return wrong("a pattern is not closed: want / at its end");
      for (++end; end < text_.size() && std::isalpha(static_cast<unsigned char>(text_[end])) != 0;) ++end;
      auto pattern = Pattern::parse(text_.substr(at_, end - at_));
      if (!pattern) return wrong(pattern.error().what());
      node.sort = Sort::pattern, node.pattern = *std::move(pattern);
      at_ = end;
    } else if (take("null")) {
      node.sort = Sort::null;
    } else if (c == '\0') {
      return wrong("the expression ends where a value is wanted");
    } else {
      return wrong(
          fmt::format("got \"{}\", want $VARIABLE, \"text\", /pattern/, null or a parenthesis", text_.substr(at_, 20)));
    }
    return std::make_shared<const RuleNode>(std::move(node));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Value evaluate(const RuleNode& node, const Lookup& variables);

bool matches(const RuleNode& node, const Lookup& variables) {
  auto left = evaluate(*node.left, variables);
  if (!left) return false;
  if (node.right->pattern) return node.right->pattern->matches(*left);
  auto text = evaluate(*node.right, variables);
  auto pattern = text ? Pattern::parse(*text) : Result<Pattern>(Fail(Error(Kind::invalid, "")));
  return pattern && pattern->matches(*left);
}

Value evaluate(const RuleNode& node, const Lookup& variables) {
  auto verdict = [](bool holds) { return holds ? Value("true") : Value(); };
  switch (node.sort) {
    case Sort::variable:
      return variables(node.text);
    case Sort::text:
      return node.text;
    case Sort::null:
      return {};
    case Sort::pattern:
      return Value("true");
    case Sort::equal:
      return verdict(evaluate(*node.left, variables) == evaluate(*node.right, variables));
    case Sort::differs:
      return verdict(evaluate(*node.left, variables) != evaluate(*node.right, variables));
    case Sort::matches:
      return verdict(matches(node, variables));
    case Sort::fails:
      return verdict(!matches(node, variables));
    case Sort::both: {
      auto left = evaluate(*node.left, variables);
      return truthy(left) ? evaluate(*node.right, variables) : Value();
    }
    case Sort::either: {
      auto left = evaluate(*node.left, variables);
      return truthy(left) ? left : evaluate(*node.right, variables);
    }
  }
  return {};
}

}  // namespace

Result<RuleExpression> RuleExpression::parse(std::string_view text) {
  if (text.size() > longest) return fail(Kind::invalid, "an expression of more than {} characters", longest);
  RuleExpression out;
  out.text_ = text;
  TRY(out.root_, Parser(text).whole());
  return out;
}

bool RuleExpression::holds(const Lookup& variables) const { return truthy(evaluate(*root_, variables)); }

}  // namespace slipway::ci::gitlab
