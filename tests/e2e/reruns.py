"""Runs again: all of them or what failed, numbered attempts, an end; the history of tests, and which of them are flaky."""
import json

import harness
from harness import House, check, get_path, one_error, phase

# Fails in the first attempt alone.
FLAKY = """name: CI
on: push
jobs:
  build:
    runs-on: x
    outputs: {made: "${{ steps.m.outputs.made }}"}
    steps: [{id: m, run: "echo made=$GITHUB_RUN_ATTEMPT >> $GITHUB_OUTPUT"}]
  test:
    needs: build
    runs-on: x
    steps:
      - run: |
          if [ $GITHUB_RUN_ATTEMPT = 1 ]; then inner='<failure message="no luck"/>'; fi
          echo "<testsuite name='net'><testcase name='connects'>$inner</testcase><testcase name='adds'/><testcase name='later'><skipped/></testcase></testsuite>" > r.xml
      - uses: slipway/test-report@v1
        with: {path: r.xml}
  after:
    needs: [build, test]
    runs-on: x
    steps: [{run: "echo made by attempt ${{ needs.build.outputs.made }} in attempt ${{ github.run_attempt }} number ${{ github.run_number }}"}]
"""
LONG = 'on: push\njobs: {j: {runs-on: x, steps: [{run: "echo begun; while true; do sleep 0.05; done"}]}}\n'


def push(house, name, text, **files):
    repository = house.git(name)
    repository.write(".github/workflows/ci.yml", text)
    repository.write("name", name)
    for path, content in files.items():
        repository.write(path, content)
    commit = repository.commit("Run it")
    repository.push("HEAD:main")
    return commit


def until(house, commit, *phases, attempt=1):
    return house.wait("WorkflowRun", lambda rs: next((r for r in rs if get_path(r, "spec", "change", "after") == commit and phase(r) in phases and (get_path(r, "status", "attempt") or 1) == attempt), None), f"a run {phases} at attempt {attempt}", seconds=25)


def jobs(run):
    return {j["key"]: j["phase"] for j in run["status"]["jobs"]}


def log(house, name, job, **query):
    return house.http("GET", f"/logs/{name}/{job}" + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""))[1]


def test_failed_jobs_again(house):
    commit = push(house, "flaky", FLAKY)
    first = until(house, commit, "Failed")
    name = first["metadata"]["name"]
    check(jobs(first) == {"build": "Succeeded", "test": "Failed", "after": "Skipped"}, first["status"])
    check(first["status"]["tests"] == {"passed": 1, "failed": 1, "skipped": 1}, first["status"]["tests"])
    done = house.cli("rerun", name[:-1], "--failed", "--wait", "--as", "ada")
    check(done.returncode == 0 and "Succeeded" in done.stdout, done.all)
    second = until(house, commit, "Succeeded", attempt=2)
    check(set(jobs(second).values()) == {"Succeeded"}, second["status"])
    check(second["spec"]["rerun"]["by"] == "ada" and second["status"]["attempts"][0]["phase"] == "Failed", second["status"]["attempts"])
    check("made by attempt 1 in attempt 2 number 1" in log(house, name, "after"), "what succeeded was kept")
    check("connects" in log(house, name, "test", attempt=1) and log(house, name, "test") != log(house, name, "test", attempt=1), "both logs are there")
    check(log(house, name, "build", attempt=1) == log(house, name, "build") != "", "of a job that was kept there is one")
    check(second["status"]["tests"]["flaky"] == ["net connects"] and second["status"]["message"] == "flaky: net connects", second["status"])
    shown = house.cli("tests", "--flaky")
    check(shown.returncode == 0 and "connects" in shown.stdout and "✗✓" in shown.stdout and "attempts 1 and 2" in shown.stdout and "adds" not in shown.stdout, shown.all)
    document = json.loads(house.cli("tests", "-r", "flaky", "--output", "json").stdout)[0]
    check([t["name"] for t in document["tests"]] == ["adds", "connects", "later"], document)
    check(house.http("GET", "/tests/flaky", token=None)[0] == 401, "of nobody's business")
    one_error(house.cli("rerun", name, "--failed"), 1, "no job of", "failed")
    # And all of it.
    check(house.cli("rerun", name, "--wait").returncode == 0, "again")
    third = until(house, commit, "Succeeded", attempt=3)
    check("made by attempt 3 in attempt 3" in log(house, name, "after") and len(third["status"]["attempts"]) == 2, "all of it ran")


RESUMED = """on: push
jobs:
  build:
    runs-on: x
    steps:
      - {id: make, run: "echo made >> ~/count; echo n=1 >> $GITHUB_OUTPUT"}
      - {name: Check, run: "wc -l < ~/count; test $GITHUB_RUN_ATTEMPT != 1"}
      - run: echo after ${{ steps.make.outputs.n }}
"""


def test_goes_on_at_the_step_that_failed(house):
    commit = push(house, "resumed", RESUMED)
    first = until(house, commit, "Failed")
    name = first["metadata"]["name"]
    check(first["status"]["jobs"][0]["result"]["resumable"] == "Check", first["status"])
    done = house.cli("rerun", name, "--resume", "--wait")
    check(done.returncode == 0, done.all)
    told = log(house, name, "build")
    check("Goes on at step 'Check': the 1 before it are not run again." in told and "echo made" not in told and "after 1" in told, told)
    one_error(house.cli("rerun", name, "--resume"), 1, "no job of", "failed")


def test_bad_asks(house):
    commit = push(house, "long", LONG)
    running = until(house, commit, "Running")
    name = running["metadata"]["name"]
    house.wait("WorkflowRun", lambda rs: next((r for r in rs if r["metadata"]["name"] == name and jobs(r)["j"] == "Running"), None), "the job")
    one_error(house.cli("rerun", name), 1, "is Running", "run again when it is over")
    one_error(house.cli("rerun", "none"), 1, "there is no run none")
    changed = house.kubectl("patch", "workflowrun", name, "-n", "slipway-system", "--type=merge", "-p", '{"spec":{"change":{"after":"0"}}}', check_it=False)
    check(changed.returncode != 0 and "is not changed" in changed.stderr, changed.all)
    done = house.cli("cancel", name, "--as", "bob")
    check(done.returncode == 0, done.all)
    ended = until(house, commit, "Cancelled")
    check(ended["status"]["message"] == "cancelled by bob" and jobs(ended) == {"j": "Cancelled"}, ended["status"])
    one_error(house.cli("cancel", name), 1, "is over: Cancelled")
    # An end that was asked for does not hold for the next attempt.
    check(house.cli("rerun", name).returncode == 0, "again")
    until(house, commit, "Running", attempt=2)
    check(house.cli("cancel", name).returncode == 0, "and again")
    until(house, commit, "Cancelled", attempt=2)


def test_kill_within_an_attempt():
    house = House()
    with house:
        commit = push(house, "killed", FLAKY.replace("needs: [build, test]\n    runs-on: x\n    steps: [", 'needs: [build, test]\n    runs-on: x\n    steps: [{run: "until git ls-remote $GITHUB_SERVER_URL/git/gate.git | grep -q open; do sleep 0.05; done"}, '))
        name = until(house, commit, "Failed")["metadata"]["name"]
        house.cli("rerun", name, "--failed")
        house.wait("WorkflowRun", lambda rs: next((r for r in rs if jobs(r).get("after") == "Running"), None), "the last job")
        house.kill()
        house.start()
        gate = house.git("gate")
        gate.write("gate", "open")
        gate.commit("Open")
        gate.push("HEAD:refs/heads/open")
        again = until(house, commit, "Succeeded", attempt=2)
        check("made by attempt 1 in attempt 2" in log(house, name, "after"), "it went on where it was")
        check(again["status"]["tests"]["flaky"] == ["net connects"] if again["status"].get("tests") else True, again["status"])
        check("connects" in house.cli("tests", "--flaky").stdout, "the history outlives a kill")


harness.main(globals())
