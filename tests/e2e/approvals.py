"""`environment:` of jobs: who may let them in, what only they get, and that a word once given outlives a kill. Manual jobs."""
import json
import os
import sys

import harness
from harness import HOME, House, check, get_path, one_error, phase, run, slipway

sys.modules["slipway"].GROUPS.update({kind: ("/apis/slipway.dev/v1", kind.lower() + "s") for kind in ("Environment", "Approval")})

DEPLOY = """on: push
jobs:
  build:
    runs-on: x
    steps: [{run: echo built}]
  deploy:
    needs: build
    runs-on: x
    environment: {name: production, url: "https://shop.example/${{ github.sha }}"}
    steps:
      - run: test "$KEY" = value-of-production && echo "deployed to ${{ vars.WHERE }} with $KEY"
        env: {KEY: "${{ secrets.KEY }}"}
"""
GITLAB = """stages: [build, deploy, after]
build: {stage: build, script: [echo built]}
free: {stage: deploy, when: manual, script: [echo freely]}
held: {stage: deploy, rules: [{when: manual}], script: [echo held]}
last: {stage: after, script: [echo last]}
"""


def people(house, **groups):
    """Users with kubeconfigs of their own, who may approve and read, and nothing else."""
    os.makedirs(house.data, exist_ok=True)
    tokens = {name: house.cli("user", "add", name, "--group", group).stdout.strip() for name, group in groups.items()}
    house.start()
    house.kubectl("create", "clusterrole", "reviewer", "--verb=get,list,watch,create", "--resource=approvals.slipway.dev,workflowruns.slipway.dev,promotions.slipway.dev")
    files = {}
    for name, token in tokens.items():
        house.kubectl("create", "clusterrolebinding", f"reviewer-{name}", "--clusterrole=reviewer", f"--user={name}")
        files[name] = harness.write(house.root, f"kubeconfig-{name}", open(house.kubeconfig).read().replace(house.token, token))
    return files, tokens


def environment(house, repository, name, **spec):
    house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "slipway.dev/v1", "kind": "Environment", "metadata": {"name": f"{repository}.{name}", "namespace": HOME},
                                                       "spec": {"repository": repository, "name": name, **spec}}))


def secret(house, name, **values):
    house.kubectl("create", "secret", "generic", name, "-n", HOME, *(f"--from-literal={k}={v}" for k, v in values.items()))


def job(run, key):
    return next((j for j in get_path(run, "status", "jobs") or [] if j["key"] == key), {})


def until_job(house, name, key, *phases):
    return house.wait("WorkflowRun", lambda runs: next((r for r in runs if r["metadata"]["name"] == name and job(r, key).get("phase") in phases), None), f"{key} of {name} {phases}")


def run_of(house, commit, *phases):
    return house.wait("WorkflowRun", lambda runs: next((r for r in runs if get_path(r, "spec", "change", "after") == commit and phase(r) in phases), None), f"a run {phases}")


def push(house, name, text=DEPLOY, file=".github/workflows/deploy.yml", ref="main"):
    repository = house.git(name, person="bob")
    repository.write(file, text)
    repository.write("name", name)  # the same files would be the same commit
    commit = repository.commit("Deploy it")
    repository.push(f"HEAD:{ref}")
    return commit


def test_who_may_let_it_in():
    house = House()
    try:
        files, _ = people(house, ada="reviewers", bob="reviewers", eve="guests")
        environment(house, "shop", "production", reviewers={"groups": ["reviewers"]}, preventSelfReview=True, vars={"WHERE": "the shop"})
        secret(house, "ci-shop", KEY="value-of-all-jobs")
        secret(house, "ci.shop.production", KEY="value-of-production")
        commit = push(house, "shop")
        waiting = run_of(house, commit, "Waiting")
        name = waiting["metadata"]["name"]
        check("waits for an approval for production: somebody of the group reviewers" in waiting["status"]["message"], waiting["status"])
        check(job(waiting, "build")["phase"] == "Succeeded" and job(waiting, "deploy")["waiting"]["who"] == ["group reviewers"], waiting["status"])
        listed = house.cli("runs", "list", "--waiting")
        check(name in listed.stdout and "production" in listed.stdout, listed.all)
        one_error(slipway("approve", name, "--kubeconfig", files["eve"]), 3, "eve may not review production of shop")
        one_error(slipway("approve", name, "--kubeconfig", files["bob"]), 3, "bob started this run")
        one_error(house.cli("approve", name, "--as", "root"), 3, "root may not review")
        one_error(house.cli("approve", name, "-e", "staging"), 1, "no such job", "deploy for production")
        one_error(slipway("reject", name + "x", "--kubeconfig", files["ada"]), 1, "there is no run", f"did you mean {name}?")
        # Nor by writing the object oneself: the server says who it was.
        forged = {"apiVersion": "slipway.dev/v1", "kind": "Approval", "metadata": {"name": "forged", "namespace": HOME}, "spec": {"run": name, "decision": "approved", "by": "ada", "groups": ["reviewers"]}}
        said = run("kubectl", "create", "-f", "-", input=json.dumps(forged), env={**harness.ENV, "KUBECONFIG": files["eve"]})
        check(said.returncode != 0 and "eve may not review" in said.stderr, said.all)
        done = slipway("approve", name, "-m", "looks good", "--kubeconfig", files["ada"])
        check(done.returncode == 0 and "approved for production by ada" in done.stdout, done.all)
        ended = run_of(house, commit, "Succeeded")
        check(job(ended, "deploy")["result"]["environmentUrl"] == f"https://shop.example/{commit}", job(ended, "deploy"))
        log = house.http("GET", f"/logs/{name}/deploy")[1]
        check("deployed to the shop with ***" in log and "value-of-production" not in log, log)
        place = house.get("Environment", "shop.production")["status"]
        check(place["current"]["commit"] == commit and place["current"]["approvedBy"] == ["ada"] and place["current"]["url"].endswith(commit), place)
        # The word is kept, and kept as it was.
        kept = house.list("Approval")[0]
        check(kept["spec"]["by"] == "ada" and kept["spec"]["comment"] == "looks good" and kept["spec"]["commit"] == commit, kept["spec"])
        changed = house.kubectl("patch", "approval", kept["metadata"]["name"], "-n", HOME, "--type=merge", "-p", '{"spec":{"by":"bob"}}', check_it=False)
        check(changed.returncode != 0 and "stays" in changed.stderr, changed.all)
        one_error(slipway("approve", name, "--kubeconfig", files["ada"]), 1, "no job of", "waits for")
        notices = [n["spec"]["event"] for n in house.list("Notice")]
        check("environment.waiting" in notices and "environment.approved" in notices, notices)
    finally:
        house.close()


def test_promotions_and_requests_are_signed():
    """Who may patch a promotion or a pull request does it in their own name, whatever they write."""
    house = House()
    try:
        files, _ = people(house, ada="reviewers", eve="guests")
        house.kubectl("create", "clusterrole", "patcher", "--verb=get,list,patch,update,create", "--resource=promotions.slipway.dev,pullrequests.slipway.dev,pipelines.slipway.dev,artifacts.slipway.dev,releases.slipway.dev")
        for name in files:
            house.kubectl("create", "clusterrolebinding", f"patcher-{name}", "--clusterrole=patcher", f"--user={name}")
        config = house.git("goods-config")
        config.write("prod/kustomization.yaml", "resources: []\nimages:\n- name: acme/goods\n  newTag: none\n")
        config.commit("Environments")
        config.push("HEAD:main")
        for document in ({"kind": "Pipeline", "metadata": {"name": "goods", "namespace": HOME}, "spec": {
                "repository": "goods-config", "services": [{"name": "goods", "image": "acme/goods"}],
                "environments": [{"name": "prod", "path": "prod", "namespace": "default", "automatic": False, "approvers": ["ada"]}]}},
                {"kind": "Artifact", "metadata": {"name": "goods-1", "namespace": HOME}, "spec": {"service": "goods", "image": "acme/goods", "digest": "sha256:" + "1b" * 32, "run": "x"}}):
            house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "slipway.dev/v1", **document}))
        house.patch("Artifact", "goods-1", {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")
        name = house.wait("Promotion", lambda ps: next((p for p in ps if phase(p) == "Waiting"), None), "a promotion that waits")["metadata"]["name"]
        said = run("kubectl", "patch", "promotion", name, "-n", HOME, "--type=merge", "-p", '{"spec":{"approvedBy":"ada"}}', env={**harness.ENV, "KUBECONFIG": files["eve"]})
        check(said.returncode != 0 and "eve may not approve for prod" in said.stderr, said.all)
        one_error(slipway("approve", name, "--kubeconfig", files["eve"], "--as", "ada"), 3, "eve may not approve for prod")
        one_error(slipway("promote", "goods", "--to", "prod", "--kubeconfig", files["eve"], "--as", "ada"), 3, "eve may not put anything into prod")
        done = slipway("approve", name, "--kubeconfig", files["ada"])
        check(done.returncode == 0 and "approved by ada" in done.stdout, done.all)
        house.wait("Promotion", lambda ps: next((p for p in ps if get_path(p, "status", "commit")), None), "its commit")
        config.update()
        check("Slipway-Approved-By: ada" in config.git("log", "-1", "--format=%B").stdout, "the commit names who approved it")
        config.write("readme", "asked\n")
        config.commit("A change that somebody proposes")
        config.push("HEAD:refs/for/main")
        request = house.wait("PullRequest", lambda rs: next(iter(rs), None), "the request")["metadata"]["name"]
        run("kubectl", "patch", "pullrequest", request, "-n", HOME, "--type=merge", "-p", '{"spec":{"close":{"by":"ada"}}}', env={**harness.ENV, "KUBECONFIG": files["eve"]})
        closed = house.wait("PullRequest", lambda rs: next((r for r in rs if get_path(r, "status", "state") == "closed"), None), "its end")
        check(closed["spec"]["close"]["by"] == "eve", closed["spec"])
    finally:
        house.close()


def test_a_rejection(house):
    environment(house, "no", "production", reviewers={"users": ["ada"]})
    commit = push(house, "no")
    name = run_of(house, commit, "Waiting")["metadata"]["name"]
    done = house.cli("reject", name, "--as", "ada", "--comment", "not on a Friday")
    check(done.returncode == 0, done.all)
    ended = run_of(house, commit, "Failed")
    check(job(ended, "deploy")["message"] == "ada rejected it for production: not on a Friday", job(ended, "deploy"))
    check("ada rejected it" in ended["status"]["message"], ended["status"])


def test_refs(house):
    environment(house, "refs", "production", branches=["main", "release/*"])
    commit = push(house, "refs", ref="topic")
    ended = run_of(house, commit, "Failed")
    check("topic may not deploy to production: its rules allow branch main, branch release/*" in job(ended, "deploy")["message"], ended["status"])


def test_rules_that_cannot_be_read(house):
    wrong = {"apiVersion": "slipway.dev/v1", "kind": "Environment", "metadata": {"name": "x.production", "namespace": HOME}, "spec": {"repository": "x", "name": "production", "reviewer": {}}}
    said = house.kubectl("create", "-f", "-", input=json.dumps(wrong), check_it=False)
    check(said.returncode != 0 and "did you mean reviewers?" in said.stderr, said.all)
    wrong["spec"].pop("reviewer")
    wrong["metadata"]["name"] = "other"
    said = house.kubectl("create", "-f", "-", input=json.dumps(wrong), check_it=False)
    check(said.returncode != 0 and "is called x.production" in said.stderr, said.all)


def test_without_rules_it_goes(house):
    secret(house, "ci.open.production", KEY="value-of-production")
    commit = push(house, "open")
    run_of(house, commit, "Succeeded")
    made = house.get("Environment", "open.production")
    check(made["spec"] == {"repository": "open", "name": "production"} and made["status"]["current"]["commit"] == commit, made)


def test_kill_while_it_waits():
    house = House()
    with house:
        environment(house, "killed", "production", reviewers={"users": ["ada"]})
        secret(house, "ci.killed.production", KEY="value-of-production")
        commit = push(house, "killed")
        waiting = run_of(house, commit, "Waiting")
        name, since = waiting["metadata"]["name"], job(waiting, "deploy")["since"]
        house.kill()
        house.start()
        again = run_of(house, commit, "Waiting")
        check(job(again, "deploy")["since"] == since, job(again, "deploy"))
        # Given, and killed before the run could hear of it.
        done = house.cli("approve", name, "--as", "ada")
        house.kill()
        check(done.returncode == 0, done.all)
        house.start()
        ended = run_of(house, commit, "Succeeded")
        check(job(ended, "build")["phase"] == "Succeeded", ended["status"])
        check(len(house.list("Approval")) == 1, "it was asked once")
        # The next attempt is another matter.
        house.cli("rerun", name)
        house.wait("WorkflowRun", lambda rs: next((r for r in rs if r["metadata"]["name"] == name and r["status"].get("attempt") == 2 and phase(r) == "Waiting"), None), "it asks anew")


def test_a_timer(house):
    environment(house, "timer", "production", wait="1s")
    secret(house, "ci.timer.production", KEY="value-of-production")
    commit = push(house, "timer")
    ended = run_of(house, commit, "Succeeded")
    check(job(ended, "deploy").get("phase") == "Succeeded", ended["status"])


def test_waiting_runs_hold_nobody_up(house):
    """More of them than runs that may run at once."""
    environment(house, "many", "production", reviewers={"users": ["ada"]})
    commits = []
    for number in range(6):
        repository = house.git("many")
        repository.write(".github/workflows/deploy.yml", DEPLOY)
        repository.write("number", str(number))
        commits.append(repository.commit(f"{number}"))
        repository.push(f"HEAD:refs/heads/b{number}")
    for commit in commits:
        run_of(house, commit, "Waiting")
    run_of(house, push(house, "free", "on: push\njobs: {a: {runs-on: x, steps: [{run: echo}]}}\n"), "Succeeded")
    done = house.cli("cancel", run_of(house, commits[0], "Waiting")["metadata"]["name"], "--as", "bob")
    check(done.returncode == 0, done.all)
    check(run_of(house, commits[0], "Cancelled")["status"]["message"] == "cancelled by bob", "who cancelled it")


def test_manual_jobs(house):
    commit = push(house, "lab", GITLAB, ".gitlab-ci.yml")
    waiting = run_of(house, commit, "Waiting")
    name = waiting["metadata"]["name"]
    check({j["key"]: j["phase"] for j in waiting["status"]["jobs"]} == {"build": "Succeeded", "free": "Manual", "held": "Manual", "last": "Pending"}, waiting["status"]["jobs"])
    one_error(house.cli("runs", "start", name, "last"), 1, "no job last that waits to be started; there are: free, held")
    done = house.cli("runs", "start", name, "held")
    check(done.returncode == 0, done.all)
    ended = run_of(house, commit, "Succeeded")
    check({j["key"]: j["phase"] for j in ended["status"]["jobs"]} == {"build": "Succeeded", "free": "Manual", "held": "Succeeded", "last": "Succeeded"}, ended["status"]["jobs"])
    # One that was left out can still be started when all is over.
    done = house.cli("runs", "start", name, "free")
    check(done.returncode == 0, done.all)
    until_job(house, name, "free", "Succeeded")
    run_of(house, commit, "Succeeded")
    check("freely" in house.http("GET", f"/logs/{name}/free")[1], "its log")


def test_secrets_of_others(house):
    """A repository whose name looks like another's environment gets none of its secrets."""
    secret(house, "ci.a.b", KEY="not-for-a-b")
    commit = push(house, "a-b", 'on: push\njobs: {j: {runs-on: x, environment: c, steps: [{run: \'test -z "$KEY"\', env: {KEY: "${{ secrets.KEY }}"}}]}}\n')
    run_of(house, commit, "Succeeded")


harness.main(globals())
