"""kill -9 at random moments, twenty times, while people push, runs run, pull requests land and images are promoted:
nothing that was acknowledged is lost, and every start goes on where the last one ended."""
import json
import os
import random
import threading
import time
import urllib.error

import harness
from harness import FINAL, HOME, Failed, House, check, get_path, phase, until

WORKFLOW = """on:
  push:
  pull_request:
jobs:
  first:
    runs-on: x
    steps:
      - run: echo one
  second:
    needs: first
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - run: sleep 0.1; cat version
  image:
    needs: second
    if: github.ref == 'refs/heads/main'
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with: {context: ., push: true, tags: "acme/app:sha-${{ github.sha }}"}
"""
PIPELINE = {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": "app", "namespace": HOME},
            "spec": {"repository": "config", "services": [{"name": "app", "image": "acme/app", "repository": "app"}],
                     "environments": [{"name": "dev", "path": "dev", "namespace": "default"}]}}


class World:
    """What was acknowledged, and must be there for ever."""

    def __init__(self, house, seed):
        self.house, self.random = house, random.Random(seed)
        self.objects, self.commits, self.results, self.merged = set(), {}, {}, {}
        self.number = 0
        config = house.git("config")
        config.write("dev/kustomization.yaml", "resources: [app.yaml]\nimages:\n- name: acme/app\n  newTag: none\n")
        config.write("dev/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}\n")
        config.commit("Environments")
        config.push("HEAD:main")
        self.config = config
        house.kubectl("apply", "-f", "-", input=json.dumps(PIPELINE))
        self.app = house.git("app")
        self.app.write(".github/workflows/ci.yml", WORKFLOW)
        self.app.write("Dockerfile", "FROM scratch\nCOPY version /version\n")
        self.change("0")
        self.app.push("HEAD:main")

    def change(self, version):
        self.app.write("version", version + "\n")
        return self.app.commit("Version " + version)

    def push(self):
        self.number += 1
        commit = self.change(f"{self.number}")
        ref = f"refs/heads/b{self.number}"
        if self.app.push(f"HEAD:{ref}", check=False).returncode == 0:
            self.commits[ref] = commit

    def write(self):
        self.number += 1
        name = f"object-{self.number}"
        try:
            self.house._open("POST", self.house._url("ConfigMap", "default"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(self.number)}}, timeout=3).close()
            self.objects.add(name)
        except (OSError, ValueError):
            pass

    def land(self):
        """A pull request, asked to be merged."""
        self.number += 1
        if self.app.git("fetch", "-q", "origin", "main", check=False).returncode != 0:
            return
        self.app.git("checkout", "-q", "--detach", "origin/main")
        commit = self.change(f"{self.number}")
        pushed = self.app.push("HEAD:refs/for/main", check=False)
        if pushed.returncode != 0:
            return
        number = int(pushed.stderr.split("pull request ")[1].split()[0]) if "pull request " in pushed.stderr else None
        if number is None:
            return
        try:
            self.house.patch("PullRequest", f"app-{number}", {"spec": {"merge": {"by": "ada"}}})
            self.merged[number] = commit
        except (OSError, ValueError):
            pass

    def work(self, stop):
        while not stop.is_set():
            self.random.choice((self.write, self.write, self.push, self.land))()

    def remember(self):
        for run in self.house.list("WorkflowRun"):
            if phase(run) in FINAL:
                self.results[run["metadata"]["name"]] = (phase(run), get_path(run, "status", "finishedAt"))

    def verify(self):
        names = {o["metadata"]["name"] for o in self.house.list("ConfigMap", "default")}
        check(self.objects <= names, f"objects are lost: {self.objects - names}")
        refs = dict(reversed(line.split("\t")) for line in self.app.git("ls-remote", "origin").stdout.splitlines())
        for ref, commit in self.commits.items():
            check(refs.get(ref) == commit, f"the push of {ref} is lost: {refs.get(ref)}, want {commit}")
        runs = {r["metadata"]["name"]: (phase(r), get_path(r, "status", "finishedAt")) for r in self.house.list("WorkflowRun")}
        for name, result in self.results.items():
            check(runs.get(name) == result, f"the result of {name} is lost: {runs.get(name)}, was {result}")


def test_kill():
    harness.need_root()
    seed = int(os.environ.get("SLIPWAY_SEED") or random.SystemRandom().randrange(1 << 31))
    print(f"seed {seed} (SLIPWAY_SEED repeats it)")
    kills = int(os.environ.get("SLIPWAY_KILLS") or 20)
    house = House()
    with house:
        world = World(house, seed)
        for _ in range(kills):
            stop = threading.Event()
            worker = threading.Thread(target=world.work, args=(stop,))
            worker.start()
            moment = time.monotonic() + world.random.uniform(0.02, 0.7)
            while time.monotonic() < moment:
                world.remember()
            house.kill()
            stop.set()
            worker.join()
            house.start()
            world.verify()
        for number, commit in world.merged.items():
            house.wait("PullRequest", lambda ps: next((p for p in ps if p["spec"]["number"] == number and (get_path(p, "status", "state") == "merged" or get_path(p, "status", "mergeable") is False)), None), f"pull request {number} lands", seconds=20)
        for ref, commit in world.commits.items():
            runs = house.runs_of(commit)
            check([phase(r) for r in runs] == ["Succeeded"], f"the run of {ref}: {[(phase(r), r['status'].get('message')) for r in runs]}")
        world.verify()
        main = world.app.git("ls-remote", "origin", "refs/heads/main").stdout.split()[0]
        house.runs_of(main)
        promoted(house, world, main)
        print(f"{kills} kills: {len(world.objects)} objects, {len(world.commits)} pushes, {len(world.merged)} pull requests, {len(house.list('Promotion'))} promotions, {len(house.list('WorkflowRun'))} runs")


def promoted(house, world, main):
    """The image of the newest commit is in the configuration, and every promotion that says so is a commit there."""
    artifact = house.wait("Artifact", lambda found: next((a for a in found if a["spec"]["commit"] == main and phase(a) == "Succeeded"), None), "the newest image")
    house.wait("Promotion", lambda ps: all(phase(p) not in ("Pending",) for p in ps) and any(p["spec"]["artifact"]["digest"] == artifact["spec"]["digest"] for p in ps), "the newest promotion")
    world.config.update()
    check(artifact["spec"]["digest"] in world.config.read("dev/kustomization.yaml"), "the newest image is what the configuration names: " + world.config.read("dev/kustomization.yaml"))
    for promotion in house.list("Promotion"):
        commit = get_path(promotion, "status", "commit")
        check(phase(promotion) != "Failed", promotion["status"])
        if commit:
            check(world.config.git("merge-base", "--is-ancestor", commit, "origin/main", check=False).returncode == 0, f"{promotion['metadata']['name']}: its commit {commit} is not in the configuration")


harness.main(globals())
