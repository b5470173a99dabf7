#pragma once
// GitHub Actions expressions: text to tree to value.
// Rule: "Evaluate expressions in workflows and actions", and the published conformance cases of its grammar.
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ci/language/data.h"

namespace slipway::ci {

// What may be named in an expression: contexts (github, env, ...) and functions beyond the built-in ones.
struct Vocabulary {
  struct Function {
    std::string name;
    std::size_t min = 0, max = 0;
  };
  std::vector<std::string> names;
  std::vector<Function> functions;
  bool any_name = false;  // accept every context and the status functions: for text of unknown place
};

// What names mean while evaluating.
struct Scope {
  std::function<Data(std::string_view name)> context;  // null for an unknown one
  // Functions of the vocabulary. Errors end the evaluation.
  std::function<Result<Data>(std::string_view function, const std::vector<Data>& arguments)> call;
};

struct Node;  // detail/node.h

// A parsed expression; immutable, cheap to copy. Threads: any.
class Expression {
 public:
  // `text` is what stands between the braces. At most 21,000 characters, depth 50. Errors: invalid, in the
  // reference's words with "Located at position N".
  static Result<Expression> parse(std::string_view text, const Vocabulary& vocabulary);
  // Results over 10 MB are refused. Errors: invalid; whatever a function gave.
  Result<Data> evaluate(const Scope& scope) const;
  // Whether any function of the given names is called (case does not matter; names inside strings do not count).
  bool calls(std::span<const std::string_view> functions) const;
  // Whether the context is named, and optionally which of its members: secrets.TOKEN gives "TOKEN", secrets or
  // secrets[x] give "".
  std::vector<std::string> members_of(std::string_view context) const;
  // The value when the expression is a literal.
  const Data* literal() const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

inline constexpr std::size_t max_expression_length = 21'000;

}  // namespace slipway::ci
