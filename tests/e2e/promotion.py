"""What is promoted, what is not, and who may say otherwise: always a commit."""
import json
import re

import harness
from harness import FINAL, HOME, House, check, get_path, phase, until

WORKFLOW = """on: {push: {branches: ['**'], tags: ['**']}}
jobs:
  image:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with: {context: ., push: true, tags: "acme/NAME:sha-${{ github.sha }}"}
"""
class World:
    def __init__(self, house, name, trunk="main", deployment="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}\n"):
        self.house, self.name, self.trunk = house, name, trunk
        self.config = house.git(f"{name}-config")
        self.config.write("dev/kustomization.yaml", f"resources: [app.yaml]\nimages:\n- name: acme/{name}\n  newTag: none\n")
        self.config.write("dev/app.yaml", deployment)
        self.config.commit("Environments")
        self.config.push("HEAD:main")
        pipeline = {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": name, "namespace": HOME},
                    "spec": {"repository": f"{name}-config", "services": [{"name": name, "image": f"acme/{name}", "repository": name}],
                             "environments": [{"name": "dev", "path": "dev", "namespace": "default", "application": f"{name}-dev"}]}}
        house.kubectl("apply", "-f", "-", input=json.dumps(pipeline))
        self.app = house.git(name)
        self.app.write(".github/workflows/ci.yml", WORKFLOW.replace("NAME", name))
        self.app.write("Dockerfile", "FROM scratch\nCOPY version /version\n")

    def commit(self, version):
        self.app.write("version", version + "\n")
        return self.app.commit("Version " + version)

    def land(self, version):
        """A pull request that is merged; gives the digest of what it builds."""
        commit = self.commit(version)
        self.app.push(f"HEAD:refs/for/{self.trunk}")
        self.house.wait("PullRequest", lambda prs: next((p for p in prs if get_path(p, "spec", "head") == commit and get_path(p, "status", "checksState") == "Succeeded"), None), "the checks")
        number = max(p["spec"]["number"] for p in self.house.list("PullRequest", HOME) if p["spec"]["repository"] == self.name)
        self.house.command("pr", "merge", f"{self.name}#{number}")
        self.house.wait("PullRequest", lambda prs: next((p for p in prs if get_path(p, "spec", "head") == commit and get_path(p, "status", "state") == "merged"), None), "the merge")
        self.app.git("fetch", "-q", "origin", self.trunk)
        self.app.git("reset", "-q", "--hard", "FETCH_HEAD")
        return self.built(self.app.git("rev-parse", "HEAD").stdout.strip())

    def built(self, commit):
        run = self.house.wait("WorkflowRun", lambda runs: next((r for r in runs if get_path(r, "spec", "change", "after") == commit and get_path(r, "spec", "change", "event") != "pull_request" and phase(r) in FINAL), None), f"the run of {commit[:12]}")
        check(phase(run) == "Succeeded", run["status"])
        return self.house.get("Artifact", run["status"]["artifacts"][0], HOME)["spec"]["digest"]

    def in_git(self):
        self.config.git("fetch", "-q", "origin", "main")
        found = re.search(r"sha256:[0-9a-f]{64}", self.config.git("show", "FETCH_HEAD:dev/kustomization.yaml").stdout)
        return found and found.group(0)

    def held(self):
        return [r["spec"]["digest"] for r in self.house.list("Release", HOME) if r["spec"]["service"] == self.name and get_path(r, "status", "current")]

    def promotions(self):
        return [p for p in self.house.list("Promotion", HOME) if p["spec"]["service"] == self.name]

    def until_held(self, digest, what):
        until(lambda: self.in_git() == digest and self.held() == [digest], what)


def test_only_what_is_on_the_default_branch_is_promoted(house: House):
    world = World(house, "branches", "trunk")
    first = world.commit("1")
    world.app.push("HEAD:trunk")
    one = world.built(first)
    world.until_held(one, "the first push, to a default branch that is not called main")
    topic = world.commit("topic")
    world.app.push("HEAD:refs/heads/topic")
    aside = world.built(topic)
    world.app.push(f"{topic}:refs/tags/v0-topic")
    world.built(topic)
    world.app.git("reset", "-q", "--hard", first)
    two = world.land("2")
    world.until_held(two, "what was merged")
    promoted = {p["spec"]["artifact"]["digest"] for p in world.promotions()}
    check(promoted == {one, two} and aside not in promoted, promoted)


def test_bytes_that_come_back_are_promoted_again(house: House):
    world = World(house, "back")
    one = world.built(push(world, "1"))
    world.until_held(one, "the first version")
    two = world.land("2")
    world.until_held(two, "the second version")
    check(world.land("1") == one, "the same bytes")
    world.until_held(one, "the first version again")
    check([phase(p) for p in world.promotions()].count("Running") == 1, world.promotions())


def test_people_go_back_by_a_commit_of_their_own(house: House):
    world = World(house, "people")
    one = world.built(push(world, "1"))
    world.until_held(one, "the first version")
    two = world.land("2")
    world.until_held(two, "the second version")
    world.config.git("reset", "-q", "--hard", "FETCH_HEAD")
    world.config.git("revert", "--no-edit", "HEAD")
    world.config.push("HEAD:main")
    world.until_held(one, "what the person went back to")
    three = world.land("3")
    world.until_held(three, "something newer")
    digests = [p["spec"]["artifact"]["digest"] for p in world.promotions()]
    check(sorted(digests) == sorted([one, two, three]), "nobody knew better than the person: " + str(digests))


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: rolled}
spec:
  replicas: 0
  selector: {matchLabels: {app: rolled}}
  template:
    metadata: {labels: {app: rolled}}
    spec: {containers: [{name: rolled, image: acme/rolled}]}
"""


def test_rollback_goes_to_the_version_before(house: House):
    world = World(house, "rolled", deployment=DEPLOYMENT)
    one = world.built(push(world, "1"))
    world.until_held(one, "the first version")
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "rolled-dev", "namespace": "argocd"},
        "spec": {"project": "default", "source": {"repoURL": "http://slipway/git/rolled-config.git", "targetRevision": "main", "path": "dev"},
                 "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}, "syncPolicy": {"automated": {}}}}))
    deployed(house, 1)
    nothing = house.cli("app", "rollback", "rolled-dev")
    check(nothing.returncode != 0 and "nothing else was deployed before" in nothing.stderr, nothing.all)
    two = world.land("2")
    world.until_held(two, "the second version")
    deployed(house, 2)
    missing = house.cli("app", "rollback", "rolled-dev", "99")
    check(missing.returncode != 0 and "its history has no 99" in missing.stderr, missing.all)
    house.command("app", "rollback", "rolled-dev", "--wait")
    world.until_held(one, "the version before")


def test_a_sync_that_fails_takes_the_promotion_back(house: House):
    """What cannot be applied is told, and when its retries are spent the commit is reverted and people hear of it."""
    world = World(house, "broken", deployment=DEPLOYMENT.replace("rolled", "broken") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: lost, namespace: nowhere}\n")
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "broken-dev", "namespace": "argocd"},
        "spec": {"project": "default", "source": {"repoURL": "http://slipway/git/broken-config.git", "targetRevision": "main", "path": "dev"},
                 "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}, "syncPolicy": {"automated": {}, "retry": {"limit": 1, "backoff": {"duration": "200ms"}}}}}))
    digest = world.built(push(world, "1"))
    failed = house.wait("Promotion", lambda ps: next((p for p in ps if get_path(p, "spec", "service") == "broken" and phase(p) == "Failed"), None), "its failure")
    check("Application broken-dev: sync failed" in failed["status"]["message"] and "nowhere" in failed["status"]["message"], failed["status"])
    until(lambda: world.in_git() != digest, "the commit that takes it back")
    house.wait("Notice", lambda ns: next((n for n in ns if n["spec"]["event"] == "rollout.aborted" and "broken" in n["spec"]["title"]), None), "its notice")


def test_what_was_missing_is_tried_again_when_it_is_pushed(house: House):
    """The environment's folder comes later, in a configuration repository whose branch is called master."""
    pipeline = {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": "late", "namespace": HOME},
                "spec": {"repository": "late-config", "services": [{"name": "late", "image": "acme/late", "repository": "late"}],
                         "environments": [{"name": "dev", "path": "dev", "namespace": "default"}]}}
    house.kubectl("apply", "-f", "-", input=json.dumps(pipeline))
    digest = "sha256:" + "1a" * 32
    house.kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "slipway.dev/v1", "kind": "Artifact", "metadata": {"name": "late-1", "namespace": HOME},
        "spec": {"service": "late", "image": "acme/late", "digest": digest, "tags": ["v1"], "repository": "late", "commit": "c" * 40, "run": "x"}}))
    house.patch("Artifact", "late-1", {"status": {"phase": "Succeeded", "passedAt": "2026-01-01T00:00:00.000000Z"}}, subresource="status")

    def promotion(what, *words):
        return house.wait("Promotion", lambda ps: next((p for p in ps if p["spec"]["service"] == "late" and phase(p) == what and all(w in get_path(p, "status", "message") for w in words)), None), f"{what} {words}")
    promotion("Failed", "no such repository")
    config = house.git("late-config")
    config.write("readme", "Nothing yet\n")
    config.commit("A beginning")
    config.push("HEAD:master")
    config.write("dev/kustomization.yaml", "resources: []\nimages:\n- name: acme/late\n  newTag: none\n")
    config.commit("Environments")
    config.push("HEAD:master")
    promotion("Running")
    config.git("fetch", "-q", "origin", "master")
    check(digest in config.git("show", "FETCH_HEAD:dev/kustomization.yaml").stdout, "it is there")


def deployed(house, times):
    house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "rolled-dev" and len(get_path(a, "status", "history") or []) >= times), None), f"{times} in its history", "argocd")


def push(world, version):
    commit = world.commit(version)
    world.app.push(f"HEAD:{world.trunk}")
    return commit


if __name__ == "__main__":
    harness.main(globals())
