// What the engine adds to the commands of a workflow: a container, a job, a step, a line of a log. Real containers;
// root.
#include <benchmark/benchmark.h>
#include <sys/wait.h>

#include <atomic>

#include "base/hash.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "ci/jobcache.h"
#include "ci/runner.h"

namespace slipway::ci {
namespace {

TempDir folder() {
  const char* where = std::getenv("SLIPWAY_BENCH_DIR");
  return must(TempDir::make_in(where != nullptr ? where : "/tmp", "bench"));
}

// By our own launcher, or by the OCI runtime that the host has.
std::unique_ptr<box::Runtime> runtime(const fs::path& root, const char* which) {
  ::setenv("SLIPWAY_RUNTIME", which, 1);
  auto opened = box::Runtime::open(root);
  ::unsetenv("SLIPWAY_RUNTIME");
  return opened ? *std::move(opened) : nullptr;
}

void container(benchmark::State& state, const char* which) {
  auto dir = folder();
  auto boxes = runtime(dir.path() / "box", which);
  if (!boxes) return state.SkipWithError("cannot run containers here");
  must(make_dirs(dir.path() / "image/bin"));
  fs::copy_file("/bin/busybox", dir.path() / "image/bin/busybox");
  for (auto _ : state) {
    box::Spec spec;
    spec.id = "b-" + random_hex(6);
    spec.layers = {dir.path() / "image"};
    spec.argv = {"/bin/busybox", "true"};
    spec.limits.memory_bytes = 64 << 20;
    if (must(boxes->run(Ctx{}, spec, {})) != 0) state.SkipWithError("it failed");
  }
}
BENCHMARK_CAPTURE(container, native, "native")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(container, runc, "runc")->UseRealTime()->Unit(benchmark::kMillisecond);

// The least that a step can be.
void start_bash(benchmark::State& state) {
  auto dir = folder();
  must(write_file(dir.path() / "script", "true\n"));
  for (auto _ : state)
    must(run(Ctx{}, Command{.argv = {"/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail",
                                     (dir.path() / "script").string()}}));
}
BENCHMARK(start_bash)->UseRealTime()->Unit(benchmark::kMillisecond);

class Lines final : public Observer {
 public:
  void log(const LogLine& line) override { count += line.stream > 0 ? 1 : 0; }
  std::atomic<std::int64_t> count = 0;
};

struct Engine {
  TempDir dir = folder();
  std::unique_ptr<box::Runtime> boxes = runtime(dir.path() / "box", "native");
  Lines lines;
  RunnerOptions options;
  Engine() {
    must(make_dirs(dir.path() / "source"));
    options.root = dir.path() / "jobs", options.folder = dir.path() / "source";
    options.runtime = boxes.get(), options.observer = &lines;
  }
  bool run(const Plan& plan) { return must(Runner(options).run(Ctx{}, plan)).conclusion == Conclusion::success; }
};

Plan plan_of(const std::string& text) {
  Event event;
  event.sha = std::string(40, 'a');
  return must(make_plan(must(parse_workflow(text, "w.yml")), event));
}

void run_plan(benchmark::State& state, const std::string& text) {
  Engine engine;
  if (!engine.boxes) return state.SkipWithError("cannot run containers here");
  auto plan = plan_of(text);
  for (auto _ : state)
    if (!engine.run(plan)) state.SkipWithError("the run failed");
}

void job_of_steps(benchmark::State& state) {
  std::string text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n";
  for (int i = 0; i < state.range(0); ++i) text += "      - {run: 'true', shell: bash}\n";
  run_plan(state, text);
}
BENCHMARK(job_of_steps)->Arg(1)->Arg(51)->UseRealTime()->Unit(benchmark::kMillisecond);

void chain_of_jobs(benchmark::State& state) {
  std::string text = "on: push\njobs:\n";
  for (int i = 0; i < state.range(0); ++i)
    text += fmt::format("  j{}:\n    runs-on: x\n{}    steps: [{{run: 'true', shell: bash}}]\n", i,
                        i == 0 ? "" : fmt::format("    needs: j{}\n", i - 1));
  run_plan(state, text);
}
BENCHMARK(chain_of_jobs)->Arg(1)->Arg(11)->UseRealTime()->Unit(benchmark::kMillisecond);

// A step that opens two thousand files, watched (its inputs are found out) and not.
void open_files(benchmark::State& state, bool watched) {
  Engine engine;
  if (!engine.boxes) return state.SkipWithError("cannot run containers here");
  for (int i = 0; i < 2000; ++i) must(write_file(engine.options.folder / fmt::format("f{}", i), "x\n"));
  auto blobs = must(store::BlobStore::open(engine.dir.path() / "blobs"));
  std::string text =
      "on: push\njobs:\n  a:\n    runs-on: x\n    env: {SLIPWAY_INPUTS: infer}\n    steps:\n"
      "      - uses: actions/checkout@v4\n      - run: cat f* > /dev/null\n";
  auto plan = plan_of(text);
  for (auto _ : state) {
    state.PauseTiming();
    auto cache = must(open_file_job_cache(engine.dir.path() / "cache" / random_hex(4)));
    if (watched) engine.options.blobs = blobs.get(), engine.options.cache = cache.get();
    state.ResumeTiming();
    if (!engine.run(plan)) state.SkipWithError("the run failed");
  }
}
BENCHMARK_CAPTURE(open_files, alone, false)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(open_files, watched, true)->UseRealTime()->Unit(benchmark::kMillisecond);

// A hundred jobs of a monorepo after a change that none of them reads: all answered.
void answered_jobs(benchmark::State& state) {
  Engine engine;
  if (!engine.boxes) return state.SkipWithError("cannot run containers here");
  std::string text = "on: push\nenv: {SLIPWAY_INPUTS: infer}\njobs:\n";
  for (int i = 0; i < 100; ++i) {
    must(make_dirs(engine.options.folder / fmt::format("s{}", i)));
    for (int k = 0; k < 20; ++k) must(write_file(engine.options.folder / fmt::format("s{}/f{}", i, k), "x\n"));
    text += fmt::format("  j{}: {{runs-on: x, steps: [{{uses: actions/checkout@v4}}, {{run: 'cat s{}/*'}}]}}\n", i, i);
  }
  auto blobs = must(store::BlobStore::open(engine.dir.path() / "blobs"));
  auto cache = must(open_file_job_cache(engine.dir.path() / "cache"));
  engine.options.blobs = blobs.get(), engine.options.cache = cache.get();
  auto plan = plan_of(text);
  engine.run(plan);
  int number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    must(write_file(engine.options.folder / "other", std::to_string(++number)));
    state.ResumeTiming();
    auto result = must(Runner(engine.options).run(Ctx{}, plan));
    for (auto& job : result.jobs)
      if (!job.from_cache) state.SkipWithError("a job ran");
  }
}
BENCHMARK(answered_jobs)->UseRealTime()->Unit(benchmark::kMillisecond);

// Four jobs that write as fast as they can; every line has to arrive.
void log_flood(benchmark::State& state) {
  constexpr std::int64_t each = 250'000;
  std::string text = "on: push\njobs:\n";
  for (int i = 0; i < 4; ++i) text += fmt::format("  j{}: {{runs-on: x, steps: [{{run: 'seq 1 {}'}}]}}\n", i, each);
  Engine engine;
  if (!engine.boxes) return state.SkipWithError("cannot run containers here");
  engine.options.max_parallel = 4;
  auto plan = plan_of(text);
  std::int64_t runs = 0;
  for (auto _ : state) {
    if (!engine.run(plan)) state.SkipWithError("the run failed");
    ++runs;
  }
  state.counters["lines"] = static_cast<double>(4 * each);
  state.counters["lost"] = static_cast<double>(runs * 4 * each - engine.lines.count);
}
BENCHMARK(log_flood)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway::ci
