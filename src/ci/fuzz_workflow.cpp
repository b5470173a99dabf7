// Any text is read into problems or a workflow; a workflow makes a plan or an error, and prints.
#include "ci/plan.h"
#include "ci/report.h"
#include "ci/run/commands.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto reading = read_workflow(text, {.source = "w.yml"});
  (void)parse_env_file(text, "f");
  (void)parse_command(text);
  (void)parse_test_report(text, "r");
  (void)parse_action(text, "action.yml");
  (void)matches_pattern(text.substr(0, 64), text);
  if (!reading.problems.empty()) return 0;
  Event event;
  (void)triggers(reading.workflow, event);
  if (auto plan = make_plan(std::move(reading.workflow), event)) {
    (void)plan->print();
    (void)plan->to_doc();
  }
  return 0;
}
