"""bench/gitops: thousands of Applications of ten objects in one repository, on the embedded cluster, as a team that comes
from Argo CD has them. What is timed is seen from outside: through the API and a push by stock git."""
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from figures import Figure, at_most, median, spread  # noqa: E402
from house import House, scratch  # noqa: E402

REPOSITORY = "http://slipway/git/fleet.git"
A_NAMESPACE = 100  # Applications in each
CONFIG_MAPS = 6
WRITERS = 16

# Deployments of no replicas, as Flux's own benchmark has them: what is measured is GitOps, not containers.
OBJECTS = """apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}}}
rules:
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects:
- {{kind: ServiceAccount, name: {name}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 0
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      serviceAccountName: {name}
      containers:
      - name: app
        image: registry.example.org/{name}:1
        ports:
        - containerPort: 8080
        envFrom:
        - configMapRef: {{name: {name}-0}}
"""
CONFIG_MAP = """---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}-{n}}}
data:
  value: "{value}"
  settings.ini: |
    [server]
    port = 8080
    threads = 4
"""


def app_name(n):
    return f"app-{n:05d}"


def namespace_of(n):
    return f"fleet-{n // A_NAMESPACE:03d}"


def objects_of(n, value="1"):
    name = app_name(n)
    return OBJECTS.format(name=name) + "".join(CONFIG_MAP.format(name=name, n=i, value=value) for i in range(CONFIG_MAPS))


def application(n):
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": app_name(n), "namespace": "argocd"},
        "spec": {"project": "default", "source": {"repoURL": REPOSITORY, "targetRevision": "main", "path": f"apps/{app_name(n)}"},
                 "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace_of(n)},
                 "syncPolicy": {"automated": {"prune": True, "selfHeal": True}}}}


class Repository:
    """Written by git fast-import, pushed by git: a work tree of ten thousand folders would measure the disk."""

    def __init__(self, house, folder):
        self.folder = folder
        self.remote = f"http://ada:{house.token}@127.0.0.1:{house.port}/git/fleet.git"
        self.env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", folder], check=True, env=self.env)

    def commit(self, files):
        tip = subprocess.run(["git", "-C", self.folder, "rev-parse", "-q", "--verify", "main"], capture_output=True, text=True, env=self.env).stdout.strip()
        lines = [f"commit refs/heads/main\ncommitter ada <ada@example.org> {int(time.time())} +0000\ndata 6\nchange\n".encode()]
        if tip:
            lines.append(f"from {tip}\n".encode())
        for path, text in files.items():
            data = text.encode()
            lines.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
        subprocess.run(["git", "-C", self.folder, "fast-import", "--quiet"], input=b"".join(lines), check=True, env=self.env)
        return subprocess.run(["git", "-C", self.folder, "rev-parse", "main"], capture_output=True, text=True, check=True, env=self.env).stdout.strip()

    def push(self):
        subprocess.run(["git", "-C", self.folder, "push", "-q", self.remote, "main"], check=True, env=self.env, stderr=subprocess.PIPE)


class Writers:
    """Requests on connections that stay open, several at once."""

    def __init__(self, house):
        self.house, self.local = house, threading.local()

    def send(self, request):
        method, path, body, kind = request
        for last in (False, True):
            if not hasattr(self.local, "connection"):
                self.local.connection = http.client.HTTPSConnection("127.0.0.1", self.house.port, context=self.house.tls, timeout=120)
            try:
                self.local.connection.request(method, path, json.dumps(body), {"Authorization": f"Bearer {self.house.token}", "Content-Type": kind, "User-Agent": "kubectl/bench"})
                answer = self.local.connection.getresponse()
                text = answer.read()
            except (http.client.HTTPException, OSError):
                del self.local.connection
                if last:
                    raise
                continue
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:500].decode()}")
            return json.loads(text)

    def all(self, requests):
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            return list(pool.map(self.send, requests))


def create(path, body):
    return ("POST", path, body, "application/json")


def config_map_path(n, i):
    return f"/api/v1/namespaces/{namespace_of(n)}/configmaps/{app_name(n)}-{i}"


def drift(n):
    return ("PATCH", config_map_path(n, 1) + "?fieldManager=kubectl-edit", {"data": {"value": "drifted"}}, "application/merge-patch+json")


class Fleet:
    def __init__(self, program, root, count, say):
        self.house = House(program, os.path.join(root, "data"), os.path.join(root, "log"))
        self.root, self.count, self.say = root, count, say

    def metric(self, name, labels=""):
        with self.house._open("GET", self.house.url + "/metrics", timeout=60) as answer:
            found = re.search(rf"^{re.escape(name + labels)} (\S+)$", answer.read().decode(), re.M)
        return float(found.group(1)) if found else 0.0

    def until(self, test, what, seconds=1800):
        began = time.monotonic()
        while not test():
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"{what}: not within {seconds} s; log in {self.house.log}")
            if self.house.process.poll() is not None:
                raise RuntimeError(f"slipway ended with {self.house.process.returncode}: {self.house.log}")
            time.sleep(0.05)
        return time.monotonic() - began

    def looks(self):
        return self.metric("slipway_gitops_look_seconds_count")

    def settled(self):
        return self.metric("slipway_gitops_applications_due") == 0

    def memory_mb(self):
        for line in open(f"/proc/{self.house.process.pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def processor(self):
        words = open(f"/proc/{self.house.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def unsynced(self):
        apps = self.house._open("GET", f"{self.house.url}/apis/argoproj.io/v1alpha1/namespaces/argocd/applications", timeout=300)
        with apps as answer:
            return [a["metadata"]["name"] for a in json.load(answer)["items"] if a.get("status", {}).get("sync", {}).get("status") != "Synced"]

    def first_sync(self):
        self.house.start()
        self.git = Repository(self.house, os.path.join(self.root, "fleet.git"))
        self.git.commit({f"apps/{app_name(n)}/objects.yaml": objects_of(n) for n in range(self.count)} | {"README.md": "0\n"})
        self.git.push()
        writers = Writers(self.house)
        writers.all(create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(n)}}) for n in range(0, self.count, A_NAMESPACE))
        began = time.monotonic()
        writers.all(create("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications", application(n)) for n in range(self.count))
        written = time.monotonic() - began
        self.until(lambda: self.looks() >= self.count and self.settled(), "the first sync")
        took = time.monotonic() - began
        left = self.unsynced()
        if left:
            raise RuntimeError(f"{len(left)} of {self.count} Applications are not Synced, {left[0]} first; log in {self.house.log}")
        self.say(f"gitops: {self.count} Applications synced for the first time in {took:.1f} s ({written:.1f} s to write them), {self.memory_mb():.0f} MB, {self.processor():.0f} s of processor")
        return took

    def cold(self):
        """Started anew, nothing in memory: every Application is rendered and compared with what runs."""
        self.house.stop()
        began = time.monotonic()
        self.house.start()
        up = time.monotonic() - began
        self.until(lambda: self.looks() >= self.count and self.settled(), "the cold comparison")
        took = time.monotonic() - began
        memory = self.memory_mb()
        self.say(f"gitops: cold comparison of {self.count} in {took:.1f} s ({up:.1f} s until the API answered), {memory:.0f} MB, {self.processor():.0f} s of processor")
        return took, memory

    def rechecks(self, times):
        """A commit that changes nothing that any Application reads: what the server takes to find that out."""
        samples = []
        for n in range(times):
            count, total = self.metric("slipway_gitops_recheck_seconds_count"), self.metric("slipway_gitops_recheck_seconds_sum")
            looks = self.looks()
            self.git.commit({"README.md": f"{n + 1}\n"})
            self.git.push()
            self.until(lambda: self.metric("slipway_gitops_recheck_seconds_count") > count and self.settled(), "the re-check", 60)
            samples.append((self.metric("slipway_gitops_recheck_seconds_sum") - total) * 1000)
            self.say(f"gitops: {self.count} re-checked after a commit in {samples[-1]:.1f} ms, {self.looks() - looks:.0f} looked at")
        return samples

    def changes(self, times):
        """A commit that changes one object of one Application: until the object is so, and until the status says so, from
        the start of `git push`, and from its end."""
        applied, synced, pushes = [], [], []
        for n in range(times):
            value, which = f"change-{n}", (self.count // 2 + n * 7) % self.count
            commit = self.git.commit({f"apps/{app_name(which)}/objects.yaml": objects_of(which, value)})
            seen = {}
            watches = [
                self.watch(f"/api/v1/namespaces/{namespace_of(which)}/configmaps", f"{app_name(which)}-{CONFIG_MAPS - 1}", lambda o: o["data"]["value"] == value, seen, "applied"),
                self.watch("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications", app_name(which),
                           lambda o: o["status"]["sync"]["revision"] == commit and o["status"]["sync"]["status"] == "Synced" and o["status"]["operationState"]["phase"] == "Succeeded", seen, "synced")]
            began = time.monotonic()
            self.git.push()
            pushes.append((time.monotonic() - began) * 1000)
            for watch in watches:
                watch.join(60)
            if len(seen) < 2:
                raise RuntimeError(f"{app_name(which)}: not synced to {commit} within a minute; log in {self.house.log}")
            applied.append((seen["applied"] - began) * 1000)
            synced.append((seen["synced"] - began) * 1000)
            self.say(f"gitops: of {self.count}, one changed: applied after {applied[-1]:.0f} ms, synced after {synced[-1]:.0f} ms; git push took {pushes[-1]:.0f} ms")
        return applied, synced, pushes

    def watch(self, path, name, test, seen, what):
        """Watches one object from now on; `seen` gets the moment in which the test held."""
        answer = self.house._open("GET", f"{self.house.url}{path}?watch=1&fieldSelector=metadata.name%3D{name}", timeout=60)

        def read():
            for line in answer:
                event = json.loads(line)
                try:
                    if event["type"] in ("ADDED", "MODIFIED") and test(event["object"]):
                        seen[what] = time.monotonic()
                        return
                except KeyError:
                    continue
        answer.readline()  # as it is
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def heal(self, count):
        """One object of each of `count` Applications edited by hand: until all are as Git has them."""
        label = '{healed="true"}'
        before = self.metric("slipway_gitops_drifts_total", label)
        writers = Writers(self.house)
        began = time.monotonic()
        writers.all(drift(n) for n in range(count))
        edited = time.monotonic() - began
        self.until(lambda: self.metric("slipway_gitops_drifts_total", label) >= before + count and self.settled(), "healing", 300)
        took = time.monotonic() - began
        for found in writers.all(("GET", config_map_path(n, 1), None, "application/json") for n in range(count)):
            if found["data"]["value"] == "drifted":
                raise RuntimeError(f"{found['metadata']['name']}: still drifted; log in {self.house.log}")
        self.say(f"gitops: {count} drifts healed in {took:.1f} s, edited in {edited:.1f} s")
        return took, edited


def measure_one(program, count, drifts, times, say):
    """Figures of one fleet, as they are: what they should be depends on the count."""
    root = scratch("fleet")
    fleet = Fleet(program, root, count, say)
    kept = False
    try:
        first = fleet.first_sync()
        cold, memory = fleet.cold()
        rechecks = fleet.rechecks(times)
        applied, synced, pushes = fleet.changes(times)
        healed, edited = fleet.heal(min(drifts, count))
        return {"count": count, "first": first, "cold": cold, "memory": memory, "rechecks": rechecks, "applied": applied, "synced": synced, "pushes": pushes,
                "healed": healed, "edited": edited, "after": fleet.memory_mb()}
    except Exception:
        kept = True
        raise
    finally:
        fleet.house.down()
        if not kept:
            shutil.rmtree(root, ignore_errors=True)


def measure(program, quick, say):
    times = 5 if quick else 11
    one = measure_one(program, 1, 1, times, say)
    few = measure_one(program, 100 if quick else 1000, 100 if quick else 1000, times, say)
    many = measure_one(program, 1000 if quick else 10000, 1000, times, say)
    count, share = many["count"], many["count"] / 10000
    cost = {n: measured["cold"] / measured["count"] * 1000 for n, measured in (("few", few), ("many", many))}
    of = f"{count} Applications of ten objects"
    return [
        at_most("gitops/push-to-synced", median(one["synced"]), "ms", 150, samples=one["synced"], note=f"{spread(one['synced'])}; one Application of ten objects, from the start of `git push`, which alone takes {median(one['pushes']):.0f} ms"),
        Figure("gitops/first-sync", many["first"], "s", note=f"{of}, from the first one's creation through the API to the last one Synced"),
        at_most("gitops/cold-comparison", many["cold"], "s", 60 * share, note=f"{of}, from exec on a full data directory"),
        at_most("gitops/memory", many["memory"], "MB", 1024, note=f"proportional set size after the cold comparison; {many['after']:.0f} MB after everything below"),
        at_most("gitops/recheck", median(many["rechecks"]), "ms", 50, samples=many["rechecks"], note=f"{spread(many['rechecks'])}; {of}, a commit that changes nothing they read"),
        at_most("gitops/change-to-applied", median(many["applied"]), "ms", 200, samples=many["applied"], note=f"{spread(many['applied'])}; one of {of}, from the start of `git push`, which alone takes {median(many['pushes']):.0f} ms"),
        at_most("gitops/heal-1000", many["healed"], "s", 5, note=f"edited through the API in {many['edited']:.1f} s, {WRITERS} writers"),
        at_most("gitops/extra-application", cost["many"], "ms", round(cost["few"] * 1.2, 3), note=f"of the cold comparison, with {count}; with {few['count']} it is {cost['few']:.2f} ms"),
    ]
