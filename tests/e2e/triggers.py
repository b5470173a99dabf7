"""What starts a workflow beside a push: a person, a script, a timer, another run, a branch that comes or goes."""
import json
import sys

import harness
from harness import HOME, House, check, get_path, one_error, phase

sys.modules["slipway"].GROUPS.update({kind: ("/apis/slipway.dev/v1", kind.lower() + "s") for kind in ("Environment", "Approval", "Workflow")})

DISPATCH = """name: Release
on:
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [patch, minor], default: patch, description: How much is new}
      count: {type: number, required: true}
      dry: {type: boolean, default: true}
jobs:
  j:
    runs-on: x
    steps:
      - run: echo "level=$LEVEL count=$COUNT dry=$DRY event=$EVENT by=$BY"
        env: {LEVEL: "${{ inputs.level }}", COUNT: "${{ inputs.count }}", DRY: "${{ inputs.dry == false }}", EVENT: "${{ toJSON(github.event.inputs) }}", BY: "${{ github.actor }}"}
"""
TIMER = """on: {schedule: [{cron: "%s"%s}]}
jobs: {j: {runs-on: x, steps: [{run: "echo due by ${{ github.event.schedule }} at ${{ github.ref }}"}]}}
"""


def push(house, name, files, ref="main"):
    repository = house.git(name)
    for path, text in files.items():
        repository.write(f".github/workflows/{path}", text)
    repository.write("name", name)
    commit = repository.commit("Workflows")
    repository.push(f"HEAD:{ref}")
    return repository, commit


def workflow(house, name, test=lambda o: True):
    return house.wait("Workflow", lambda ws: next((w for w in ws if w["spec"]["repository"] == name and test(w)), None), f"a workflow of {name}")


def runs(house, repository, event):
    return [r for r in house.list("WorkflowRun") if get_path(r, "spec", "change", "repository") == repository and get_path(r, "spec", "change", "event") == event]


def until_run(house, repository, event, test=lambda r: True, phases=("Succeeded",)):
    return house.wait("WorkflowRun", lambda rs: next((r for r in rs if get_path(r, "spec", "change", "repository") == repository and get_path(r, "spec", "change", "event") == event and phase(r) in phases and test(r)), None), f"a run of {repository} by {event}", seconds=25)


def log(house, run, job="j"):
    return house.http("GET", f"/logs/{run['metadata']['name']}/{job}")[1]


def test_dispatch(house):
    _, commit = push(house, "hand", {"release.yml": DISPATCH})
    known = workflow(house, "hand")
    check([i["name"] for i in known["spec"]["inputs"]] == ["level", "count", "dry"] and known["spec"]["inputs"][0]["options"] == ["patch", "minor"], known["spec"])
    done = house.cli("dispatch", "Release", "-r", "hand", "-f", "count=3", "-f", "dry=false", "--as", "ada", "--wait")
    check(done.returncode == 0 and "Succeeded" in done.stdout, done.all)
    run = until_run(house, "hand", "workflow_dispatch")
    text = log(house, run)
    check("level=patch count=3 dry=true" in text and '"count": "3"' in text and '"dry": "false"' in text and "by=ada" in text, text)
    check(run["spec"]["change"]["after"] == commit and run["spec"]["number"] == 1, run["spec"])
    again = house.cli("dispatch", "release.yml", "-r", "hand", "-f", "count=4", "-f", "level=minor", "--wait", "--output", "json")
    check(again.returncode == 0 and json.loads(again.stdout)["phase"] == "Succeeded", again.all)
    check(len(runs(house, "hand", "workflow_dispatch")) == 2, "each press is a run of its own")
    # What is wrong is said, with the place where the input is declared.
    where = ".github/workflows/release.yml:"
    one_error(house.cli("dispatch", "release", "-r", "hand"), 2, where, "input 'count'", "it is required")
    one_error(house.cli("dispatch", "release", "-r", "hand", "-f", "count=many"), 2, where, "input 'count': got \"many\", want a number")
    one_error(house.cli("dispatch", "release", "-r", "hand", "-f", "count=1", "-f", "level=big"), 2, "want one of patch, minor")
    one_error(house.cli("dispatch", "release", "-r", "hand", "-f", "count=1", "-f", "levl=minor"), 2, "declares no input 'levl', did you mean 'level'?")
    one_error(house.cli("dispatch", "relaese", "-r", "hand", "-f", "count=1"), 2, "has no workflow relaese", "did you mean release?")
    one_error(house.cli("dispatch", "release", "-r", "hand", "-f", "count=1", "--ref", "no"), 2, "hand has no branch or tag no")
    one_error(house.cli("dispatch", "release", "-r", "han", "-f", "count=1"), 2, "there is no repository han", "did you mean hand?")
    one_error(house.cli("dispatch", "release", "-r", "hand", "-f", "count"), 2, "want NAME=VALUE")
    check(all(get_path(c, "status", "phase") != "Refused" for c in house.list("Change")), "what was refused leaves nothing behind")
    listed = house.cli("workflows", "-r", "hand")
    check("count:number!" in listed.stdout and "level:choice=patch" in listed.stdout, listed.all)


def test_not_by_hand(house):
    push(house, "byself", {"ci.yml": "on: push\njobs: {j: {runs-on: x, steps: [{run: echo}]}}\n"})
    workflow(house, "byself")
    one_error(house.cli("dispatch", "ci", "-r", "byself"), 2, "is not started by hand", "add workflow_dispatch")


def test_rest(house):
    push(house, "rest", {"release.yml": DISPATCH, "remote.yml": "on: {repository_dispatch: {types: [deploy]}}\njobs: {j: {runs-on: x, steps: [{run: \"echo ${{ github.event.action }} of ${{ github.event.client_payload.version }}\"}]}}\n"})
    workflow(house, "rest")
    base = "/api/v3/repos/local/rest"
    def post(path, body, **more):
        return house.http("POST", base + path, json.dumps(body), **more)
    check(post("/actions/workflows/release.yml/dispatches", {"ref": "main", "inputs": {"count": 5}})[0] == 204, "dispatched")
    check("count=5" in log(house, until_run(house, "rest", "workflow_dispatch")), "its input")
    status, text = post("/actions/workflows/release.yml/dispatches", {"ref": "main", "inputs": {"count": "x"}})
    check(status == 422 and "want a number" in text, text)
    check(post("/actions/workflows/release.yml/dispatches", {"ref": "main"}, token=None)[0] == 401, "nobody")
    check(post("/actions/workflows/release.yml/dispatches", {"inputs": {}})[0] == 422, "no ref")
    check(post("/dispatches", {"event_type": "deploy", "client_payload": {"version": "1.2"}})[0] == 204, "told")
    check("deploy of 1.2" in log(house, until_run(house, "rest", "repository_dispatch")), "its payload")
    check(post("/dispatches", {"event_type": "other"})[0] == 204, "nobody listens, which is no error")
    check(post("/dispatches", {})[0] == 422, "no type")
    check(house.http("POST", "/api/v3/repos/local/none/dispatches", "{}")[0] == 404, "no repository")
    check(house.http("POST", base + "/dispatches", "[")[0] == 422, "no JSON")


def test_gitlab_by_hand(house):
    lab = house.git("labhand")
    lab.write(".gitlab-ci.yml", "j:\n  rules: [{if: '$CI_PIPELINE_SOURCE == \"web\"'}]\n  script: ['echo \"target is $TARGET\"']\n")
    lab.commit("Pipeline")
    lab.push("HEAD:main")
    house.wait("Change", lambda cs: any(c["spec"]["repository"] == "labhand" and phase(c) == "Started" for c in cs), "the push")
    done = house.cli("dispatch", ".gitlab-ci.yml", "-r", "labhand", "-f", "TARGET=moon", "--wait")
    check(done.returncode == 0, done.all)
    check("target is moon" in log(house, until_run(house, "labhand", "workflow_dispatch")), "its variable")


def due_long_ago(house, known):
    """As if the line had last been due years ago: the next look finds it overdue."""
    line = next(iter(known["status"]["ticks"]))
    house.patch("Workflow", known["metadata"]["name"], {"status": {"ticks": {line: "2020-01-01T00:00:00Z"}}}, subresource="status")


def test_a_timer(house):
    push(house, "timer", {"nightly.yml": TIMER % ("17 3 1 1 *", ", timezone: Europe/Berlin")})
    known = workflow(house, "timer", lambda w: get_path(w, "status", "nextRun"))
    check(known["status"]["nextRun"].endswith("-01-01T02:17:00Z"), known["status"])
    check(runs(house, "timer", "schedule") == [], "not due yet")
    due_long_ago(house, known)
    run = until_run(house, "timer", "schedule")
    check("due by 17 3 1 1 * at refs/heads/main" in log(house, run), log(house, run))
    check(len(runs(house, "timer", "schedule")) == 1, "once for all that was missed")
    # Another line starts counting anew; one that is gone is forgotten.
    repository = house.git("timer")
    repository.update()
    repository.write(".github/workflows/nightly.yml", TIMER % ("0 0 30 6 *", ""))
    repository.commit("Another time")
    repository.push("HEAD:refs/for/main")
    house.wait("PullRequest", lambda ps: next((p for p in ps if p["spec"]["repository"] == "timer" and get_path(p, "status", "checksState")), None), "the pull request")
    merged = house.cli("pr", "merge", "timer#1")
    check(merged.returncode == 0, merged.all)
    moved = workflow(house, "timer", lambda w: list(get_path(w, "status", "ticks") or {}) == ["0 0 30 6 *"])
    check(moved["status"]["nextRun"].endswith("-06-30T00:00:00Z"), moved["status"])
    check(len(runs(house, "timer", "schedule")) == 1, "a new line is not due for the past")


def test_a_timer_that_cannot_be(house):
    push(house, "badtimer", {"a.yml": TIMER % ("0 0 * * *", ", timezone: Europe/Berlim")})
    known = workflow(house, "badtimer", lambda w: get_path(w, "status", "message"))
    check("no timezone \"Europe/Berlim\"" in known["status"]["message"] and "did you mean Europe/Berlin?" in known["status"]["message"], known["status"])


def test_a_timer_over_kills():
    house = House()
    with house:
        push(house, "timer", {"nightly.yml": TIMER % ("17 3 1 1 *", "")})
        known = workflow(house, "timer", lambda w: get_path(w, "status", "nextRun"))
        house.kill()
        house.start()
        due_long_ago(house, known)
        house.kill()
        house.start()
        until_run(house, "timer", "schedule")
        # Killed after the run was made and before the tick was noted down: as if that had been the case.
        due_long_ago(house, workflow(house, "timer"))
        house.kill()
        house.start()
        workflow(house, "timer", lambda w: not w["status"]["ticks"]["17 3 1 1 *"].startswith("2020"))
        check(len(runs(house, "timer", "schedule")) == 1, "the same tick is one run")


def test_after_another_run(house):
    push(house, "chain", {
        "ci.yml": "name: CI\non: push\njobs: {j: {runs-on: x, steps: [{run: test ! -e fail}]}}\n".replace("steps: [", "steps: [{uses: actions/checkout@v4}, "),
        "then.yml": "on: {workflow_run: {workflows: [CI], types: [completed], branches: [main]}}\njobs: {j: {runs-on: x, steps: [{run: \"echo after ${{ github.event.workflow_run.name }} ${{ github.event.workflow_run.conclusion }} of ${{ github.event.workflow_run.head_branch }}\"}]}}\n",
        "other.yml": "on: {workflow_run: {workflows: [Other]}}\njobs: {j: {runs-on: x, steps: [{run: exit 1}]}}\n",
        "self.yml": "name: Self\non: {workflow_run: {workflows: [Self], types: [completed]}, workflow_dispatch: }\njobs: {j: {runs-on: x, steps: [{run: echo}]}}\n"})
    workflow(house, "chain")
    repository = house.git("chain")
    repository.update()
    repository.git("checkout", "-q", "-B", "topic", "origin/main")
    repository.write("more", "yes")
    repository.commit("Another branch")
    repository.push("HEAD:refs/heads/topic")
    run = until_run(house, "chain", "workflow_run")
    check("after CI success of main" in log(house, run), log(house, run))
    house.wait("WorkflowRun", lambda rs: len([r for r in rs if get_path(r, "spec", "change", "ref") == "refs/heads/topic" and phase(r) == "Succeeded" and get_path(r, "status", "told")]) == 1, "the run of the other branch")
    check(len(runs(house, "chain", "workflow_run")) == 1, "the filter of branches")
    # A chain ends after three levels.
    house.cli("dispatch", "Self", "-r", "chain")
    house.wait("WorkflowRun", lambda rs: len([r for r in rs if r["spec"]["name"] == "Self" and phase(r) == "Succeeded" and get_path(r, "status", "told")]) == 4, "a run and three after it", seconds=25)


def test_refs_come_and_go(house):
    repository, _ = push(house, "refs", {"a.yml": "on: [create, delete]\njobs: {j: {runs-on: x, steps: [{run: \"echo ${{ github.event_name }} ${{ github.event.ref_type }} ${{ github.event.ref }} at ${{ github.ref }}\"}]}}\n"})
    workflow(house, "refs")
    repository.push("HEAD:refs/heads/topic")
    created = until_run(house, "refs", "create", lambda r: get_path(r, "spec", "change", "ref") == "refs/heads/topic")  # main came too
    check("create branch topic at refs/heads/topic" in log(house, created), "it came")
    repository.push(":refs/heads/topic")
    check("delete branch topic at refs/heads/main" in log(house, until_run(house, "refs", "delete")), "it went")


harness.main(globals())
