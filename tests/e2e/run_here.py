"""`slipway run` at a desk: what it knows of the tree, what it answers from the cache, how a failed job goes on."""
import json
import os
import pty
import select
import subprocess

import harness
from harness import ENV, PROGRAM, check, folder, need_root, slipway, write


def repository(workflow, **files):
    root = folder()
    git = lambda *words: subprocess.run(["git", "-C", root, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words], check=True, capture_output=True, env=ENV)
    write(root, ".github/workflows/ci.yml", workflow)
    for name, text in files.items():
        write(root, name.replace("__", "/").replace("_txt", ".txt"), text)
    git("init", "-q", "-b", "trunk", ".")
    git("remote", "add", "origin", "git@example.com:team/shop.git")
    git("add", ".")
    git("commit", "-qm", "First")
    return root, subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], check=True, capture_output=True, text=True, env=ENV).stdout.strip()


def said(result, job=None):
    """What steps said, a list of lines."""
    lines = [line.split(" | ", 1) for line in result.stdout.splitlines() if " | " in line]
    return [text for name, text in lines if (job is None or name == job) and not text.startswith(("##[", "Runs ", "Checked ", "Goes on ", "1 files "))]


def test_knows_the_tree():
    need_root()
    root, commit = repository("""on: [push, workflow_dispatch]
jobs:
  a:
    runs-on: x
    steps:
      - run: |
          echo $GITHUB_SHA $GITHUB_REF $GITHUB_REPOSITORY $GITHUB_ACTOR $GITHUB_EVENT_NAME
          echo ${{ github.event.head_commit.message }} ${{ vars.PLACE }} ${{ secrets.KEY == 'hush' }} ${{ secrets.OTHER }}
""")
    write(root, "secrets.env", "# mine\nKEY=\"hush\"\nexport OTHER=x-y-z\n")
    data = folder()
    result = slipway("run", "-C", root, "--data", data, "--secret-file", os.path.join(root, "secrets.env"), "--var", "PLACE=here")
    check(result.returncode == 0, result.all)
    check(said(result) == [f"{commit} refs/heads/trunk team/shop Ada push", "First here true ***"], result.stdout)


def test_payloads_and_inputs():
    need_root()
    root, _ = repository("""on:
  pull_request:
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [low, high], default: low}
      count: {type: number, required: true}
jobs:
  a:
    runs-on: x
    steps:
      - run: echo ${{ github.event_name }} ${{ github.head_ref }} ${{ github.event.pull_request.number }} ${{ inputs.level }} ${{ inputs.count }}
""")
    data = folder()
    write(root, "event.json", json.dumps({"action": "opened", "number": 7, "pull_request": {"number": 7, "title": "T", "head": {"ref": "topic", "sha": "a" * 40}, "base": {"ref": "main", "sha": "b" * 40}}}))
    result = slipway("run", "-C", root, "--data", data, "--event", "pull_request", "--event-file", os.path.join(root, "event.json"))
    check(said(result) == ["pull_request topic 7"], result.all)
    result = slipway("run", "-C", root, "--data", data, "--input", "count=3", "--input", "level=high")
    check(said(result) == ["workflow_dispatch high 3"], result.all)
    for words, exit_code, told in ((["--input", "level=high"], 2, "input 'count'"), (["--input", "lvel=high", "--input", "count=1"], 2, "did you mean 'level'?"),
                                   (["--matrix", "os"], 2, "want KEY:VALUE"), (["--secret", "NOT_THERE_AT_ALL"], 2, "is not in the environment"),
                                   (["--resume"], 1, "nothing to go on with")):
        result = slipway("run", "-C", root, "--data", folder(), *words)
        check(result.returncode == exit_code and told in result.stderr, f"{words}: {result.returncode} {result.all}")


MONOREPO = """on: push
jobs:
  web: {runs-on: x, steps: [{uses: actions/checkout@v4}, {run: 'cat web/*.txt'}]}
  api: {runs-on: x, steps: [{uses: actions/checkout@v4}, {run: 'cat api/*.txt'}]}
  all: {runs-on: x, needs: [web, api], steps: [{run: echo done}]}
"""


def test_only_what_is_affected():
    need_root()
    root, _ = repository(MONOREPO, web__a_txt="web\n", api__a_txt="api\n")
    data = folder()

    def affected(*words):
        result = slipway("run", "-C", root, "--data", data, "--affected", "--output", "json", *words)
        check(result.returncode == 0, result.all)
        return json.loads(result.stdout)

    ran = lambda told: sorted(job["key"] for job in told["jobs"] if not job.get("fromCache"))
    check(ran(affected()) == ["all", "api", "web"], "the first time everything runs")
    check(ran(affected()) == [], "nothing has changed")
    write(root, "web/a.txt", "web 2\n")
    told = affected("--plan")["foretold"]
    why = {job["key"]: job["why"] for job in told if job["runs"]}
    check(why == {"web": "web/a.txt has changed"}, told)
    check(ran(affected()) == ["web"], "only what read it")
    write(root, "api/new.txt", "more\n")
    check(ran(affected()) == ["api"], "a folder that was listed holds more")
    text = slipway("run", "-C", root, "--data", data, "--affected", "--plan").stdout
    check("web   answered" in text, text)


def test_goes_on_where_it_failed():
    need_root()
    root, _ = repository("""on: push
jobs:
  first: {runs-on: x, steps: [{run: echo first}]}
  test:
    needs: first
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - run: echo built > built
      - name: Check
        run: cat built && grep good state.txt
""", state_txt="bad\n")
    data = folder()
    result = slipway("run", "-C", root, "--data", data)
    check(result.returncode == 1 and "--resume` goes on at 'Check'" in result.stderr, result.all)
    check(shell(["run", "-C", root, "--data", data, "--shell", "test"], "cat state.txt; echo looked > seen; exit 5\n") == (5, True), "a shell opens")
    write(root, "state.txt", "good\n")
    result = slipway("run", "-C", root, "--data", data, "--resume")
    check(result.returncode == 0, result.all)
    check(said(result) == ["built", "good"], result.stdout)
    check("the 2 before it are not run again" in result.stdout and "1 files of the source" in result.stdout, result.stdout)
    left = [name for name in os.listdir(os.path.join(data, "run")) if name.startswith("work-")]
    check(left == [] and os.listdir(os.path.join(data, "run/kept")) is not None, left)


def test_a_cluster_of_its_own():
    """helm/kind-action: an image that the job built runs in a cluster that goes with the job."""
    need_root()
    harness.need("kubectl")
    root, _ = repository("""on: push
jobs:
  a:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - uses: helm/kind-action@v1
        with: {cluster_name: try}
      - run: |
          kubectl config current-context
          kubectl create namespace shop
          kubectl get nodes -o name
          kind get clusters
          kubectl -n shop run web --image=busybox --restart=Never -- true 2>&1 | tail -1
          ip -br link | grep -c slpk
      - uses: helm/kind-action@v1
        with: {cluster_name: other}
      - run: kubectl config get-contexts -o name; kubectl get ns shop 2>&1 | grep -c NotFound
""")
    data = folder()
    result = slipway("run", "-C", root, "--data", data)
    check(result.returncode == 0, result.all)
    lines = said(result)
    for wanted in ("kind-try", "namespace/shop created", "node/slipway", "try", "pod/web created", "kind-other", "1"):
        check(wanted in lines, f"{wanted} is not in {lines}")
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True).stdout
    check("slpk" not in links, links)


def shell(words, typed):
    """Exit status, and whether the terminal showed what the file holds."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=ENV, start_new_session=True)
    os.close(theirs)
    shown = b""
    sent = False
    while True:
        ready, _, _ = select.select([ours], [], [], 20)
        if not ready:
            process.kill()
            harness.check(False, f"the shell says nothing: {shown!r}")
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if not sent and b"$ " in shown:
            os.write(ours, typed.encode())
            sent = True
    os.close(ours)
    return process.wait(), b"bad" in shown


harness.main(globals())
