"""JavaScript actions as others write them, with GitHub's own packages and real node: caches, artifacts, identity, state."""
import os
import shutil
import subprocess

import harness
from harness import House, check, get_path, need, need_root, phase, skip

JS = os.path.join(harness.HERE, "js")
MODULES = os.environ.get("SLIPWAY_E2E_JS", JS)
ACTION = """name: probe
inputs:
  parts: {default: ''}
  key: {default: none}
outputs: {said: {description: x}}
runs: {using: node20, pre: pre.js, main: main.js, post: post.js}
"""


def packages():
    need("node", "zstd", "tar")
    if not os.path.isdir(os.path.join(MODULES, "node_modules/@actions/cache")):
        skip("npm packages are not installed: SLIPWAY_TEST_TOOLS=1 script/setup none")


def probe():
    with open(os.path.join(JS, "probe.js")) as file:
        return file.read()


def action_files(where=""):
    return [(where + "action.yml", ACTION)] + [(where + name, probe()) for name in ("pre.js", "main.js", "post.js")]


def push(house, repository, files, tag=None):
    copy = house.git(repository)
    for path, text in files:
        copy.write(path, text)
    commit = copy.commit("A change")
    copy.push("HEAD:main", *([f"HEAD:refs/tags/{tag}"] if tag else []))
    return commit


def ran(house, repository, workflow, files=()):
    commit = push(house, repository, [(".github/workflows/ci.yml", workflow), *files])
    run = house.runs_of(commit, seconds=60)[0]
    of = {j["key"]: j for j in run["status"].get("jobs", [])}
    logs = {key: house.http("GET", f"/logs/{run['metadata']['name']}/{key}")[1] for key in of}
    return run, of, logs


WORKFLOW = """on: push
permissions: {contents: read, id-token: write}
env: {MODULES: "%s"}
jobs:
  use:
    runs-on: x
    steps:
      - run: |
          mkdir -p here && echo of the built-in action >here/here.txt
          if env | grep ^ACTIONS_; then exit 1; fi
      - uses: actions/upload-artifact@v4
        with: {name: from-here, path: here}
      - uses: acme/probe@v1
        id: probe
        with: {parts: caches artifacts identity, key: key-one}
      - run: test "${{ steps.probe.outputs.said }}" = well
      - run: if env | grep ^ACTIONS_; then exit 1; fi
  after:
    runs-on: x
    needs: use
    permissions: {contents: read}
    steps:
      - uses: actions/download-artifact@v4
        with: {name: from-js, path: got}
      - run: test "$(cat got/small.txt)" = "of the action" && test "$(stat -c%%s got/below/big)" = 20971520
      - uses: actions/cache/restore@v4
        id: cache
        with: {path: "kept/deep\\nkept.txt", key: key-one}
      - run: test "${{ steps.cache.outputs.cache-hit }}" = true && test "$(cat kept.txt)" = "of the cache" && test -x kept.txt
      - uses: acme/probe@v1
        with: {parts: strangers, key: second}
"""


def test_the_packages_of_github(house):
    need_root()
    packages()
    push(house, "acme/probe", action_files(), tag="v1")
    run, of, logs = ran(house, "uses-js", WORKFLOW % MODULES)
    check(phase(run) == "Succeeded", f"{run['status']}\n" + "\n".join(logs.values()))
    for part in ("caches", "artifacts", "identity"):
        check(f"probe {part} good" in logs["use"], logs["use"])
    check("probe pre state= input=key-one" in logs["use"], logs["use"])
    check("probe main state=pre input=key-one" in logs["use"], logs["use"])
    check("probe post state=pre+main input=key-one" in logs["use"], logs["use"])
    order = [logs["use"].index(text) for text in ("probe pre", "Artifact from-here", "probe main", "probe post")]
    check(order == sorted(order), logs["use"])


if __name__ == "__main__":
    harness.main(globals())
