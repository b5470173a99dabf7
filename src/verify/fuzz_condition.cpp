// A condition out of nowhere: refused, or evaluated without end or crash; the same text gives the same value.
#include "doc/json.h"
#include "verify/condition.h"
#include "verify/json_path.h"
#include "verify/sequential.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  static const doc::Value result(doc::List{doc::Value(0.5), doc::Value("x"), doc::Value(doc::Map{{"a", 1}})});
  (void)verify::json_path(result, text);
  if (auto test = verify::SequentialTest::parse(text))
    SLP_ASSERT(verify::SequentialTest::parse(test->print()).value().print() == test->print());
  auto condition = verify::Condition::parse(text);
  if (!condition) return 0;
  auto first = condition->value(result), second = condition->value(result);
  SLP_ASSERT(first.has_value() == second.has_value());
  return 0;
}
