// From the text of a workflow to its jobs.
#include <benchmark/benchmark.h>

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

}  // namespace
}  // namespace slipway::ci
