"""bench/path: a commit of the shop's `api` until the new version answers in dev, warm; ours and a shell pipeline's, in turn.

"Own share" is the total less the time in which at least one of the user's own commands ran (lint, test, the RUN of his
Dockerfile), counted the same way on both sides.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from figures import Figure, at_most, median, share_of, spread  # noqa: E402
from house import EXAMPLES, House, Shop, Timeout, bases, basic, scratch, union_seconds, user_spans  # noqa: E402

PEER_TOOLS = ("git", "buildah", "skopeo", "docker-registry", "kubectl", "runc", "jq", "curl", "make", "gcc")


def edit(text, n):
    """The next commit: one line of one C file. The price of a lantern."""
    return re.sub(r'\{"lantern", \d+\}', f'{{"lantern", {2300 + n}}}', text)


class Ours:
    def __init__(self, program):
        self.root = scratch("path")
        self.house = House(program, os.path.join(self.root, "data"), os.path.join(self.root, "slipway.log"))
        try:
            self.house.start()
            bases.push_all(self.house.url, basic("bench", self.house.token))
            self.shop = Shop(self.house, self.root)
            self.shop.open()
        except BaseException:
            self.close()
            raise

    def deliver(self, n):
        git = self.shop.shop
        git.write("services/api/src/app.c", edit(git.read("services/api/src/app.c"), n))
        commit = git.commit(f"A lantern costs {2300 + n}")
        began = time.time()
        git.push("HEAD:main")
        pushed = time.time()
        deadline = began + 60
        while commit not in self.house.ask("api.dev.shop.local", "/version")[1]:
            if time.time() > deadline:
                raise Timeout(f"api.dev.shop.local does not answer with {commit[:12]}: see {self.house.log}")
            time.sleep(0.002)
        ended = time.time()
        self.shop.settled("api", commit)  # staging follows by itself; the next commit must not find it under way
        spans = user_spans(self.shop.runs_of(commit))
        return {"total": ended - began, "user": union_seconds([(max(f, began), min(t, ended)) for f, t in spans]), "push": pushed - began,
                "began": began, "ended": ended, "commit": commit, "spans": spans}

    def close(self):
        self.house.down()
        if "SLIPWAY_BENCH_KEEP" not in os.environ:
            shutil.rmtree(self.root, ignore_errors=True)


class Peer:
    def __init__(self):
        missing = [tool for tool in PEER_TOOLS if not shutil.which(tool)]
        if missing:
            raise LookupError(f"the shell pipeline needs {', '.join(missing)}: SLIPWAY_TEST_TOOLS=1 script/setup none installs Debian's; kubectl comes from kubernetes-client or from its maker")
        self.root = scratch("peer")
        try:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            self.call("setup", str(port), EXAMPLES)
            bases.push_all(f"http://127.0.0.1:{port}", "Basic cGVlcjpwZWVy")
        except BaseException:
            self.close()
            raise

    def call(self, what, *arguments):
        result = subprocess.run([os.path.join(HERE, "peer.sh"), what, self.root, *arguments], stdout=subprocess.PIPE, stderr=open(os.path.join(self.root, "peer.log"), "ab"), text=True)
        if result.returncode:
            raise RuntimeError(f"peer.sh {what}: exit {result.returncode}\n{result.stdout}" + open(os.path.join(self.root, "peer.log")).read()[-3000:])
        return result.stdout

    def git(self, *arguments):
        environment = {**os.environ, "HOME": self.root, "GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "ada@example.com"}
        return subprocess.run(["git", "-C", os.path.join(self.root, "seed-shop"), *arguments], check=True, capture_output=True, text=True, env=environment).stdout

    def deliver(self, n):
        source = os.path.join(self.root, "seed-shop/services/api/src/app.c")
        text = open(source).read()
        open(source, "w").write(edit(text, n))
        self.git("commit", "-qam", f"A lantern costs {2300 + n}")
        commit = self.git("rev-parse", "HEAD").strip()
        began = time.time()
        self.git("push", "-q", os.path.join(self.root, "shop.git"), "main")
        out = self.call("deliver", commit)
        ended = time.time()
        self.call("retire", commit)
        spans = [line.split()[1:] for line in out.splitlines() if line.startswith("span ")]
        user = [(float(begin), float(end)) for what, begin, end in spans if what.startswith("user.")]
        stages = {what: float(end) - float(begin) for what, begin, end in spans}
        return {"total": ended - began, "user": union_seconds(user), "stages": stages}

    def close(self):
        subprocess.run([os.path.join(HERE, "peer.sh"), "stop", self.root], capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)


def own_ms(sample):
    return (sample["total"] - sample["user"]) * 1000


def measure(program, quick, say):
    pairs, warm = (4, 2) if quick else (11, 3)
    peer, why = None, ""
    ours = Ours(program)
    try:
        try:
            peer = Peer()
        except LookupError as error:
            why = str(error)
        mine, theirs = [], []
        for n in range(1, warm + pairs + 1):
            order = [(ours, mine), (peer, theirs)]
            for who, samples in order if n % 2 else reversed(order):
                if who is None:
                    continue
                time.sleep(2)  # what the one before left to do (old versions end, containers are made ahead) is no part of this one
                sample = who.deliver(n)
                if n > warm:
                    samples.append(sample)
                    say(f"path: {'slipway' if who is ours else 'shell'} {sample['total'] * 1000:.0f} ms, of it the user's own {sample['user'] * 1000:.0f}, own share {own_ms(sample):.0f}")
    finally:
        ours.close()
        if peer:
            peer.close()
    own = [own_ms(s) for s in mine]
    note = f"{spread(own)}; in all {median([s['total'] for s in mine]) * 1000:.0f} ms, the user's {median([s['user'] for s in mine]) * 1000:.0f}"
    figures = [at_most("path/own-share", median(own), "ms", 300, samples=own, note=note)]
    if peer is None:
        figures.append(Figure("path/own-share-vs-shell", median(own), "ms", "<= 0.20 x", None, peer="not measured", note=why))
        return figures
    others = [own_ms(s) for s in theirs]
    stages = {what: median([s["stages"][what] for s in theirs]) * 1000 for what in theirs[0]["stages"]}
    note = "shell pipeline: " + f"{spread(others)}; in all {median([s['total'] for s in theirs]) * 1000:.0f} ms; " + ", ".join(f"{what} {ms:.0f}" for what, ms in stages.items())
    # The ratio is that of pairs, so that a slow minute of the machine weighs on both.
    figures.append(share_of("path/own-share-vs-shell", median(own), "ms", median(others), "shell pipeline", 0.2, samples=others, note=note))
    figures.append(Figure("path/total", median([s["total"] for s in mine]) * 1000, "ms", against=median([s["total"] for s in theirs]) * 1000, peer="shell pipeline"))
    return figures
