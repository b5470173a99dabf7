"""`slipway run` is what the server does: the same repository run here and by a push has the same ends, outputs, steps and
artifacts."""
import json

import harness
from harness import check, get_path, phase

WORKFLOW = """name: Parity
on: push
env: {SHARED: from-the-workflow}
jobs:
  build:
    runs-on: x
    outputs: {version: "${{ steps.v.outputs.version }}", files: "${{ steps.h.outputs.files }}"}
    steps:
      - uses: actions/checkout@v4
      - id: v
        run: echo "version=$(cat src/version)" >> "$GITHUB_OUTPUT"
      - name: makes
        run: mkdir out && cp src/version out/v.txt && echo '#!/bin/sh' > out/tool && chmod +x out/tool && echo "### built" >> "$GITHUB_STEP_SUMMARY" && find out | xargs touch -d 2026-01-01T00:00:00Z
      - id: h
        run: echo "files=${{ hashFiles('src/**') }}" >> "$GITHUB_OUTPUT"
      - uses: actions/upload-artifact@v4
        with: {name: made, path: out}
  test:
    needs: build
    runs-on: x
    strategy:
      fail-fast: false
      matrix: {kind: [good, bad], n: [1, 2], exclude: [{kind: bad, n: 2}]}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/download-artifact@v4
        with: {name: made}
      - name: goes on
        continue-on-error: true
        run: exit 7
      - id: t
        run: test "${{ matrix.kind }}" = good && test "$(cat v.txt)" = "${{ needs.build.outputs.version }}" && test "$SHARED" = from-the-workflow
      - if: failure()
        run: echo "::error file=src/version,line=1::it is bad"
      - if: always()
        run: echo "<testsuite><testcase name='${{ matrix.kind }}-${{ matrix.n }}'/></testsuite>" > r.xml
      - if: always()
        uses: slipway/test-report@v1
        with: {path: r.xml}
  never:
    if: github.event_name == 'schedule'
    runs-on: x
    steps: [{run: exit 1}]
  after:
    needs: [test, never]
    runs-on: x
    steps: [{run: echo no}]
  always:
    needs: [test]
    if: always()
    runs-on: x
    environment: somewhere
    outputs: {of: "${{ needs.test.result }} ${{ needs.build.result }}"}
    steps: [{run: "echo over"}]
  called:
    uses: ./.github/workflows/called.yml
    with: {what: parity}
"""
CALLED = """on:
  workflow_call:
    inputs: {what: {type: string, required: true}}
    outputs: {said: {value: "${{ jobs.say.outputs.said }}"}}
jobs:
  say:
    runs-on: x
    outputs: {said: "${{ steps.s.outputs.said }}"}
    steps: [{id: s, run: "echo said=${{ inputs.what }} >> $GITHUB_OUTPUT"}]
"""
GITLAB = """stages: [build, test]
build:
  stage: build
  script: [echo "V=$(cat src/version)" > build.env, mkdir out, cp src/version out/, find out | xargs touch -d 2026-01-01T00:00:00Z]
  artifacts: {paths: [out/], reports: {dotenv: build.env}}
test: {stage: test, script: ['test "$V" = "$(cat out/version)"'], parallel: 2}
loose: {stage: test, script: [exit 3], allow_failure: true}
"""


def essence(job):
    """What must be the same wherever it ran: not times, not names of runs, not which commit a working tree is of."""
    outputs = [{k: v for k, v in s.get("outputs", {}).items() if k not in ("commit", "artifact-id", "artifact-url")} for s in job.get("steps", [])]
    steps = [(s["id"], s["name"], s["outcome"], s["conclusion"], o) for s, o in zip(job.get("steps", []), outputs)]
    return {"conclusion": job["conclusion"], "outputs": job.get("outputs"), "steps": steps, "summary": job.get("summary"), "exitCode": job.get("exitCode"),
            "artifacts": [(a["name"], a["digest"]) for a in job.get("artifacts", [])],
            "annotations": [(a["level"], a["message"], a.get("file"), a.get("line")) for a in job.get("annotations", [])], "environment": job.get("environment")}


def compare(house, name, files, workflow):
    repository = house.git(name)
    for path, text in files.items():
        repository.write(path, text)
    commit = repository.commit("The same here and there")
    here = harness.slipway("run", workflow, "-C", repository.folder, "--output", "json", timeout=60)
    check(here.stdout.strip().startswith("{"), here.all)
    local = json.loads(here.stdout)
    repository.push("HEAD:main")
    run = house.runs_of(commit)[0]
    there = {j["key"]: essence(j["result"]) for j in run["status"]["jobs"]}
    mine = {j["key"]: essence(j) for j in local["jobs"]}
    check(set(there) == set(mine), f"jobs: {sorted(mine)} here, {sorted(there)} there")
    for key in sorted(mine):
        check(mine[key] == there[key], f"{key}:\nhere  {mine[key]}\nthere {there[key]}")
    want = {"success": "Succeeded", "failure": "Failed"}[local["conclusion"]]
    check(phase(run) == want and here.returncode == (0 if want == "Succeeded" else 1), f"{here.returncode} {phase(run)}")
    return mine


def test_workflows(house):
    mine = compare(house, "parity", {".github/workflows/parity.yml": WORKFLOW, ".github/workflows/called.yml": CALLED, "src/version": "1.2.3\n"}, "parity.yml")
    ends = {key: job["conclusion"] for key, job in mine.items()}
    check(ends == {"build": "success", "test (good, 1)": "success", "test (good, 2)": "success", "test (bad, 1)": "failure", "never": "skipped", "after": "skipped", "always": "success", "called": "success", "called / say": "success"}, ends)
    check(mine["build"]["artifacts"] and mine["build"]["outputs"]["version"] == "1.2.3", mine["build"])


def test_gitlab(house):
    mine = compare(house, "labparity", {".gitlab-ci.yml": GITLAB, "src/version": "4.5.6\n"}, ".gitlab-ci.yml")
    check(mine["loose"]["conclusion"] == "failure" and mine["loose"]["exitCode"] == 3, mine["loose"])


harness.main(globals())
