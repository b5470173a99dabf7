"""From a pull request to main: what passed is not run again, what asks for the branch is decided anew."""
import harness
from harness import check, get_path, phase

WORKFLOW = """name: "odd | name"
on: [push, pull_request]
jobs:
  test:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - run: test -f file
  review:
    if: github.event_name == 'pull_request'
    runs-on: x
    steps: [{run: echo review}]
  deploy:
    needs: test
    if: github.ref == 'refs/heads/main'
    runs-on: x
    steps: [{run: 'echo "deploys $GITHUB_REF"'}]
"""


def jobs_of(run):
    return {j["key"]: j["phase"] for j in run["status"]["jobs"]}


def test_merge(house):
    shop = house.git("landing")
    shop.write("file", "1\n")
    shop.commit("First")
    shop.push("HEAD:main")
    shop.write(".github/workflows/ci.yml", WORKFLOW)
    shop.commit("Second")
    shop.push("HEAD:refs/for/main")
    request = house.wait("PullRequest", lambda ps: next((p for p in ps if p["spec"]["repository"] == "landing" and get_path(p, "status", "checksState") == "Succeeded"), None), "green checks")
    reviewed = house.runs_of(request["status"]["mergeCommit"])[0]
    check(jobs_of(reviewed) == {"test": "Succeeded", "review": "Succeeded", "deploy": "Skipped"}, jobs_of(reviewed))
    rows = [line for line in request["status"]["comment"].splitlines() if line.startswith("| odd")]
    check(rows and all(len(row.replace("\\|", "").split("|")) == 5 for row in rows), request["status"]["comment"])
    merged = house.cli("pr", "merge", "landing#1", "--timeout", "15s")
    check(merged.returncode == 0, merged.all)
    landed = next(r for r in house.runs_of(request["status"]["mergeCommit"], 2) if get_path(r, "spec", "change", "event") == "push")
    check(phase(landed) == "Succeeded" and jobs_of(landed) == {"test": "Succeeded", "review": "Skipped", "deploy": "Succeeded"}, landed["status"])
    check(landed["status"]["reusedFrom"] == reviewed["metadata"]["name"], landed["status"])
    tests = [next(j for j in r["status"]["jobs"] if j["key"] == "test")["durationMs"] for r in (reviewed, landed)]
    check(tests[0] == tests[1], f"the test did not run again: {tests}")
    _, log = house.http("GET", f"/logs/{landed['metadata']['name']}/deploy")
    check("deploys refs/heads/main" in log, log)


def test_failing_checks_do_not_land(house):
    shop = house.git("failing")
    shop.write("file", "1\n")
    first = shop.commit("First")
    shop.push("HEAD:main")
    shop.write(".github/workflows/ci.yml", WORKFLOW.replace("test -f file", "exit 3"))
    shop.commit("Second")
    shop.push("HEAD:refs/for/main")
    merged = house.cli("pr", "merge", "failing#1", "--timeout", "15s")
    harness.one_error(merged, 3, "not merged", "Failed")
    check(first in shop.git("ls-remote", "origin", "refs/heads/main").stdout, "main stays")


def test_one_is_given_up(house):
    shop = house.git("given-up")
    shop.write("file", "1\n")
    first = shop.commit("First")
    shop.push("HEAD:main")
    shop.write("file", "2\n")
    shop.commit("Second")
    shop.push("HEAD:refs/for/main")
    house.wait("PullRequest", lambda ps: next((p for p in ps if p["spec"]["repository"] == "given-up" and get_path(p, "status", "state")), None), "it is open")
    closed = house.cli("pr", "close", "given-up#1")
    check(closed.returncode == 0 and "closed" in closed.stdout, closed.all)
    check("closed" in house.cli("pr", "list", "--all").all or "closed" in house.cli("pr", "view", "given-up#1").all, "it says so")
    check(house.cli("pr", "close", "given-up#1").returncode == 0, "once more changes nothing")
    refs = shop.git("ls-remote", "origin").stdout
    check("refs/pull/1/" not in refs and first in refs, refs)


harness.main(globals())
