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
        try:
            gone(self.house)  # those of the test before, which a real node takes its time for
        except BaseException:
            self.house.close()
            raise
        return self.house

    def __exit__(self, kind, *_):
        if kind and kind is not harness.Skipped:
            print(kubectl(self.house, "get", "pods", "-n", "slipway-jobs", "-o", "wide", check_it=False).all, kubectl(self.house, "describe", "pods", "-n", "slipway-jobs", check_it=False).all[-3000:], self.house.log_end(40))
        self.house.close()


def pods(house):
    return json.loads(kubectl(house, "get", "pods", "-n", "slipway-jobs", "-o", "json").stdout)["items"]


def gone(house):
    harness.until(lambda: not pods(house), "the Pods are gone", 60 if REAL else 20)


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
        gone(house)
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
        running(house, commit, "begun")  # its log is there, as soon as the Pod has told again what was not kept
        [same] = pods(house)
        check(same["metadata"]["uid"] == pod["metadata"]["uid"], "the same Pod")
        # Once more, and cancelled at once: it may not have been found again yet, and does its last steps nevertheless.
        house.kill()
        house.start()
        done = house.cli("cancel", run["metadata"]["name"])
        check(done.returncode == 0, done.all)
        [run] = house.runs_of(commit, seconds=40)
        check(phase(run) == "Cancelled" and "cleaned up" in log(house, run, "j"), (run["status"], log(house, run, "j")))
        check(log(house, run, "j").count(" 1 begun") == 1, log(house, run, "j"))
        gone(house)


def test_what_cannot_start_says_why():
    with Pods() as house:
        house.kubectl("create", "configmap", "job-pods", "-n", "slipway-system", "--from-literal=settings.yaml=pullTimeout: 1s")
        commit = push(house, "bad", LONG.replace("    runs-on: x\n", "    runs-on: x\n    container: registry.slipway.local/none/such:1\n"))
        [run] = house.runs_of(commit, seconds=40)
        check(phase(run) == "Failed" and "none/such" in run["status"]["message"], run["status"])
        gone(house)


SERVED = """on: push
jobs:
  served:
    runs-on: x
    services:
      web:
        image: registry.slipway.local/base/busybox:1
        command: busybox httpd -f -p 8080 -h /etc
        ports: ["8080:8080"]
        options: --health-cmd "busybox wget -q -O /dev/null http://127.0.0.1:8080/passwd" --health-interval 1s --health-retries 30
    steps:
      - run: |
          wget -q -O - http://web:8080/passwd | grep root
          wget -q -O /dev/null http://127.0.0.1:${{ job.services.web.ports['8080'] }}/group
  keeps:
    runs-on: x
    steps:
      - uses: actions/cache@v4
        with: {path: kept, key: one}
      - run: mkdir kept && echo "of the cache" >kept/file
  has:
    needs: keeps
    runs-on: x
    steps:
      - uses: actions/cache/restore@v4
        id: cache
        with: {path: kept, key: one-more, restore-keys: on}
      - run: test "${{ steps.cache.outputs.cache-matched-key }}" = one && cat kept/file
  deep:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - uses: dorny/paths-filter@v3
        id: changes
        with: {filters: "word: ['word']"}
      - run: echo "changed ${{ steps.changes.outputs.word }}" && cat word
"""


def test_services_caches_and_history():
    with Pods() as house:
        commit = push(house, "served", SERVED)
        [run] = house.runs_of(commit, seconds=90)
        logs = {key: log(house, run, key) for key in jobs(run)}
        check(phase(run) == "Succeeded", json.dumps(run["status"])[:1500] + "\n".join(logs.values()))
        check("of the cache" in logs["has"] and "changed true" in logs["deep"] and "hello" in logs["deep"], logs)


TOOLS = """on: push
jobs:
  image:
    runs-on: x
    outputs: {digest: "${{ steps.build.outputs.digest }}"}
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        id: build
        with: {context: ., push: true, tags: "registry.slipway.local/shop/tool:1"}
      - uses: aquasecurity/trivy-action@master
        with: {image-ref: "registry.slipway.local/shop/tool:1"}
  run:
    needs: image
    runs-on: x
    container: registry.slipway.local/shop/tool:1
    steps:
      - run: cat /word
"""


def test_images_are_built_and_scanned_by_the_house():
    with Pods() as house:
        repository = house.git("tool")
        repository.write(".github/workflows/ci.yml", TOOLS)
        repository.write("word", "hello\n")
        repository.write("Dockerfile", f"FROM {IMAGE}\nCOPY word /word\nRUN cat /word\n")
        commit = repository.commit("Build it")
        repository.push("HEAD:main")
        [run] = house.runs_of(commit, seconds=90)
        logs = {key: log(house, run, key) for key in jobs(run)}
        check(phase(run) == "Succeeded", json.dumps(run["status"])[:1500] + "\n".join(logs.values()))
        check("hello" in logs["run"] and "packages" in logs["image"], logs)
        artifacts = [a for a in house.list("Artifact") if get_path(a, "spec", "image") == "shop/tool"]
        check(len(artifacts) == 1, artifacts)


SAME = """on: push
jobs:
  make:
    runs-on: x
    outputs: {word: "${{ steps.make.outputs.word }}", where: "${{ github.workspace }}"}
    strategy: {matrix: {n: [1, 2]}, fail-fast: false}
    steps:
      - uses: actions/checkout@v4
      - id: make
        run: |
          echo "word=$(cat word)" >>$GITHUB_OUTPUT
          echo "::warning file=word,line=1::odd word"
          mkdir out && cp word out/word && touch -t 202001010000 out/word && chmod 644 out/word
      - uses: actions/upload-artifact@v4
        with: {name: "made-${{ matrix.n }}", path: out}
      - if: matrix.n == 2
        run: exit 7
      - if: failure()
        run: echo "sorry, $GITHUB_JOB"
  after:
    needs: make
    if: ${{ !cancelled() }}
    runs-on: x
    steps:
      - run: echo "it was ${{ needs.make.result }}"
  never:
    needs: make
    runs-on: x
    steps: [{run: echo}]
"""


def outcome(run):
    """What does not depend on where it ran."""
    out = {}
    for job in run["status"]["jobs"]:
        result = job.get("result") or {}
        out[job["key"]] = {
            "phase": job["phase"], "message": job["message"], "outputs": result.get("outputs"), "code": result.get("exitCode"),
            "steps": [(s["name"], s["outcome"], s["conclusion"], s.get("outputs", {}).get("artifact-digest")) for s in result.get("steps", [])],
            "artifacts": [(a["name"], a["digest"], a["bytes"]) for a in result.get("artifacts", [])],
            "annotations": [(a["level"], a["message"], a.get("file"), a.get("line")) for a in result.get("annotations", [])]}
    return out


def test_the_same_comes_out_as_here():
    with Pods() as house:
        commit = push(house, "same", SAME)
        [run] = house.runs_of(commit, seconds=60)
        there = outcome(run)
    with House() as house:
        commit = push(house, "same", SAME)
        [run] = house.runs_of(commit, seconds=60)
        here = outcome(run)
    check(there == here, json.dumps({"pods": there, "here": here}, indent=1))
    check(there["make (1)"]["artifacts"] and there["make (2)"]["code"] == 7, there)


ACTION = """on: push
jobs:
  j:
    runs-on: x
    container: registry.slipway.local/base/node:1
    steps:
      - uses: actions/checkout@v4
      - uses: ./say
        id: say
        with: {what: a word}
      - run: test "${{ steps.say.outputs.said }}" = "a word, posted"
"""
SAY = """const fs = require('fs');
const url = process.env.ACTIONS_RESULTS_URL + 'twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts';
fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json', Authorization: 'Bearer ' + process.env.ACTIONS_RUNTIME_TOKEN},
            body: JSON.stringify({workflow_run_backend_id: 'x', workflow_job_run_backend_id: 'y'})}).then(async answer => {
  console.log('services answer ' + (answer.status < 500) + ' ' + answer.status);
  fs.appendFileSync(process.env.GITHUB_OUTPUT, 'said=' + process.env.INPUT_WHAT + ', posted' + require('os').EOL);
});
"""


def test_an_action_in_javascript():
    harness.need("node")
    with Pods() as house:
        layer, config = harness.bases.node()
        harness.bases.push(house.url, harness.basic("admin", house.token), "base/node", "1", layer, config)
        repository = house.git("js")
        repository.write(".github/workflows/ci.yml", ACTION)
        repository.write("say/action.yml", "name: say\ninputs: {what: {default: x}}\nruns: {using: node20, main: main.js}\n")
        repository.write("say/main.js", SAY)
        commit = repository.commit("Say it")
        repository.push("HEAD:main")
        [run] = house.runs_of(commit, seconds=90)
        check(phase(run) == "Succeeded" and "services answer true" in log(house, run, "j"), json.dumps(run["status"])[:1500] + log(house, run, "j"))


def test_a_pod_that_others_take_away():
    with Pods() as house:
        commit = push(house, "taken", LONG)
        running(house, commit, "begun")
        [pod] = pods(house)
        kubectl(house, "delete", "pod", "-n", "slipway-jobs", pod["metadata"]["name"], "--wait=false")
        [run] = house.runs_of(commit, seconds=40)
        check(phase(run) == "Failed" and "deleted by somebody else" in run["status"]["message"], run["status"])
        check("cleaned up" in log(house, run, "j"), log(house, run, "j"))
        gone(house)


def test_what_no_node_takes_ends():
    with Pods() as house:
        house.kubectl("create", "configmap", "job-pods", "-n", "slipway-system", "--from-literal=settings.yaml=pendingTimeout: 2s\nnodeSelector: {made: of cheese}\n")
        commit = push(house, "cheese", LONG.replace("of cheese", "of-cheese"))
        [run] = house.runs_of(commit, seconds=40)
        check(phase(run) == "Failed", run["status"])
        house.kubectl("delete", "configmap", "job-pods", "-n", "slipway-system")
        house.kubectl("create", "configmap", "job-pods", "-n", "slipway-system", "--from-literal=settings.yaml=pendingTimeout: 2s\nnodeSelector: {made: of-cheese}\n")
        done = house.cli("rerun", run["metadata"]["name"])
        check(done.returncode == 0, done.all)
        def again(runs):
            found = [r for r in runs if r["metadata"]["name"] == run["metadata"]["name"] and phase(r) == "Failed" and "did not start within 2s" in (r["status"].get("message") or "")]
            return found[0] if found else None
        house.wait("WorkflowRun", again, "the second attempt", seconds=40)
        gone(house)


def test_nobody_else_asks_for_a_job():
    with Pods() as house:
        commit = push(house, "alone", LONG)
        running(house, commit, "begun")
        for path in ("hello", "artifacts", "events", "blobs/sha256:" + "0" * 64, "git/alone.git/info/refs?service=git-upload-pack"):
            for token in (False, True, "Bearer " + "0" * 64):
                status, text = house.http("POST" if path == "hello" else "GET", "/agent/v1/" + path, token=token)
                check(status == 401, (path, token, status, text))
        # The word in the Pod's Secret was spent, and its Secret is gone while the job runs.
        secrets = [s for s in json.loads(kubectl(house, "get", "secrets", "-n", "slipway-jobs", "-o", "json").stdout)["items"] if s["type"] == "Opaque"]
        check(not secrets, secrets)
        check(house.cli("cancel", house.list("WorkflowRun")[0]["metadata"]["name"]).returncode == 0, "cancel")
        house.runs_of(commit, seconds=40)


harness.main(globals())
