"""bench/images: what a Dockerfile's build costs, in a slipway that runs already (bench_images) and by `slipway build`, beside
buildah, and beside what looking at the files, or hashing and compressing them, costs at least."""
import base64
import json
import os
import random
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "../../tests/builders"))
from compare import make_base  # noqa: E402
from figures import Figure, at_most, median, share_of, spread  # noqa: E402
from house import scratch  # noqa: E402
from pathlib import Path  # noqa: E402

FILES, FILE_SIZE = 20000, 27400   # 548 MB of base64 text, as the research measured BuildKit and buildah
PEER = "buildah"


def tree(root):
    """20,000 files in 200 folders, each of its own text."""
    random.seed(7)
    for n in range(FILES):
        folder = os.path.join(root, f"{n % 200:03}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, str(n)), "wb") as file:
            file.write(base64.b64encode(random.randbytes(FILE_SIZE * 3 // 4)))
    os.sync()
    return root


def checked(argv, **kw):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, **kw)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout.decode()[-2000:]}")


def timed(argv):
    began = time.perf_counter()
    checked(argv)
    return (time.perf_counter() - began) * 1000


class Slipway:
    def __init__(self, program, root):
        self.program, self.data = program, os.path.join(root, "slipway")
        layout, _ = make_base(Path(root))
        self.layout = layout
        base = folder(root, "base", "FROM stand-in\nRUN true\n")
        checked([program, "build", base, "--data", self.data, "--build-context", f"stand-in=oci-layout://{layout}", "-t", "base/busybox:1"])

    def build(self, context):
        return [self.program, "build", context, "--data", self.data, "--progress", "quiet", "-t", "shop/web:t"]

    def forget(self):
        shutil.rmtree(self.data, ignore_errors=True)


class Buildah:
    """The fastest that Debian's has: its chroot isolation on overlayfs, the host's network, layers kept."""

    def __init__(self, root, layout):
        self.root = os.path.join(root, "buildah")
        self.common = [PEER, "--root", f"{self.root}/storage", "--runroot", f"{self.root}/run", "--storage-driver", "overlay"]
        # By its name alone: buildah takes not every path for a reference.
        done = subprocess.run([*self.common, "pull", "-q", f"oci:{layout.name}:latest"], capture_output=True, text=True, cwd=layout.parent)
        if done.returncode:
            raise RuntimeError(done.stderr)
        checked([*self.common, "tag", done.stdout.strip().splitlines()[-1], "localhost/base/busybox:1"])

    def build(self, context, *options):
        return [*self.common, "bud", "-q", "--isolation", "chroot", "--network", "host", "--layers", "--pull-never", "--format", "oci", "-t", "shop/web:t", *options, context]

    def close(self):
        subprocess.run([*self.common, "rm", "-a"], capture_output=True)
        subprocess.run(["umount", f"{self.root}/storage/overlay"], capture_output=True)


def folder(root, name, dockerfile):
    path = os.path.join(root, name)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "Dockerfile"), "w") as file:
        file.write(dockerfile)
    return path


def runs_text(base, word):
    return f"FROM {base}\n" + "".join(f"RUN echo {word} {n} > /f{n}\n" for n in range(10))


def runs(slipway, peer, told, root, rounds, say):
    ours, ours_again, theirs, theirs_again = [], [], [], []
    for n in range(rounds):
        context = folder(root, "runs", runs_text("base/busybox:1", f"ours {n}"))
        ours.append(timed(slipway.build(context)))
        ours_again += [timed(slipway.build(context)) for _ in range(3)]
        if peer and n < max(2, rounds // 2):
            context = folder(root, "runs", runs_text("localhost/base/busybox:1", f"theirs {n}"))
            theirs.append(timed(peer.build(context)))
            theirs_again += [timed(peer.build(context)) for _ in range(2)]
    cold, again = told["runs-cold"], told["runs-cached"]
    against = (lambda values: {"against": median(values), "peer": PEER}) if peer else (lambda values: {"peer": "not measured: no buildah"})
    say(f"images: ten RUN steps {median(cold):.0f} ms, again {median(again):.1f} ms; as a process {median(ours):.0f} and {median(ours_again):.0f} ms")
    return [
        at_most("images/runs-cold", median(cold), "ms", 60, samples=cold, note=f"ten RUN steps in a slipway that runs already, {spread(cold)} ms", **against(theirs)),
        at_most("images/runs-cached", median(again), "ms", 5, samples=again, note=f"the same again, {spread(again)} ms", **against(theirs_again)),
        Figure("images/runs-cold-process", median(ours), "ms", samples=ours, note=f"`slipway build`, {spread(ours)} ms", **against(theirs)),
        Figure("images/runs-cached-process", median(ours_again), "ms", samples=ours_again, note=f"the same again, {spread(ours_again)} ms", **against(theirs_again)),
    ]


def copies(slipway, peer, told, root, data, say):
    context = data
    with open(os.path.join(root, "Dockerfile"), "w") as file:
        file.write("FROM scratch\nCOPY . /data/\n")
    named = ["-f", os.path.join(root, "Dockerfile")]
    ours = timed(slipway.build(context) + named)
    ours_again = [timed(slipway.build(context) + named) for _ in range(5)]
    walk, again, cold, mill = (told[name] for name in ("stat-walk", "copy-cached", "copy-cold", "hash-compress-store"))
    said = ""
    if peer:
        theirs, theirs_again = timed(peer.build(context, *named)), timed(peer.build(context, *named))
        said = f"; {PEER} {theirs / 1000:.1f} s and {theirs_again / 1000:.1f} s"
    say(f"images: COPY of {FILES} files {median(cold):.0f} ms, again {median(again):.0f} ms (stat walk {median(walk):.0f} ms){said}")
    return [
        share_of("images/copy-cached", median(again), "ms", median(walk), "stat walk", 2, samples=again,
                 note=f"COPY of {FILES} files, {FILES * FILE_SIZE // 1000000} MB, nothing changed, {spread(again)} ms{said}"),
        share_of("images/copy-cold", median(cold), "ms", median(mill), "sha256, igzip and the disk, all cores", 2, samples=cold,
                 note=f"the same, never seen: read, copied, hashed, compressed and on disk, {spread(cold)} ms{said}"),
        Figure("images/copy-cached-process", median(ours_again), "ms", samples=ours_again, note=f"`slipway build`, {spread(ours_again)} ms"),
        Figure("images/copy-cold-process", ours, "ms", note="`slipway build`"),
    ]


def measure(program, quick, say):
    root = scratch("images")
    bench = os.path.join(os.path.dirname(program), "bench/bench_images")
    peer = None
    try:
        slipway = Slipway(program, root)
        if shutil.which(PEER):
            peer = Buildah(root, slipway.layout)
        data = tree(os.path.join(root, "tree"))
        rounds = 3 if quick else 7

        def told(*what):
            out = subprocess.run([bench, *map(str, what)], capture_output=True, text=True)
            if out.returncode:
                raise RuntimeError(f"{bench} {what[0]}: exit {out.returncode}\n{out.stderr[-2000:]}")
            return json.loads(out.stdout)

        figures = runs(slipway, peer, told("runs", root, rounds), root, rounds, say)
        return figures + copies(slipway, peer, told("copy", root, data, 2 if quick else 4), root, data, say)
    finally:
        if peer:
            peer.close()
        shutil.rmtree(root, ignore_errors=True)
