// An expression, and after an empty line a document: it is compiled and ends, whatever it says.
#include "base/text.h"
#include "cel/cel.h"
#include "doc/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto [source, yaml] = cut(text, "\n\n").value_or(std::pair{text, std::string_view("{}")});
  auto object = doc::parse_yaml(yaml, {.max_nodes = 1'000});
  if (!object) return 0;
  cel::Bindings bindings;
  bindings.fields_of(*object);
  bindings.set("self", *object);
  (void)cel::compile(source, {.variables = {"self"}});
  auto program = cel::compile(source, {.any_variable = true, .escaped_fields = true});
  if (!program) return 0;
  cel::Budget budget{.steps = 5'000, .bytes = 1u << 18};
  auto value = program->evaluate(bindings, budget);
  if (!value) return 0;
  (void)cel::print(*value);
  (void)cel::to_doc(*value, 1'000);
  return 0;
}
