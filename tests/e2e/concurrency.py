"""`concurrency:` of workflows: one runs, the newest waits, cancel-in-progress ends what is under way; also after a kill."""
import harness
from harness import House, check, get_path, phase

SLOW = """on: push
concurrency: {group: deploy, cancel-in-progress: %s}
jobs:
  a:
    runs-on: x
    steps:
      - run: |
          while [ ! -e /tmp/never ] && [ $SECONDS -lt %d ]; do sleep 0.05; done
        shell: bash
"""


def push(house, shop, number, cancel, seconds):
    shop.write(".github/workflows/ci.yml", SLOW % (str(cancel).lower(), seconds))
    shop.write("number", f"{number}\n")
    commit = shop.commit(f"Commit {number}")
    shop.push(f"HEAD:refs/heads/b{number}")
    return commit


def run_of(house, commit, *phases):
    return house.wait("WorkflowRun", lambda runs: next((r for r in runs if get_path(r, "spec", "change", "after") == commit and phase(r) in phases), None), f"a run {phases}", seconds=25)


def test_the_newest_waits(house):
    shop = house.git("queue")
    first = push(house, shop, 1, False, 2)
    run_of(house, first, "Running")
    second = push(house, shop, 2, False, 0)
    waiting = run_of(house, second, "Waiting")
    check("concurrency group deploy" in waiting["status"]["message"], waiting["status"])
    third = push(house, shop, 3, False, 0)
    replaced = run_of(house, second, "Cancelled")
    check("took its place" in replaced["status"]["message"], replaced["status"])
    one, three = run_of(house, first, "Succeeded"), run_of(house, third, "Succeeded")
    check(three["status"]["startedAt"] >= one["status"]["finishedAt"], "they did not overlap")
    check(not three["status"]["message"], three["status"])


def test_cancel_in_progress(house):
    shop = house.git("cancel")
    first = push(house, shop, 1, True, 25)
    run_of(house, first, "Running")
    second = push(house, shop, 2, True, 0)
    cancelled = run_of(house, first, "Cancelled")
    check("cancelled by" in cancelled["status"]["message"] and cancelled["status"]["jobs"][0]["phase"] == "Cancelled", cancelled["status"])
    run_of(house, second, "Succeeded")


def test_kill_keeps_the_queue():
    house = House()
    with house:
        shop = house.git("killed")
        first = push(house, shop, 1, False, 1)
        run_of(house, first, "Running")
        second = push(house, shop, 2, False, 0)
        run_of(house, second, "Waiting")
        house.kill()
        house.start()
        one, two = run_of(house, first, "Succeeded"), run_of(house, second, "Succeeded")
        check(two["status"]["startedAt"] >= one["status"]["finishedAt"], "they did not overlap")


def test_groups_of_other_repositories(house):
    shop, other = house.git("here"), house.git("there")
    first = push(house, shop, 1, False, 25)
    run_of(house, first, "Running")
    run_of(house, push(house, other, 1, False, 0), "Succeeded")
    run_of(house, push(house, shop, 2, True, 0), "Succeeded")
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
      - run: while [ $SECONDS -lt %d ]; do sleep 0.05; done
        shell: bash
"""


def push_jobs(house, shop, number, cancel, seconds):
    shop.write(".github/workflows/ci.yml", JOBS % (cancel, seconds))
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
    first = push_jobs(house, shop, 1, "false", 1)
    deploys(house, first, "Running")
    second = push_jobs(house, shop, 2, "false", 0)
    run_of(house, second, "Succeeded")
    check(phase(run_of(house, first, "Succeeded", "Running")) == "Succeeded", "the first had ended before")


def test_jobs_cancel(house):
    shop = house.git("jobs-cancel")
    first = push_jobs(house, shop, 1, "true", 25)
    deploys(house, first, "Running")
    second = push_jobs(house, shop, 2, "true", 0)
    job = deploys(house, first, "Cancelled")
    check("cancelled by" in job["message"] and "production" in job["message"], job)
    run_of(house, first, "Cancelled")
    run_of(house, second, "Succeeded")


harness.main(globals())
