"""JavaScript actions as others write them, with GitHub's own packages and real node: caches, artifacts, identity, state."""
import os

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


def push(house, repository, files, *refs):
    copy = house.git(repository)
    for path, text in files:
        copy.write(path, text)
    commit = copy.commit("A change")
    copy.push(*(f"HEAD:{ref}" for ref in refs or ("main",)))
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
        with: {parts: caches old artifacts identity, key: key-one}
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
      - uses: actions/cache/restore@v4
        with: {path: elder, key: key-one-old, fail-on-cache-miss: true}
      - run: test "${{ steps.cache.outputs.cache-hit }}" = true && test "$(cat kept.txt)" = "of the cache" && test -x kept.txt
      - uses: acme/probe@v1
        with: {parts: strangers, key: second}
"""


def test_the_packages_of_github(house):
    need_root()
    packages()
    push(house, "acme/probe", action_files(), "refs/tags/v1")
    run, of, logs = ran(house, "uses-js", WORKFLOW % MODULES)
    check(phase(run) == "Succeeded", f"{run['status']}\n" + "\n".join(logs.values()))
    for part in ("caches", "old", "artifacts", "identity"):
        check(f"probe {part} good" in logs["use"], logs["use"])
    check("probe pre state= input=key-one" in logs["use"], logs["use"])
    check("probe main state=pre input=key-one" in logs["use"], logs["use"])
    check("probe post state=pre+main input=key-one" in logs["use"], logs["use"])
    listed = harness.slipway("cache", "ls", "--data", house.data, "--key", "key-one", "--output", "json")
    check(sorted(e["key"] for e in harness.json.loads(listed.stdout)) == ["key-one", "key-one-old"], listed.all)
    removed = harness.slipway("cache", "rm", "--data", house.data, "--repository", "local/uses-js")
    check(removed.returncode == 0 and "2 caches are removed" in removed.all, removed.all)
    check(harness.slipway("cache", "ls", "--data", house.data, "--repository", "local/uses-js", "--output", "json").stdout.strip() == "[]", "all are gone")
    order = [logs["use"].index(text) for text in ("probe pre", "Artifact from-here", "probe main", "probe post")]
    check(order == sorted(order), logs["use"])


def test_their_newest_versions(house):
    need_root()
    packages()
    push(house, "acme/probe", action_files(), "refs/tags/v2")
    text = (WORKFLOW % MODULES).replace("env: {", "env: {SUFFIX: -now, ").replace("probe@v1", "probe@v2").replace("parts: caches old artifacts", "parts: caches old artifacts raw")
    run, of, logs = ran(house, "uses-now", text)
    check(phase(run) == "Succeeded", f"{run['status']}\n" + "\n".join(logs.values()))
    check("probe raw good" in logs["use"] and "probe strangers good" in logs["after"], logs["use"])


SERVICES = """on: push
env: {MODULES: "%s"}
jobs:
  use:
    runs-on: x
    services:
      other: {image: "base/busybox:1"}
    steps:
      - uses: acme/probe@v3
        with: {parts: caches, key: key-apart}
"""


def test_a_job_with_a_network_of_its_own(house):
    need_root()
    packages()
    house.push_busybox()
    push(house, "acme/probe", action_files(), "refs/tags/v3")
    run, of, logs = ran(house, "apart", SERVICES % MODULES)
    check(phase(run) == "Succeeded" and "probe caches good" in logs["use"], f"{run['status']}\n" + "\n".join(logs.values()))


def runs(root, *more, data=None):
    """`slipway run` on a folder, with a data directory of its own."""
    return harness.slipway("run", "ci", "-C", root, "--data", data or os.path.join(harness.folder(), "data"), *more, timeout=60)


def mirror(root, repository, files, tag="v1"):
    """A folder of mirrors as people keep them: bare repositories by owner and name. Gives the commit."""
    work, bare = harness.folder(), os.path.join(root, repository + ".git")
    env = {**harness.ENV, **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "ada"), ("EMAIL", "ada@example.com"))}}
    for path, text in files:
        harness.write(work, path, text)
    if os.path.isdir(bare):
        harness.run("git", "-C", work, "init", "-q", "-b", "main", env=env)
        harness.run("git", "-C", work, "fetch", "-q", bare, "main", env=env)
        harness.run("git", "-C", work, "reset", "-q", "--soft", "FETCH_HEAD", env=env)
    else:
        harness.run("git", "init", "-q", "--bare", "-b", "main", bare, env=env)
        harness.run("git", "-C", work, "init", "-q", "-b", "main", env=env)
    for arguments in (("add", "-A"), ("commit", "-q", "-m", "x"), ("push", "-q", "-f", bare, "HEAD:main", f"HEAD:refs/tags/{tag}")):
        done = harness.run("git", "-C", work, *arguments, env=env)
        check(done.returncode == 0, done.all)
    return harness.run("git", "-C", work, "rev-parse", "HEAD", env=env).stdout.strip()


LOCAL = """on: push
env: {MODULES: "%s"}
jobs:
  use:
    runs-on: x
    steps:
      - run: mkdir -p kept here && echo saved >kept/file && echo of the built-in action >here/here.txt
      - uses: actions/upload-artifact@v4
        with: {name: from-here, path: here}
      - uses: acme/probe@v1
        with: {parts: artifacts caches, key: key-one}
"""


def test_run_by_hand(house):
    packages()
    mirrors, root = harness.folder(), harness.folder()
    mirror(mirrors, "acme/probe", action_files())
    harness.write(root, ".github/workflows/ci.yml", LOCAL % MODULES)
    refused = runs(root)
    check(refused.returncode == 1 and "acme/probe@v1 is neither built in nor mirrored here" in refused.all and "--actions" in refused.all, refused.all)
    for place in (mirrors, "file://" + mirrors + "/{owner}/{name}.git"):
        done = runs(root, "--actions", place)
        check(done.returncode == 0 and "probe artifacts good" in done.all and "probe caches good" in done.all, done.all)


SAYS = """name: says
inputs: {text: {default: ''}}
runs: {using: node20, main: main.js, post: post.js, post-if: failure()}
"""


def test_the_lock_file(house):
    need("node")
    mirrors, root, data = harness.folder(), harness.folder(), os.path.join(harness.folder(), "data")
    mirror(mirrors, "acme/says", [("action.yml", SAYS), ("main.js", "console.log('says one')"), ("post.js", "console.log('says post')")])
    harness.write(root, ".github/workflows/ci.yml", "on: push\njobs: {say: {runs-on: x, steps: [{uses: acme/says@v1}]}}\n")
    harness.write(root, ".github/actions.lock", "# what we run\n")
    refused = runs(root, "--actions", mirrors, data=data)
    check(refused.returncode == 1 and "acme/says@v1 is not in it" in refused.all, refused.all)
    line = refused.all.split("the line is: ")[1].splitlines()[0]
    harness.write(root, ".github/actions.lock", line + "\n")
    done = runs(root, "--actions", mirrors, data=data)
    check(done.returncode == 0 and "says one" in done.all and "says post" not in done.all, done.all)
    mirror(mirrors, "acme/says", [("action.yml", SAYS), ("main.js", "console.log('says two')"), ("post.js", "")])
    done = runs(root, "--actions", mirrors, data=data)
    check(done.returncode == 0 and "says one" in done.all, "the lock is what runs: " + done.all)
    harness.write(root, ".github/actions.lock", line.replace(line.split()[2], "0" * 64) + "\n")
    drifted = runs(root, "--actions", mirrors, data=data)
    check(drifted.returncode == 1 and "holds other files" in drifted.all, drifted.all)
    os.remove(os.path.join(root, ".github/actions.lock"))
    done = runs(root, "--actions", mirrors, data=data)
    check(done.returncode == 0 and "says two" in done.all, done.all)


def test_a_moved_tag_is_another_job():
    """A server with a folder of mirrors: a job is answered from the cache until the tag of its action moves."""
    need_root()
    need("node")
    mirrors = harness.folder()
    outer = "name: outer\nruns: {using: composite, steps: [{uses: acme/moves@v1}]}\n"

    def release(text):
        mirror(mirrors, "acme/moves", [("action.yml", SAYS), ("main.js", f"console.log('says {text}')"), ("post.js", "")])

    release("one")
    own = House()
    own.extra = ["--actions", mirrors]
    seen = []
    with own as house:
        shop = house.git("moved")
        shop.write(".github/workflows/ci.yml", "on: push\njobs: {say: {runs-on: x, steps: [{uses: actions/checkout@v4}, {uses: ./.github/actions/outer}]}}\n")
        shop.write(".github/actions/outer/action.yml", outer)
        for number in range(3):
            commit = again(shop) if number else shop.commit("A change")
            shop.push(f"HEAD:refs/heads/try{number}")
            run = house.runs_of(commit)[0]
            check(phase(run) == "Succeeded", run["status"])
            seen.append((get_path(run, "status", "jobs", 0, "cached"), house.http("GET", f"/logs/{run['metadata']['name']}/say")[1]))
            if number == 1:
                release("two")
    check([cached for cached, _ in seen] == [False, True, False], seen)
    check("says one" in seen[0][1] and "says two" in seen[2][1], seen)


SMALL = """on: push
jobs:
  use:
    runs-on: x
    steps:
      - run: head -c 3000000 /dev/urandom >big
      - uses: actions/cache/save@v4
        with: {path: big, key: "big-${{ github.sha }}"}
"""


def test_caches_are_kept_within_bounds():
    """A house with little room for caches keeps the newest."""
    need_root()
    own = House()
    own.extra = ["--cache-size", "7MB"]
    with own as house:
        shop = house.git("fills")
        shop.write(".github/workflows/ci.yml", SMALL)
        commits = [shop.commit("A change")]
        shop.push("HEAD:refs/heads/try")
        check(phase(house.runs_of(commits[0])[0]) == "Succeeded", "saved")
        for number in range(3):
            commits.append(again(shop))
            shop.push(f"HEAD:refs/heads/try{number}")
            check(phase(house.runs_of(commits[-1])[0]) == "Succeeded", number)
        listed = harness.json.loads(harness.slipway("cache", "ls", "--data", house.data, "--output", "json").stdout)
        check([e["key"] for e in listed] == [f"big-{c}" for c in (commits[3], commits[2])], listed)
        blobs = os.path.join(house.data, "jobs/caches/blobs/sha256")
        kept = sum(len(files) for _, _, files in os.walk(blobs))
        check(kept == 2, f"{kept} blobs are kept")
    refused = harness.slipway("up", "--data", harness.folder(), "--cache-size", "much")
    check(refused.returncode == 2 or "want a size like 10GB" in refused.all, refused.all)


PULL = """on: {push: {branches: [main]}}
jobs:
  change:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.run_number }}" >generated.txt
      - uses: peter-evans/create-pull-request@v7
        id: pr
        with: {title: Generated files, branch: generated}
      - run: echo "pr ${{ steps.pr.outputs.pull-request-operation }} ${{ steps.pr.outputs.pull-request-number }}"
"""


def test_a_pull_request_of_a_job(house):
    need_root()
    need("git")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ci-makes"}, "stringData": {"GITHUB_TOKEN": house.token}}
    status, text = house.http("POST", "/api/v1/namespaces/slipway-system/secrets", harness.json.dumps(secret), {"Content-Type": "application/json"})
    check(status == 201, text)
    copy = house.git("makes")
    copy.write(".github/workflows/ci.yml", PULL)
    commit = copy.commit("A change")
    copy.push("HEAD:main")
    run = house.runs_of(commit, seconds=60)[0]
    log = house.http("GET", f"/logs/{run['metadata']['name']}/change")[1]
    check(phase(run) == "Succeeded" and "pr created 1" in log, f"{run['status']}\n{log}")
    check(house.token not in log, "the token is masked")
    copy.git("fetch", "-q", "origin", "refs/pull/1/head")
    shown = copy.git("show", "--stat", "FETCH_HEAD").stdout
    check("generated.txt" in shown and "Generated files" in shown, shown)


def again(copy):
    copy.git("commit", "--allow-empty", "-q", "-m", "Again")
    return copy.git("rev-parse", "HEAD").stdout.strip()


if __name__ == "__main__":
    harness.main(globals())
