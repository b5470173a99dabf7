"""bench/cache: a tree of 500 MB out of a cache and into it, by the built-in actions/cache and by GitHub's own package
(@actions/cache, as JavaScript actions have it) from the same service, the same entry, in turn within one job."""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from figures import median, share_of, spread  # noqa: E402
from house import scratch  # noqa: E402

MODULES = os.environ.get("SLIPWAY_E2E_JS", os.path.join(HERE, "../../tests/e2e/js"))
PEER = "@actions/cache"
MAKE = """import os, random
random.seed(7)
words = [''.join(random.choices('abcdefghijklmnopqrstuvwxyz', k=random.randint(2, 12))) for _ in range(5000)]
left, number = %d * 1000000, 0
while left > 0:
    size = min(left, random.choice((2000, 20000, 200000, 2000000)))
    folder = f'tree/{number %% 100:02}'
    os.makedirs(folder, exist_ok=True)
    with open(f'{folder}/{number}', 'wb') as file:
        if number %% 2:
            file.write(random.randbytes(size))
        else:
            text = ' '.join(random.choices(words, k=2000)).encode()
            file.write((text * (size // len(text) + 1))[:size])
    left, number = left - size, number + 1
print(number, 'files')
"""
ACTION = """name: peer
inputs: {do: {default: restore}, key: {required: true}}
outputs: {ms: {description: of the call}}
runs: {using: node20, main: peer.js}
"""
CLEAR = "rm -rf tree && sync"
SUM = "find tree -type f | LC_ALL=C sort | xargs cat | sha256sum"


def workflow(rounds):
    steps = [
        "- uses: actions/checkout@v4",
        "- run: python3 make.py",
        f"- {{id: before, run: '{SUM} >before'}}",
        "- run: sync",
    ]
    for i in range(rounds):
        for who in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
            key = f"{who}-{i}"
            steps.append("- run: sync")
            if who == "ours":
                steps.append(f"- {{id: save-ours-{i}, uses: actions/cache/save@v4, with: {{path: tree, key: {key}}}}}")
            else:
                steps.append(f"- {{id: save-peer-{i}, uses: ./peer, with: {{do: save, key: {key}}}}}")
    # The same entry for both.
    for i in range(rounds):
        for who in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
            steps.append(f"- run: {CLEAR}")
            if who == "ours":
                steps.append(f"- {{id: restore-ours-{i}, uses: actions/cache/restore@v4, with: {{path: tree, key: ours-0, fail-on-cache-miss: true}}}}")
            else:
                steps.append(f"- {{id: restore-peer-{i}, uses: ./peer, with: {{key: ours-0}}}}")
            steps.append(f"- run: {SUM} | cmp - before")
    text = "".join(f"      {step}\n" for step in steps)
    return f"on: push\nenv: {{MODULES: '{os.path.abspath(MODULES)}'}}\njobs:\n  cache:\n    runs-on: x\n    steps:\n{text}"


def measure(program, quick, say):
    if not os.path.isdir(os.path.join(MODULES, "node_modules/@actions/cache")):
        say(f"cache: {PEER} is not installed: SLIPWAY_TEST_TOOLS=1 script/setup none")
        return []
    megabytes, rounds = 500, 3 if quick else 5
    root = scratch("cache")
    try:
        steps = run(program, root, megabytes, rounds, say)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    took = {what: [seconds(steps[f"{what}-{i}"]) for i in range(rounds)] for what in ("save-ours", "save-peer", "restore-ours", "restore-peer")}
    figures = []
    for what, most in (("restore", 0.7), ("save", 1.0)):
        ours, peer = took[f"{what}-ours"], took[f"{what}-peer"]
        figures.append(share_of(f"cache/{what}", median(ours), "s", median(peer), PEER, most, samples=ours,
                                note=f"{megabytes} MB; ours {spread(ours)} s, {PEER} without the start of node {spread(peer)} s"))
    return figures


def run(program, root, megabytes, rounds, say):
    source = os.path.join(root, "source")
    peer = open(os.path.join(HERE, "peer.js")).read()
    for path, text in (("make.py", MAKE % megabytes), ("peer/action.yml", ACTION), ("peer/peer.js", peer), (".github/workflows/ci.yml", workflow(rounds))):
        os.makedirs(os.path.dirname(os.path.join(source, path)), exist_ok=True)
        with open(os.path.join(source, path), "w") as file:
            file.write(text)
    say(f"cache: {megabytes} MB, {rounds} times each way")
    done = subprocess.run([program, "run", "ci", "-C", source, "--data", os.path.join(root, "data"), "--output", "json"], capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        raise RuntimeError(f"slipway run: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return {step["id"]: step for step in json.loads(done.stdout)["jobs"][0]["steps"]}


def seconds(step):
    own = step.get("outputs", {}).get("ms")
    return float(own) / 1000 if own else step["millis"] / 1000
