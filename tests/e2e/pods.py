"""Jobs as Pods: the same workflow in Pods of the embedded cluster, with the blob store over the network.

With SLIPWAY_E2E_KUBECONFIG in Pods of the cluster that it names; script/conformance brings a real one up, and says in
SLIPWAY_E2E_LISTEN, _URL and _REGISTRY where the house listens and how Pods and nodes reach it.
"""
import json
import os

import harness
from harness import House, check, get_path, need_root, phase

IMAGE = "registry.slipway.local/base/busybox:1"
WORKFLOW = """name: Pods
on: push
jobs:
  build:
    runs-on: x
    outputs: {made: "${{ steps.make.outputs.made }}"}
    strategy: {matrix: {n: [1, 2]}}
    steps:
      - uses: actions/checkout@v4
      - id: make
        run: |
          echo "made=$(cat word)-${{ matrix.n }}" >> $GITHUB_OUTPUT
          mkdir out && cat word > out/word-${{ matrix.n }}
          echo "the key is ${{ secrets.KEY }}"
      - uses: actions/upload-artifact@v4
        with: {name: "made-${{ matrix.n }}", path: out}
  use:
    needs: build
    runs-on: x
    container: registry.slipway.local/base/busybox:1
    steps:
      - uses: actions/download-artifact@v4
        with: {pattern: "made-*", merge-multiple: true}
      - run: cat word-1 word-2; echo "${{ needs.build.outputs.made }} in $(cat /etc/hostname)"
  fails:
    runs-on: x
    steps:
      - run: exit 3
      - if: always()
        run: echo cleaned up
"""
LONG = """on: push
jobs:
  j:
    runs-on: x
    steps:
      - run: echo begun; while true; do sleep 0.2; done
      - if: always()
        run: echo cleaned up
"""


REAL = os.environ.get("SLIPWAY_E2E_KUBECONFIG")


def start(*extra):
    need_root()
    house = House()
    house.extra = ["--jobs", "pods", "--pod-image", IMAGE, *extra]
    if REAL:
        of = {name: os.environ["SLIPWAY_E2E_" + name] for name in ("LISTEN", "URL", "REGISTRY")}
        house.extra += ["--jobs-kubeconfig", REAL, "--listen", of["LISTEN"], "--jobs-url", of["URL"], "--jobs-registry", of["REGISTRY"]]
    house.start()
    house.push_busybox()
    if REAL:
        push_pause(house)
    return house


def push_pause(house):
    """What a node's containerd keeps a Pod's namespaces with; its configuration names this registry."""
    layer, config = harness.bases.busybox()
    config = {**config, "Cmd": None, "Entrypoint": ["/bin/busybox", "sleep", "2147483647"]}
    harness.bases.push(house.url, harness.basic("admin", house.token), "pause", "1", layer, config)


def kubectl(house, *argv, **more):
    """Of the cluster that jobs run in."""
    if not REAL:
        return house.kubectl(*argv, **more)
    result = harness.run("kubectl", "--kubeconfig", REAL, *argv, env={**harness.ENV, "HOME": house.root})
    check(result.returncode == 0 or not more.get("check_it", True), result.all)
    return result


def push(house, name, workflow):
    repository = house.git(name)
    repository.write(".github/workflows/ci.yml", workflow)
    repository.write("word", "hello\n")
    commit = repository.commit("Run it")
    repository.push("HEAD:main")
    return commit


def jobs(run):
    return {job["key"]: job["phase"] for job in get_path(run, "status", "jobs") or []}


def log(house, run, job):
    return house.http("GET", f"/logs/{run['metadata']['name']}/{job.replace(' ', '%20')}")[1]


class Pods:
    """A house whose jobs are Pods; what they were is shown when something is wrong."""

    def __enter__(self):
        self.house = start()
        return self.house

    def __exit__(self, kind, *_):
        if kind and kind is not harness.Skipped:
            print(kubectl(self.house, "get", "pods", "-n", "slipway-jobs", "-o", "wide", check_it=False).all, kubectl(self.house, "describe", "pods", "-n", "slipway-jobs", check_it=False).all[-3000:], self.house.log_end(40))
        self.house.close()


def pods(house):
    return json.loads(kubectl(house, "get", "pods", "-n", "slipway-jobs", "-o", "json").stdout)["items"]


def running(house, commit, word):
    """The run, when its job has said the word."""
    def test(runs):
        run = next((r for r in runs if get_path(r, "spec", "change", "after") == commit and phase(r) == "Running"), None)
        return run if run and word in log(house, run, "j") else None
    return harness.until(lambda: test(house.list("WorkflowRun")), f"a job that says {word}")


def test_a_workflow_in_pods():
    with Pods() as house:
        house.kubectl("create", "secret", "generic", "ci-shop", "-n", "slipway-system", "--from-literal=KEY=hush-hush")
        commit = push(house, "shop", WORKFLOW)
        [run] = house.runs_of(commit, seconds=60)
        check(jobs(run) == {"build (1)": "Succeeded", "build (2)": "Succeeded", "use": "Succeeded", "fails": "Failed"}, json.dumps(run["status"])[:3000])
        told = log(house, run, "use")
        check("hello" in told and "hello-" in told, told)
        check("the key is ***" in log(house, run, "build (1)") and "hush" not in log(house, run, "build (1)"), log(house, run, "build (1)"))
        check("Runs in Pod slipway-jobs/" in told, told)
        check("cleaned up" in log(house, run, "fails"), log(house, run, "fails"))
        harness.until(lambda: not pods(house), "the Pods are gone")
        check(not [s for s in json.loads(kubectl(house, "get", "secrets", "-n", "slipway-jobs", "-o", "json").stdout)["items"] if s["type"] == "Opaque"], "and their Secrets")


def test_an_end_and_a_kill():
    with Pods() as house:
        commit = push(house, "long", LONG)
        run = running(house, commit, "begun")
        [pod] = pods(house)
        spec = pod["spec"]
        check(spec["automountServiceAccountToken"] is False and spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False, spec)
        # The Pod runs on while the house is away, and its job is not begun anew.
        house.kill()
        house.start()
        check(log(house, run, "j").count("begun") >= 1, "its log is there")
        [same] = pods(house)
        check(same["metadata"]["uid"] == pod["metadata"]["uid"], "the same Pod")
        done = house.cli("cancel", run["metadata"]["name"])
        check(done.returncode == 0, done.all)
        [run] = house.runs_of(commit, seconds=40)
        check(phase(run) == "Cancelled" and "cleaned up" in log(house, run, "j"), (run["status"], log(house, run, "j")))
        check(log(house, run, "j").count(" 1 begun") == 1, log(house, run, "j"))
        harness.until(lambda: not pods(house), "the Pod is gone")


def test_what_cannot_start_says_why():
    with Pods() as house:
        house.kubectl("create", "configmap", "job-pods", "-n", "slipway-system", "--from-literal=settings.yaml=pullTimeout: 1s")
        commit = push(house, "bad", LONG.replace("    runs-on: x\n", "    runs-on: x\n    container: registry.slipway.local/none/such:1\n"))
        [run] = house.runs_of(commit, seconds=40)
        check(phase(run) == "Failed" and "none/such" in run["status"]["message"], run["status"])
        harness.until(lambda: not pods(house), "the Pod is gone")


harness.main(globals())
