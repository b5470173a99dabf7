// Any text parses or is refused; what parses evaluates without crashing, twice to the same text.
#include "ci/expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::ci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Vocabulary words;
  words.any_name = true;
  auto expression = Expression::parse(text, words);
  if (!expression) return 0;
  Object github;
  github.set("ref", "refs/heads/main");
  github.set("list", Data(Array{{Data(1), Data("two"), Data()}}));
  Data context(std::move(github));
  Scope scope;
  scope.context = [&](std::string_view) { return context; };
  scope.call = [](std::string_view, const std::vector<Data>& arguments) -> Result<Data> {
    return arguments.empty() ? Data(true) : arguments[0];
  };
  auto first = expression->evaluate(scope), second = expression->evaluate(scope);
  SLP_ASSERT(first.has_value() == second.has_value());
  if (first) SLP_ASSERT(first->json() == second->json());
  return 0;
}
