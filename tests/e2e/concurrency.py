"""`concurrency:` of workflows: one runs, the newest waits, cancel-in-progress ends what is under way; also after a kill."""
import harness
from harness import House, check, get_path, phase

SLOW = """on: push
concurrency: {group: deploy, cancel-in-progress: %s}
jobs:
  a:
    runs-on: x
    steps:
      - run: %s
"""
# Ends when the branch is there: `open_gate`.
HELD = 'until git ls-remote "$GITHUB_SERVER_URL/git/gate-%s.git" | grep -q open; do sleep 0.05; done'


def held(gate):
    return "|\n          " + HELD % gate


def open_gate(house, gate):
    repository = house.git(f"gate-{gate}")
    repository.write("gate", "open\n")
    repository.commit("Open")
    repository.push("HEAD:refs/heads/open")


def push(house, shop, number, cancel, command="true"):
    shop.write(".github/workflows/ci.yml", SLOW % (str(cancel).lower(), command))
    shop.write("number", f"{number}\n")
    commit = shop.commit(f"Commit {number}")
    shop.push(f"HEAD:refs/heads/b{number}")
    return commit


def run_of(house, commit, *phases):
    return house.wait("WorkflowRun", lambda runs: next((r for r in runs if get_path(r, "spec", "change", "after") == commit and phase(r) in phases), None), f"a run {phases}", seconds=25)


def test_the_newest_waits(house):
    shop = house.git("queue")
    first = push(house, shop, 1, False, held("queue"))
    run_of(house, first, "Running")
    second = push(house, shop, 2, False)
    waiting = run_of(house, second, "Waiting")
    check("concurrency group deploy" in waiting["status"]["message"], waiting["status"])
    third = push(house, shop, 3, False)
    replaced = run_of(house, second, "Cancelled")
    open_gate(house, "queue")
    check("took its place" in replaced["status"]["message"], replaced["status"])
    one, three = run_of(house, first, "Succeeded"), run_of(house, third, "Succeeded")
    check(three["status"]["startedAt"] >= one["status"]["finishedAt"], "they did not overlap")
    check(not three["status"]["message"], three["status"])


def test_cancel_in_progress(house):
    shop = house.git("cancel")
    first = push(house, shop, 1, True, held("cancel"))
    run_of(house, first, "Running")
    second = push(house, shop, 2, True)
    cancelled = run_of(house, first, "Cancelled")
    check("cancelled by" in cancelled["status"]["message"] and cancelled["status"]["jobs"][0]["phase"] == "Cancelled", cancelled["status"])
    run_of(house, second, "Succeeded")


def test_kill_keeps_the_queue():
    house = House()
    with house:
        shop = house.git("killed")
        first = push(house, shop, 1, False, held("killed"))
        run_of(house, first, "Running")
        second = push(house, shop, 2, False)
        run_of(house, second, "Waiting")
        house.kill()
        house.start()
        open_gate(house, "killed")
        one, two = run_of(house, first, "Succeeded"), run_of(house, second, "Succeeded")
        check(two["status"]["startedAt"] >= one["status"]["finishedAt"], "they did not overlap")


def test_groups_of_other_repositories(house):
    shop, other = house.git("here"), house.git("there")
    first = push(house, shop, 1, False, held("here"))
    run_of(house, first, "Running")
    run_of(house, push(house, other, 1, False), "Succeeded")
    run_of(house, push(house, shop, 2, True), "Succeeded")
    run_of(house, first, "Cancelled")


JOBS = """on: push
jobs:
  before:
    runs-on: x
    steps: [{run: echo before}]
  deploy:
    runs-on: x
    needs: before
    concurrency: {group: production, cancel-in-progress: %s}
    steps:
      - run: %s
"""


def push_jobs(house, shop, number, cancel, command="true"):
    shop.write(".github/workflows/ci.yml", JOBS % (cancel, command))
    shop.write("number", f"{number}\n")
    commit = shop.commit(f"Commit {number}")
    shop.push(f"HEAD:refs/heads/b{number}")
    return commit


def deploys(house, commit, *phases):
    def test(runs):
        for r in runs:
            for job in get_path(r, "status", "jobs") or []:
                if get_path(r, "spec", "change", "after") == commit and job["key"] == "deploy" and job["phase"] in phases:
                    return job
        return None
    return house.wait("WorkflowRun", test, f"a deploy job {phases}", seconds=25)


def test_jobs_follow_each_other(house):
    shop = house.git("jobs")
    first = push_jobs(house, shop, 1, "false", held("jobs"))
    deploys(house, first, "Running")
    second = push_jobs(house, shop, 2, "false")
    deploys(house, second, "Waiting", "Pending")
    open_gate(house, "jobs")
    run_of(house, second, "Succeeded")
    check(phase(run_of(house, first, "Succeeded", "Running")) == "Succeeded", "the first had ended before")


def test_jobs_cancel(house):
    shop = house.git("jobs-cancel")
    first = push_jobs(house, shop, 1, "true", held("jobs-cancel"))
    deploys(house, first, "Running")
    second = push_jobs(house, shop, 2, "true")
    job = deploys(house, first, "Cancelled")
    check("cancelled by" in job["message"] and "production" in job["message"], job)
    run_of(house, first, "Cancelled")
    run_of(house, second, "Succeeded")


harness.main(globals())
