"""bench/gitops: `slipway render` beside `kubectl kustomize`, as a person or a pipeline calls them: time, memory, and output
equal to the byte."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from figures import Figure, at_most, median, share_of, spread  # noqa: E402
from house import scratch  # noqa: E402

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: service-{n}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: service-{n}}}
  template:
    metadata:
      labels: {{app: service-{n}}}
    spec:
      containers:
      - name: app
        image: shop/api:1
        ports:
        - containerPort: 8080
        envFrom:
        - configMapRef: {{name: settings}}
"""
OVERLAY = """resources:
- ../{base}
namespace: {name}
namePrefix: {name}-
labels:
- pairs: {{tier: web}}
images:
- name: shop/api
  newTag: "2"
configMapGenerator:
- name: settings
  literals: [mode=fast]
"""
# Milliseconds; None: for information. 3,000 objects take kubectl half a minute: once, and not in a quick run.
SIZES = ((1, None), (100, None), (1000, 20), (3000, 60))
OVERLAYS = 1000


def write(root, files):
    for path, text in files.items():
        os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(root, path), "w") as file:
            file.write(text)


def tree(root, count, overlays=("production",)):
    """A base of `count` Deployments and overlays over it; gives the overlays' folders."""
    write(root, {"base/all.yaml": "---\n".join(DEPLOYMENT.format(n=n) for n in range(count)), "base/kustomization.yaml": "resources:\n- all.yaml\n"})
    write(root, {f"{name}/kustomization.yaml": OVERLAY.format(base="base", name=name) for name in overlays})
    return [os.path.join(root, name) for name in overlays]


def run(argv):
    """Milliseconds, peak memory in MB, output."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        took = (time.perf_counter() - began) * 1000
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            err.seek(0)
            raise RuntimeError(f"{' '.join(argv[:4])}: exit {process.returncode}\n{err.read().decode()[-2000:]}")
        out.seek(0)
        return took, used.ru_maxrss / 1024, out.read()


def of_size(slipway, kubectl, count, limit, quick, say):
    root = scratch("render")
    (overlay,) = tree(root, count)
    slow = count >= 3000
    ours, theirs, memory, other_memory = [], [], [], []
    try:
        for n in range(5 if quick else 9):
            took, used, mine = run([slipway, "render", overlay])
            ours.append(took)
            memory.append(used)
            if not kubectl or (slow and (quick or n > 0)) or (count == 1000 and n > 2):
                continue
            took, used, other = run([kubectl, "kustomize", overlay])
            theirs.append(took)
            other_memory.append(used)
            if mine != other:
                raise RuntimeError(f"slipway render and kubectl kustomize differ: {overlay}")
    finally:
        shutil.rmtree(root)
    say(f"gitops: {count} objects rendered in {median(ours):.1f} ms, {median(memory):.0f} MB" + (f"; kubectl {median(theirs):.0f} ms, {median(other_memory):.0f} MB" if theirs else ""))
    name, note = f"gitops/render-{count}", f"{spread(ours)}; the output is the same to the byte" if theirs else spread(ours)
    beside = {"against": median(theirs), "peer": "kubectl kustomize"} if theirs else {"peer": "not measured: " + ("half a minute" if kubectl else "no kubectl")}
    if limit:
        figures = [at_most(name, median(ours), "ms", limit, samples=ours, note=note, **beside)]
    elif theirs:
        figures = [share_of(name, median(ours), "ms", median(theirs), "kubectl kustomize", 0.2, samples=ours, note=note)]
    else:
        figures = [Figure(name, median(ours), "ms", samples=ours, note=note, **beside)]
    if theirs and count >= 1000:
        figures.append(share_of(f"gitops/render-{count}-memory", median(memory), "MB", median(other_memory), "kubectl kustomize", 0.1, note="peak resident set"))
    return figures


def overlays(slipway, kubectl, quick, say):
    """Many small overlays: each a process of its own, as pipelines call it, and all in one call."""
    root = scratch("overlays")
    folders = tree(root, 3, [f"env-{n}" for n in range(OVERLAYS)])
    try:
        began = time.perf_counter()
        each = b"---\n".join(run([slipway, "render", folder])[2] for folder in folders)
        ours = time.perf_counter() - began
        took, _, together = run([slipway, "render", *folders])
        if each != together:
            raise RuntimeError(f"slipway render gives other output for many folders than for one: {root}")
        theirs = None
        if kubectl:
            sample = folders[: 20 if quick else OVERLAYS]
            theirs = sum(run([kubectl, "kustomize", folder])[0] for folder in sample) / 1000 * OVERLAYS / len(sample)
    finally:
        shutil.rmtree(root)
    beside = {"against": theirs, "peer": "kubectl kustomize" + (", of 20" if quick else "")} if theirs else {"peer": "not measured: no kubectl"}
    say(f"gitops: {OVERLAYS} overlays in {took / 1000:.2f} s in one process, in {ours:.1f} s in {OVERLAYS}" + (f"; kubectl {theirs:.0f} s" if theirs else ""))
    return [
        at_most("gitops/overlays-1000", took / 1000, "s", 2, note="`slipway render` of a thousand folders", **beside),
        Figure("gitops/overlays-1000-processes", ours, "s", note="the same in a process each", **beside),
    ]


def measure(slipway, quick, say):
    kubectl = shutil.which("kubectl")
    figures = []
    for count, limit in SIZES:
        figures += of_size(slipway, kubectl, count, limit, quick, say)
    return figures + overlays(slipway, kubectl, quick, say)
