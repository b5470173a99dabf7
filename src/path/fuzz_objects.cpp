// API objects as anybody may write them: an error or a value that comes back from its own print.
#include "doc/yaml.h"
#include "path/analysis_spec.h"
#include "path/objects.h"

namespace {

using namespace slipway;

template <class Read>
void round_trip(const doc::Value& input, Read read) {
  auto value = read(doc::View(input));
  if (!value) return;
  auto printed = path::to_doc(*value);
  auto again = read(doc::View(printed));
  SLP_ASSERT(again && *again == *value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = doc::parse_yaml({reinterpret_cast<const char*>(data), size}, {.max_nodes = 2'000});
  if (!input) return 0;
  round_trip(*input, path::change_from);
  round_trip(*input, path::finding_from);
  round_trip(*input, path::artifact_from);
  round_trip(*input, path::promotion_from);
  round_trip(*input, path::verdict_from);
  round_trip(*input, path::notice_from);
  round_trip(*input, path::approval_from);
  (void)path::job_environment_from(doc::View(*input));
  (void)path::pipeline_from(doc::View(*input));
  (void)path::analysis_run_spec({*input}, {});
  return 0;
}
