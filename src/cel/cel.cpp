#include "cel/cel.h"

#include "cel/detail/check.h"
#include "cel/detail/lex.h"
#include "cel/detail/parse.h"
#include "cel/detail/run.h"

namespace slipway::cel {

std::optional<Value> Bindings::find(std::string_view name) const {
  if (auto it = values_.find(name); it != values_.end()) return it->second;
  const auto* field = object_ != nullptr ? object_->find(name) : nullptr;
  return field != nullptr ? std::optional(Value::of(*field)) : std::nullopt;
}

Result<Program> compile(std::string_view text, const Options& options) {
  auto code = std::make_shared<detail::Code>();
  code->text = text;
  code->source = options.source;
  code->escaped_fields = options.escaped_fields;
  TRY(code->root, detail::parse(code->text, options.source));
  TRY_OK(detail::resolve(*code, options));
  return Program(std::move(code));
}

Result<Value> Program::evaluate(const Bindings& bindings, Budget& budget) const {
  return detail::Run(*code_, bindings, budget).eval(*code_->root);
}

Result<Value> Program::evaluate(const Bindings& bindings) const {
  Budget budget;
  return evaluate(bindings, budget);
}

Result<bool> Program::holds(const Bindings& bindings, Budget& budget) const {
  TRY(auto value, evaluate(bindings, budget));
  if (const auto* b = value.if_bool()) return *b;
  return detail::wrong_at(code_->source, code_->root->at, fmt::format("the result is {}, want bool", value.type()));
}

const std::string& Program::text() const { return code_->text; }

}  // namespace slipway::cel
