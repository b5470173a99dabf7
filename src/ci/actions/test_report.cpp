// slipway/test-report (and the reporters people already use): failures as annotations and a summary.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/report.h"

namespace slipway::ci {

Result<> test_report(const Ctx& ctx, ActionUse& use) {
  auto patterns = use.list("path");
  if (patterns.empty()) patterns = use.list("report_paths");
  if (patterns.empty()) patterns = use.list("files");
  if (patterns.empty()) return fail(Kind::invalid, "Input required and not supplied: path");
  TRY(auto matched, match_files(ctx, use.job, patterns, true));
  if (matched.files.empty())
    return fail(Kind::not_found, "no test report at {}", join(std::span<const std::string>(patterns), ", "));
  TestReport all;
  for (auto& file : matched.files) {
    TRY(auto text, use.job.folder().read(file, std::size_t{64} << 20));
    TRY(auto report, parse_test_report(text, fs::path(file).filename().string()));
    for (auto& test : report.cases) all.add(std::move(test));
  }
  int told = 0;
  for (auto& test : all.cases) {
    if (test.outcome != TestCase::Outcome::failed || ++told > 50) continue;
    Annotation a;
    a.level = Annotation::Level::error;
    a.place = test.place;
    a.title = test.suite.empty() ? test.name : test.suite + " " + test.name;
    a.message = test.message.empty() ? test.detail.substr(0, 500) : test.message;
    use.job.annotate(use.step, std::move(a));
  }
  use.job.shared().tell([&](Observer& o) { o.tests(use.job.result().key, all); });
  use.job.result().summary += use.job.shared().redaction.redact(all.print());
  use.output("passed", std::to_string(all.passed));
  use.output("failed", std::to_string(all.failed));
  use.output("skipped", std::to_string(all.skipped));
  use.output("conclusion", all.failed > 0 ? "failure" : "success");
  use.say(fmt::format("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped));
  bool fails = use.flag("fail-on-error", use.flag("fail_on_failure", true));
  if (all.failed > 0 && fails) return fail(Kind::invalid, "{} tests failed", all.failed);
  return {};
}

}  // namespace slipway::ci
