#pragma once
// Runs workflows in tests: a source, a runner, and what was observed. Private to ci's tests.
#include "base/testing/golden.h"
#include "base/text.h"
#include "ci/front_end.h"
#include "ci/runner.h"

namespace slipway::ci {

// Keeps everything a run says.
class Transcript final : public Observer {
 public:
  void job_started(const std::string& key, const std::string&) override { started.push_back(key); }
  void job_finished(const JobResult& result) override { finished.push_back(result.key); }
  void log(const LogLine& line) override {
    if (line.stream > 0)
      output += std::string(line.text) + "\n";
    else
      words += std::string(line.text) + "\n";
  }
  std::vector<std::string> started, finished;
  std::string output, words;  // of steps; of the runner
};

struct Ran {
  Result<RunResult> result = fail(Kind::internal, "not run");
  std::string output, words;
  const JobResult& job(const std::string& key) const {
    for (auto& j : result->jobs)
      if (j.key == key) return j;
    ADD_FAILURE() << "no job " << key;
    static const JobResult none;
    return none;
  }
  std::string conclusions() const {
    if (!result) return result.error().print();
    std::map<std::string, std::string> sorted;
    for (auto& j : result->jobs) sorted[j.key] = to_string(j.conclusion);
    std::string out;
    for (auto& [key, c] : sorted) out += (out.empty() ? "" : " ") + key + "=" + c;
    return out;
  }
};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() : dir(must(TempDir::make("ci"))) {
    options.root = dir.path() / "jobs";
    options.folder = dir.path() / "source";
    options.allow_unisolated = true;
    must(make_dirs(options.folder));
    event.sha = std::string(40, 'a');
  }
  // With real containers, or skips.
  void isolate() {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto opened = box::Runtime::open(dir.path() / "box");
    if (!opened) GTEST_SKIP() << opened.error().print();
    runtime = *std::move(opened);
    options.runtime = runtime.get();
    options.allow_unisolated = false;
  }
  void file(const std::string& path, const std::string& text) {
    must(make_dirs((options.folder / path).parent_path()));
    must(write_file(options.folder / path, text));
  }
  Ran run(const std::string& text, const Ctx& ctx = {}) {
    Ran out;
    auto workflow = parse_workflow(text, "w.yml");
    if (!workflow) {
      out.result = Fail(workflow.error());
      return out;
    }
    auto plan =
        make_plan(*std::move(workflow), event, [&](const std::string& path) -> Result<std::optional<std::string>> {
          auto content = read_file(options.folder / path);
          return content ? std::optional(*content) : std::nullopt;
        });
    if (!plan) {
      out.result = Fail(plan.error());
      return out;
    }
    return run_plan(*plan, ctx);
  }
  // A .gitlab-ci.yml, and the files it includes from the source.
  Ran run_gitlab(const std::string& text, const Ctx& ctx = {}) {
    auto plan = plan_file(text, std::string(gitlab_file), event, folder_tree(options.folder));
    if (plan) return run_plan(*plan, ctx);
    Ran out;
    out.result = Fail(plan.error());
    return out;
  }
  Ran run_plan(const Plan& plan, const Ctx& ctx) {
    Ran out;
    Transcript recorder;
    options.observer = &recorder;
    out.result = Runner(options).run(ctx, plan);
    out.output = recorder.output, out.words = recorder.words;
    EXPECT_EQ(jobs_left(), 0) << "job folders are left behind";
    return out;
  }
  // Their first process's program is not one of them: it stays for the next.
  std::ptrdiff_t jobs_left() const {
    auto names = path_exists(options.root) ? must(list_dir(options.root)) : std::vector<std::string>();
    return std::count_if(names.begin(), names.end(), [](auto& name) { return name.starts_with("job"); });
  }
  // One job of run steps.
  Ran steps(const std::string& text) {
    std::string indented;
    for (auto line : lines(text)) indented += "      " + std::string(line) + "\n";
    return run("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n" + indented);
  }

  TempDir dir;
  RunnerOptions options;
  Event event;
  std::unique_ptr<box::Runtime> runtime;
};

}  // namespace slipway::ci
