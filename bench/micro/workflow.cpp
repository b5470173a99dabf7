// From the text of a workflow to its jobs.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "base/testing/golden.h"
#include "ci/plan.h"

namespace slipway::ci {
namespace {

// Of the size that the median public workflow has.
constexpr std::string_view text = R"(name: CI
on:
  push:
    branches: [main]
  pull_request:
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: make lint
  test:
    runs-on: ${{ matrix.os }}
    strategy:
      matrix:
        os: [ubuntu-latest, ubuntu-22.04]
        node: [18, 20, 22]
        exclude:
          - os: ubuntu-22.04
            node: 22
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: ${{ matrix.node }}
          cache: npm
      - run: npm ci
      - run: npm test
        env:
          CI: ${{ github.event_name == 'pull_request' && 'pr' || 'push' }}
  image:
    needs: [lint, test]
    if: github.ref == 'refs/heads/main'
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with:
          push: true
          tags: ghcr.io/acme/app:${{ github.sha }}
)";

void parse_and_plan(benchmark::State& state) {
  Event event;
  event.name = "push", event.sha = std::string(40, 'a'), event.repository = "acme/app";
  for (auto _ : state) benchmark::DoNotOptimize(must(make_plan(must(parse_workflow(text, "ci.yml")), event)));
}
BENCHMARK(parse_and_plan);

// Each file of the corpus by its best of three; the counter is the median of them.
void parse_and_plan_real(benchmark::State& state) {
  auto root = corpora();
  if (!root) return state.SkipWithError("no corpora on this machine");
  auto folder = *root / "workflows/real";
  std::vector<std::string> texts;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".yml" || entry.path().extension() == ".yaml")
      if (auto content = read_file(entry.path()); content && parse_workflow(*content, "w.yml"))
        texts.push_back(*content);
  Event event;
  event.name = "push", event.sha = std::string(40, 'a'), event.repository = "acme/app";
  std::vector<double> best(texts.size(), 1e9);
  for (auto _ : state)
    for (std::size_t i = 0; i < texts.size(); ++i)
      for (int n = 0; n < 3; ++n) {
        auto began = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(make_plan(must(parse_workflow(texts[i], "w.yml")), event));
        best[i] = std::min(best[i],
                           std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
      }
  std::sort(best.begin(), best.end());
  state.counters["median_us"] = best.empty() ? 0 : best[best.size() / 2];
  state.counters["files"] = static_cast<double>(best.size());
}
BENCHMARK(parse_and_plan_real)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway::ci
